package contract

import (
	"errors"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/proto"

	"github.com/curbstop/curbstop/seal"
)

// Converter is the data converter that every client and worker of curbstop
// uses: what people entered is encrypted before it reaches Temporal. Plain
// strings stay readable, because workflow code passes them only as summaries
// and current details, which supervisors read in the Temporal UI and which by
// rule hold no personal data.
func Converter(ring *seal.Ring) converter.DataConverter {
	plain := converter.GetDefaultDataConverter()
	return sealing{DataConverter: converter.NewCodecDataConverter(plain, Codec(ring)), plain: plain}
}

// Failures keeps the texts of errors, which may quote what was entered, as
// sealed as the values.
func Failures(ring *seal.Ring) converter.FailureConverter {
	return temporalFailures(Converter(ring))
}

type sealing struct {
	converter.DataConverter
	plain converter.DataConverter
}

// ToPayload leaves texts for supervisors readable and seals everything else.
func (s sealing) ToPayload(value any) (*commonpb.Payload, error) {
	switch v := value.(type) {
	case string:
		return s.plain.ToPayload(v)
	case converter.RawValue:
		// The SDK hands over current details converted already.
		if string(v.Payload().GetMetadata()[converter.MetadataMessageType]) == metadataMessage {
			return s.plain.ToPayload(v)
		}
	}
	return s.DataConverter.ToPayload(value)
}

// ToPayloads implements [converter.DataConverter].
func (s sealing) ToPayloads(values ...any) (*commonpb.Payloads, error) {
	if len(values) == 0 {
		return nil, nil
	}
	out := &commonpb.Payloads{}
	for i, value := range values {
		p, err := s.ToPayload(value)
		if err != nil {
			return nil, fmt.Errorf("contract: value %d: %w", i, err)
		}
		out.Payloads = append(out.Payloads, p)
	}
	return out, nil
}

// metadataMessage is the message that carries current details to the Temporal UI.
const metadataMessage = "temporal.api.sdk.v1.WorkflowMetadata"

const (
	sealedEncoding = "binary/curbstop-sealed"
	payloadContext = "temporal payload"
	metaEncoding   = "encoding"
	metaKey        = "curbstop-key"
)

// Codec seals payloads. The key's id stands in the metadata, so that a rotated
// key is found again; what it did not seal it leaves as it is.
func Codec(ring *seal.Ring) converter.PayloadCodec { return codec{ring} }

type codec struct{ ring *seal.Ring }

// Encode implements [converter.PayloadCodec].
func (c codec) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	out := make([]*commonpb.Payload, len(payloads))
	for i, p := range payloads {
		plain, err := proto.Marshal(p)
		if err != nil {
			return nil, fmt.Errorf("contract: %w", err)
		}
		out[i] = &commonpb.Payload{
			Metadata: map[string][]byte{metaEncoding: []byte(sealedEncoding), metaKey: []byte(c.ring.KeyID())},
			Data:     c.ring.Seal(plain, payloadContext),
		}
	}
	return out, nil
}

// Decode implements [converter.PayloadCodec].
func (c codec) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	out := make([]*commonpb.Payload, len(payloads))
	for i, p := range payloads {
		if string(p.GetMetadata()[metaEncoding]) != sealedEncoding {
			out[i] = p
			continue
		}
		plain, err := c.ring.Open(p.GetData(), payloadContext)
		if err != nil {
			return nil, fmt.Errorf("contract: %w", err)
		}
		out[i] = &commonpb.Payload{}
		if err := proto.Unmarshal(plain, out[i]); err != nil {
			return nil, errors.New("contract: a sealed payload that is no payload")
		}
	}
	return out, nil
}

func temporalFailures(dc converter.DataConverter) converter.FailureConverter {
	return temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{DataConverter: dc, EncodeCommonAttributes: true})
}
