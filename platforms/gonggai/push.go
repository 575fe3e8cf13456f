package gonggai

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"mime"
	"mime/multipart"
	"strings"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/mapping"
)

// maxPart bounds a field of a form; the message as a whole is bounded before.
const maxPart = 32 << 20

// readPush reads a message that came over HTTP.
func (a *Adapter) readPush(layout string, m platforms.Message) ([]platforms.Item, error) {
	root, err := a.open(layout, m)
	if err != nil {
		return nil, err
	}
	r := a.file.Read(layout, root)
	switch layout {
	case waterBCheck:
		return nil, nil // whether one may submit: always
	case gasFile:
		return a.upload(r)
	}
	utility := casework.Utility(r.Code("utility", "utility"))
	q := r.Request(casework.ProjectApproval, utility, false)
	if !utility.Valid() {
		r.Fault("utility", casework.Say("请填写用能类型", "the utility is missing"))
	}
	papers := r.Attachments()
	for _, sent := range r.Part("uploads").Items() {
		if id := sent.Text(); id != "" {
			papers = append(papers, platforms.Attachment{Field: "uploads", Kind: casework.RequestPaper, Upload: id})
		}
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	one := platforms.Item{
		Key: q.ExternalNumber, Notes: r.Notes(), Intake: &platforms.Intake{Requests: []casework.Request{q}}, Attachments: papers,
	}
	one.Intake.Requests[0].Extra = r.Extra(one)
	return []platforms.Item{one}, nil
}

// upload reads a file that comes ahead of the request that will name it. The
// same file counts once.
func (a *Adapter) upload(r *mapping.Reading) ([]platforms.Item, error) {
	content, contentType := r.Content("content")
	if content == nil {
		r.Required("content")
	}
	file := platforms.Attachment{Field: r.FieldOf("content"), Name: r.Text("name"), ContentType: contentType, Content: content, Kind: casework.RequestPaper}
	if err := r.Err(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(content)
	one := platforms.Item{Key: hex.EncodeToString(sum[:]), Papers: &platforms.Papers{}, Attachments: []platforms.Attachment{file}}
	one.Extra = r.Extra(one)
	return []platforms.Item{one}, nil
}

// open takes the envelope of a message off.
func (a *Adapter) open(layout string, m platforms.Message) (*mapping.Value, error) {
	switch layout {
	case waterA:
		root, err := form(m)
		if err != nil {
			return nil, err
		}
		return root, a.unseal(root.At("req"))
	case waterB, waterBCheck:
		root, err := mapping.ParseForm(m.Body, "data")
		if err != nil {
			return nil, err
		}
		if data := root.At("data"); data.Text() != "" { // encoded, as forms should be
			if err := data.Unfold(); err != nil {
				return nil, mapping.Faulty("data", casework.AsFault(err).Fields[0].Text)
			}
		}
		return root, nil
	}
	root, err := mapping.ParseObject(m.Body)
	if err != nil {
		return nil, err
	}
	if sealed := root.At("request"); layout == gas && sealed != nil {
		if err := sealed.UnfoldBase64(); err != nil {
			return nil, mapping.Faulty("request", casework.AsFault(err).Fields[0].Text)
		}
	}
	return root, nil
}

// form takes a form of several parts apart.
func form(m platforms.Message) (*mapping.Value, error) {
	media, parameters, err := mime.ParseMediaType(m.ContentType)
	if err != nil || media != "multipart/form-data" || parameters["boundary"] == "" {
		return nil, mapping.Faulty(mapping.WholeMessage, casework.Say("应为 multipart/form-data 表单", "it should be a multipart/form-data form"))
	}
	broken := mapping.Faulty(mapping.WholeMessage, casework.Say("表单不完整", "the form is broken"))
	fields := map[string][]string{}
	for parts := multipart.NewReader(bytes.NewReader(m.Body), parameters["boundary"]); ; {
		part, err := parts.NextPart()
		if err == io.EOF { //nolint:errorlint // the reader gives it as it is
			return mapping.Form(fields)
		}
		if err != nil {
			return nil, broken
		}
		value, err := io.ReadAll(io.LimitReader(part, maxPart))
		if err != nil || len(value) == maxPart || part.FormName() == "" || part.FileName() != "" {
			return nil, broken
		}
		fields[part.FormName()] = append(fields[part.FormName()], string(value))
	}
}

// unseal opens a field that was encrypted with our public key, block by block,
// and joined before it was written in Base64. Without a key of ours it is plain.
func (a *Adapter) unseal(req *mapping.Value) error {
	refuse := func(zh, en string) error { return mapping.Faulty("req", casework.Say(zh, en)) }
	if req.Silent() {
		return refuse("不能为空", "it is missing")
	}
	if a.options.Key != nil {
		plain, err := decrypt(a.options.Key, req.Text())
		if err != nil {
			// One sentence for whatever went wrong: who guesses at ciphertexts
			// learns nothing from it.
			return refuse("无法解密", "it can't be decrypted")
		}
		*req = *mapping.TextOf(plain)
	}
	if err := req.Unfold(); err != nil {
		return refuse("不是有效的 JSON", "it is not valid JSON")
	}
	return nil
}

func decrypt(key *rsa.PrivateKey, written string) (string, error) {
	sealed, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(written), ""))
	if err != nil {
		return "", err
	}
	var plain []byte
	for len(sealed) > 0 {
		n := min(key.Size(), len(sealed))
		block, err := rsa.DecryptPKCS1v15(nil, key, sealed[:n]) //nolint:staticcheck // the platform's choice; it encrypts in no other way
		if err != nil {
			return "", err
		}
		plain, sealed = append(plain, block...), sealed[n:]
	}
	return string(plain), nil
}

// blockSize is how much the platform puts into one block.
const blockSize = 234

// seal encrypts an answer as the platform does its messages.
func (a *Adapter) seal(plain string) string {
	if a.options.PlatformKey == nil {
		return plain
	}
	var sealed []byte
	for rest := []byte(plain); len(rest) > 0; {
		n := min(blockSize, len(rest), a.options.PlatformKey.Size()-11)                 // what PKCS #1 v1.5 leaves
		block, err := rsa.EncryptPKCS1v15(rand.Reader, a.options.PlatformKey, rest[:n]) //nolint:staticcheck // the platform reads no other
		if err != nil {
			return ""
		}
		sealed, rest = append(sealed, block...), rest[n:]
	}
	return base64.StdEncoding.EncodeToString(sealed)
}
