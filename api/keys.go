package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"

	"github.com/curbstop/curbstop/casework"
)

// content is what comes with an Idempotency-Key. It looks on while the body is
// read, so that nothing is read twice.
type content struct {
	request *http.Request
	json    *bytes.Buffer // a JSON body; nil where it is none
	sum     hash.Hash     // of any other body
	bound   bool          // the key was compared
	fresh   bool          // and is new
}

// watch has what is read of the request's body pass through a content. A route
// that reads its body itself may get more than memory should hold.
func watch(r *http.Request, reads bool) *content {
	c := &content{request: r, sum: sha256.New()}
	var into io.Writer = c.sum
	switch kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); {
	case kind == "multipart/form-data":
		return c // its boundary is another one each time; see index
	case !reads && (kind == "application/json" || kind == ""):
		c.json = &bytes.Buffer{}
		into = c.json
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.TeeReader(r.Body, into), r.Body}
	return c
}

// index is what two equal requests have in common: the query, and the body's
// meaning. Whoever repeats a request may write its JSON, or the boundaries of
// its form, in another way.
func (c *content) index() (string, error) {
	sum := sha256.New()
	part := func(name string, of []byte) { fmt.Fprintf(sum, "%q %x\n", name, of) }
	part("query", []byte(c.request.URL.Query().Encode()))
	switch form := c.request.MultipartForm; {
	case form != nil:
		for _, name := range slices.Sorted(maps.Keys(form.Value)) {
			for _, value := range form.Value[name] {
				part(name, []byte(value))
			}
		}
		for _, name := range slices.Sorted(maps.Keys(form.File)) {
			for _, file := range form.File[name] {
				bytes, err := sumOf(file)
				if err != nil {
					return "", err
				}
				part(name+"/"+file.Filename, bytes)
			}
		}
	case c.json != nil:
		part("json", plainJSON(c.json.Bytes()))
	default:
		part("body", c.sum.Sum(nil))
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func sumOf(file *multipart.FileHeader) ([]byte, error) {
	opened, err := file.Open()
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, opened)
	return sum.Sum(nil), err
}

// plainJSON writes JSON in one way, members in order and without blanks. What is
// no JSON stays as it is.
func plainJSON(body []byte) []byte {
	var v any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return body
	}
	plain, err := json.Marshal(v)
	if err != nil {
		return body
	}
	return plain
}

// bindKey compares what came with the caller's key with what came under it
// before: a key stands for one request, and who sends another under it must not
// be told that it was done. A dry run does nothing, so it binds nothing.
func (a *API) bindKey(ctx context.Context) error {
	call := callOf(ctx)
	c := call.content
	if c == nil || c.bound {
		return nil
	}
	c.bound = true
	if c.request.URL.Query().Get("dry_run") == "true" {
		return nil
	}
	index, err := c.index()
	if err != nil {
		return err
	}
	same, fresh, err := a.store.BindKey(ctx, call.updateID, a.ring.Index("content/"+index))
	if err != nil {
		return err
	}
	if !same {
		return casework.Refuse(casework.Invalid, "idempotency_key_reused", casework.Say(
			"此 Idempotency-Key 已用于内容不同的请求，本次未办理；重试须原样发送，新的操作请换一个值",
			"this Idempotency-Key came with another request before, so nothing was done; repeat that one as it was, or choose a new key for another action"))
	}
	c.fresh = fresh
	return nil
}

// freeKey gives a key back whose request was refused: nothing was done under it,
// and who corrects a field may send it again.
func (a *API) freeKey(ctx context.Context, refusal error) {
	call := callOf(ctx)
	if call.content == nil || !call.content.fresh {
		return
	}
	switch problemOf(ctx, refusal).Status {
	case http.StatusServiceUnavailable, http.StatusInternalServerError:
		return // nobody knows what was done
	}
	if err := a.store.FreeKey(context.WithoutCancel(ctx), call.updateID); err != nil {
		a.log.WarnContext(ctx, "a refused request keeps its key", slog.String("request_id", call.requestID), slog.Any("error", err))
	}
}
