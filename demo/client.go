package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"

	"github.com/curbstop/curbstop/casework"
)

// Client speaks to the API as one member of staff, or as a customer without a
// token.
type Client struct {
	Base  string // such as http://127.0.0.1:8080
	Token string
	HTTP  *http.Client
}

// Problem is what the API answers when it refuses (RFC 9457).
type Problem struct {
	Status int                   `json:"status"`
	Title  string                `json:"title"`
	Detail string                `json:"detail"`
	Code   string                `json:"code"`
	Rule   string                `json:"rule"`
	Errors []casework.FieldFault `json:"errors"`
}

// Error implements error.
func (p *Problem) Error() string {
	return fmt.Sprintf("%d %s: %s %v", p.Status, p.Code, p.Detail, p.Errors)
}

// Get reads a resource.
func (c Client) Get(ctx context.Context, path string, into any) error {
	return c.send(ctx, http.MethodGet, path, "", "", nil, into)
}

// Post writes JSON under an idempotency key.
func (c Client) Post(ctx context.Context, path, key string, body, into any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return c.act(ctx, path, key, "application/json", b, into)
}

// act sends what a case answers. One that is busy says so; the same key asks for
// its answer.
func (c Client) act(ctx context.Context, path, key, contentType string, body []byte, into any) error {
	for try := 1; ; try++ {
		err := c.send(ctx, http.MethodPost, path, key, contentType, bytes.NewReader(body), into)
		var p *Problem
		if try == busyTries || !errors.As(err, &p) || p.Code != "try_again" {
			return err
		}
	}
}

// busyTries is how often a busy case is asked. Each time waits for it for 20
// seconds; where many share two slow cores, a task that the server gives up and
// hands out anew keeps a case busy for more than a minute.
const busyTries = 6

// List sends a list of requests under a name.
func (c Client) List(ctx context.Context, name string, csv io.Reader) (ListResult, error) {
	var out ListResult
	err := c.send(ctx, http.MethodPost, "/v1/request-lists?name="+url.QueryEscape(name), "list-"+name, "text/csv", csv, &out)
	return out, err
}

// ListResult is the answer to a list of requests.
type ListResult struct {
	Rows []struct {
		Line    int    `json:"line"`
		Number  string `json:"number"`
		Outcome string `json:"outcome"`
		Cases   []struct {
			Number  string           `json:"number"`
			Code    string           `json:"code"`
			Utility casework.Utility `json:"utility"`
		} `json:"cases"`
		Notes  []casework.Text       `json:"notes"`
		Faults []casework.FieldFault `json:"faults"`
	} `json:"rows"`
	Counts struct {
		Rows             int `json:"rows"`
		Accepted         int `json:"accepted"`
		AcceptedWithNote int `json:"accepted_with_note"`
		AcceptedBefore   int `json:"accepted_before"`
		Kept             int `json:"kept"`
		Cases            int `json:"cases"`
	} `json:"counts"`
}

// Upload puts a document on a case's file and gives its ID.
func (c Client) Upload(ctx context.Context, caseNumber string, kind casework.DocumentKind, key string, content []byte) (string, error) {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	_ = w.WriteField("kind", string(kind))
	_ = w.WriteField("title", kind.Name()+".pdf")
	part, err := w.CreateFormFile("file", string(kind)+".pdf")
	if err != nil {
		return "", err
	}
	if _, err := part.Write(content); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	var out struct {
		ID string `json:"id"`
	}
	err = c.act(ctx, "/v1/cases/"+caseNumber+"/documents", key, w.FormDataContentType(), body.Bytes(), &out)
	return out.ID, err
}

func (c Client) send(ctx context.Context, method, path, key, contentType string, body io.Reader, into any) error {
	r, err := http.NewRequestWithContext(ctx, method, c.Base+path, body)
	if err != nil {
		return err
	}
	if c.Token != "" {
		r.Header.Set("Authorization", "Bearer "+c.Token)
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	r.Header.Set("Accept", "application/json")
	answer, err := c.HTTP.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode >= 400 {
		p := &Problem{Status: answer.StatusCode}
		if json.Unmarshal(b, p) != nil {
			p.Detail = string(b)
		}
		return p
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// page is one part of a list.
type page[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"next_cursor"`
}

// All walks a list to its end.
func All[T any](ctx context.Context, c Client, path string) ([]T, error) {
	var out []T
	at, err := url.Parse(path)
	if err != nil {
		return nil, err
	}
	q := at.Query()
	q.Set("limit", "200")
	for {
		at.RawQuery = q.Encode()
		var p page[T]
		if err := c.Get(ctx, at.String(), &p); err != nil {
			return nil, err
		}
		out = append(out, p.Items...)
		if p.NextCursor == "" {
			return out, nil
		}
		q.Set("cursor", p.NextCursor)
	}
}
