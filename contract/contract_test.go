package contract_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/proto"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
	"github.com/curbstop/curbstop/seal"
)

// ring is a ring of fixed keys, the first of which seals.
func ring(t *testing.T, ids ...string) *seal.Ring {
	t.Helper()
	var keys []string
	for _, id := range ids {
		keys = append(keys, id+":"+base64.StdEncoding.EncodeToString([]byte(strings.Repeat(id[:1], 32))))
	}
	r, err := seal.ParseRing(strings.Join(keys, ","))
	require.NoError(t, err)
	return r
}

const phone = "13900007716"

func input() contract.CaseInput {
	return contract.CaseInput{Number: "W1", Request: casework.Request{
		Utility: casework.Water, Contact: casework.Contact{Name: "秦刚丽", Phone: phone}}}
}

// What people entered can't be read in what reaches Temporal; who has the key
// reads it back whole.
func TestConverterSealsWhatWasEntered(t *testing.T) {
	t.Parallel()
	dc := contract.Converter(ring(t, "a"))
	sealed, err := dc.ToPayloads(input(), []byte(phone), map[string]string{"phone": phone}, casework.District("340223"))
	require.NoError(t, err)
	for _, p := range sealed.GetPayloads() {
		wire, err := proto.Marshal(p)
		require.NoError(t, err)
		require.NotContains(t, string(wire), phone)
		require.NotContains(t, string(wire), "秦刚丽")
		require.Equal(t, "a", string(p.GetMetadata()["curbstop-key"]))
	}
	var in contract.CaseInput
	var raw []byte
	var m map[string]string
	var district casework.District
	require.NoError(t, dc.FromPayloads(sealed, &in, &raw, &m, &district))
	require.Equal(t, input(), in)
	require.Equal(t, []byte(phone), raw)
	require.Equal(t, map[string]string{"phone": phone}, m)
	require.Equal(t, casework.District("340223"), district)
}

// Texts for supervisors stay readable for whoever opens the Temporal UI without
// a key: summaries, current details and the metadata that carries them.
func TestConverterLeavesTextsForSupervisorsReadable(t *testing.T) {
	t.Parallel()
	dc := contract.Converter(ring(t, "a"))
	plain := converter.GetDefaultDataConverter()
	summary, err := dc.ToPayload("计算时限")
	require.NoError(t, err)
	var text string
	require.NoError(t, plain.FromPayload(summary, &text))
	require.Equal(t, "计算时限", text)
	// The SDK converts current details itself and hands them over raw.
	raw, err := converter.GetDefaultDataConverter().ToPayload(&sdkpb.WorkflowMetadata{CurrentDetails: "### W1"})
	require.NoError(t, err)
	details, err := dc.ToPayload(converter.NewRawValue(raw))
	require.NoError(t, err)
	require.Contains(t, string(details.GetData()), "### W1")
	var back *sdkpb.WorkflowMetadata
	require.NoError(t, dc.FromPayload(details, &back))
	require.Equal(t, "### W1", back.GetCurrentDetails())
	nothing, err := dc.ToPayloads()
	require.NoError(t, err)
	require.Nil(t, nothing)
}

// A rotated key still opens what it sealed, and the new one seals.
func TestConverterOpensWhatAnOlderKeySealed(t *testing.T) {
	t.Parallel()
	old, err := contract.Converter(ring(t, "a")).ToPayload(input())
	require.NoError(t, err)
	rotated := contract.Converter(ring(t, "b", "a"))
	var in contract.CaseInput
	require.NoError(t, rotated.FromPayload(old, &in))
	require.Equal(t, input(), in)
	fresh, err := rotated.ToPayload(input())
	require.NoError(t, err)
	require.Equal(t, "b", string(fresh.GetMetadata()["curbstop-key"]))
}

// A payload of an unknown key, or one that was changed, is an error that names
// no content; what was not sealed here is left as it is.
func TestCodecOpensOnlyWhatItSealed(t *testing.T) {
	t.Parallel()
	sealed, err := contract.Converter(ring(t, "a")).ToPayload(input())
	require.NoError(t, err)
	var in contract.CaseInput
	err = contract.Converter(ring(t, "b")).FromPayload(sealed, &in)
	require.ErrorContains(t, err, `key "a" is not on the ring`)

	changed, ok := proto.Clone(sealed).(*commonpb.Payload)
	require.True(t, ok)
	changed.Data[len(changed.Data)-1] ^= 1
	require.Error(t, contract.Converter(ring(t, "a")).FromPayload(changed, &in))

	foreign := &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte("binary/other")}, Data: []byte("x")}
	codec := contract.Codec(ring(t, "a"))
	decoded, err := codec.Decode([]*commonpb.Payload{foreign})
	require.NoError(t, err)
	require.Same(t, foreign, decoded[0])
}

// A refusal comes out of a workflow as it went in: kind, code, rule and every
// field, also after it has travelled as a sealed failure; and the failure's own
// text gives nothing away.
func TestFaultSurvivesTheJourney(t *testing.T) {
	t.Parallel()
	var c casework.Check
	c.Field("contact.phone", casework.Say("手机号 "+phone+" 有误", "not a phone number"))
	c.Field("site.address", casework.Say("请填写", "missing"))
	for name, want := range map[string]*casework.Fault{
		"fields": casework.AsFault(c.Err()),
		"rule":   {Kind: casework.Conflict, Code: "charge_forbidden", Text: casework.Say("不得收费", "no charge"), Rule: "国办函〔2020〕129号"},
		"plain":  casework.Refuse(casework.Forbidden, "wrong_role", casework.Say("限专班", "only for the taskforce")),
	} {
		err := contract.Refusal(fmt.Errorf("while doing so: %w", want))
		got, ok := contract.FaultOf(fmt.Errorf("update: %w", err))
		require.True(t, ok, name)
		require.Equal(t, want, got, name)

		failures := contract.Failures(ring(t, "a"))
		failure := failures.ErrorToFailure(err)
		wire, merr := proto.Marshal(failure)
		require.NoError(t, merr)
		require.NotContains(t, string(wire), phone, name)
		require.NotContains(t, string(wire), want.EN, name)
		require.Equal(t, string(want.Kind), failure.GetApplicationFailureInfo().GetType(), "the type stays readable: it is mapped to a status")
		require.True(t, failure.GetApplicationFailureInfo().GetNonRetryable())
		got, ok = contract.FaultOf(failures.FailureToError(failure))
		require.True(t, ok, name)
		require.Equal(t, want, got, name)
		require.Equal(t, want.Error(), mustApp(t, failures.FailureToError(failure)).Message())
	}
}

func mustApp(t *testing.T, err error) *temporal.ApplicationError {
	t.Helper()
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	return app
}

// What is no refusal is not taken for one, and its cause is not passed on.
func TestFaultOfOtherErrors(t *testing.T) {
	t.Parallel()
	// They come over the wire, as every error that a client sees.
	failures := contract.Failures(ring(t, "a"))
	for _, err := range []error{
		errors.New("x"), temporal.NewApplicationError("x", "y"), temporal.NewApplicationError("x", "y", "not a fault"),
		temporal.NewApplicationError("x", "y", map[string]string{"code": "z"}), temporal.NewTimeoutError(1, nil),
	} {
		_, ok := contract.FaultOf(failures.FailureToError(failures.ErrorToFailure(err)))
		require.False(t, ok, "%v", err)
	}
	_, ok := contract.FaultOf(nil)
	require.False(t, ok)
	f, ok := contract.FaultOf(contract.Refusal(errors.New("password=hunter2")))
	require.True(t, ok)
	require.Equal(t, casework.Internal, f.Kind)
	require.NotContains(t, f.Error(), "hunter2")
}

// Each action has an update of its own, so that an action sent under a name is
// read back as what it was.
func TestEachActionHasItsUpdate(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	actions := []casework.Action{
		casework.CompleteTask{}, casework.ClaimTask{}, casework.ReleaseTask{}, casework.AssignTask{}, casework.DelegateTask{},
		casework.Withdraw{}, casework.PauseCase{}, casework.ResumeCase{}, casework.AmendRequest{}, casework.AttachDocument{}, casework.BringAttachments{},
		casework.ProposeCharge{}, casework.ConfirmDesign{}, casework.ConfirmAcceptance{}, casework.Rate{}, casework.AcknowledgeEscalation{},
	}
	for _, a := range actions {
		names[contract.UpdateName(a)] = true
	}
	require.Len(t, names, len(actions))
	require.NotContains(t, names, contract.Opened)
	require.Panics(t, func() { contract.UpdateName(nil) })
}

func TestSearchAttributesHoldNoPersonalData(t *testing.T) {
	t.Parallel()
	r := input().Request
	r.Channel, r.Site = casework.WeChat, casework.Site{District: "340223", Address: "涌珠泉路287号"}
	keys := contract.SearchAttributeKeys()
	known := map[string]bool{}
	for _, key := range keys {
		known[key.GetName()] = true
	}
	require.Len(t, known, len(keys))
	for key, value := range contract.SearchAttributes(r, casework.Lane101).GetUntypedValues() {
		require.True(t, known[key.GetName()], key.GetName())
		require.NotContains(t, fmt.Sprint(value), phone)
		require.NotContains(t, fmt.Sprint(value), "涌珠泉路")
	}
	require.Equal(t, "case/W1", contract.WorkflowID("W1"))
}
