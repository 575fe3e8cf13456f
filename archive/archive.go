// Package archive keeps the bytes of documents, sealed, in a bucket: a folder
// by default, memory for tests, or an object store. What a document is, and
// whose, stands in the case; the archive knows only keys and bytes.
//
// The buckets built in are file:// and mem://. Another one costs a blank
// import beside package main and a go mod tidy, no change here:
//
//	import _ "gocloud.dev/blob/s3blob"    // s3://bucket?region=…, MinIO and OSS too
//	import _ "gocloud.dev/blob/gcsblob"   // gs://bucket
//	import _ "gocloud.dev/blob/azureblob" // azblob://container
//
// They are left out because each brings its vendor's whole client along.
package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net/url"
	"os"
	"sync"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/fileblob" // file://, the default
	_ "gocloud.dev/blob/memblob"  // mem://, for tests
	"gocloud.dev/gcerrors"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/seal"
)

// MaxSize is the largest document in bytes. A document is sealed as a whole in
// memory, which is simple and safe as long as documents are scans and
// drawings, not films.
const MaxSize = 20 << 20

// Archive is a bucket of sealed documents. Its methods may be called from
// several goroutines.
type Archive struct {
	bucket *blob.Bucket
	ring   *seal.Ring
	seed   maphash.Seed
	locks  [64]sync.Mutex // one for each group of keys; see lock
}

// Open opens the bucket that a URL names, such as file:///var/lib/curbstop/documents
// or mem://, whose documents are sealed with the ring. A folder that is not
// there is made.
func Open(ctx context.Context, rawURL string, ring *seal.Ring) (*Archive, error) {
	if ring == nil {
		return nil, errors.New("archive: documents are personal data and need keys to be sealed with")
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	if u.Scheme == "file" {
		withFolderDefaults(u)
	}
	bucket, err := blob.OpenBucket(ctx, u.String())
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	return &Archive{bucket: bucket, ring: ring, seed: maphash.MakeSeed()}, nil
}

// withFolderDefaults sets what the URL leaves open.
func withFolderDefaults(u *url.URL) {
	query := u.Query()
	for name, value := range map[string]string{
		"create_dir":    "true",
		"dir_file_mode": "0700", // nobody but the program has business here, even with sealed bytes
		"metadata":      "skip", // the case holds it; a second file for each document only gets lost
		"no_tmp_dir":    "true", // the rename that makes a write atomic fails across file systems
	} {
		if !query.Has(name) {
			query.Set(name, value)
		}
	}
	u.RawQuery = query.Encode()
}

// Close lets go of the bucket.
func (a *Archive) Close() error { return a.bucket.Close() }

// Put keeps a document and returns the size and the SHA-256, in lower hex, of
// what was read. A reader of the bucket sees the whole document or none.
//
// Putting the same bytes under the same key again is no error, so that an
// upload or an activity can be repeated. Other bytes are refused: a document
// that a case names never changes.
func (a *Archive) Put(ctx context.Context, key, mediaType string, r io.Reader) (size int64, hash string, err error) {
	plain, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return 0, "", fmt.Errorf("archive: read what is to be kept as %s: %w", key, err)
	}
	if len(plain) > MaxSize {
		return 0, "", casework.Refuse(casework.TooLarge, "document_too_large",
			casework.Sayf("文件过大，最多 %d MiB", "the file is too large: at most %d MiB", MaxSize>>20))
	}
	defer a.lock(key)()
	err = a.write(ctx, key, mediaType, a.ring.Seal(plain, place(key)))
	if gcerrors.Code(err) == gcerrors.FailedPrecondition {
		err = a.same(ctx, key, plain)
	}
	if err != nil {
		return 0, "", err
	}
	sum := sha256.Sum256(plain)
	return int64(len(plain)), hex.EncodeToString(sum[:]), nil
}

// write refuses with FailedPrecondition where the key is taken.
func (a *Archive) write(ctx context.Context, key, mediaType string, sealed []byte) error {
	ctx, abandon := context.WithCancel(ctx)
	defer abandon()
	var file *os.File // stays nil where the bucket is no folder
	w, err := a.bucket.NewWriter(ctx, key, &blob.WriterOptions{
		IfNotExist:  true,
		ContentType: "application/octet-stream", // what lies in the bucket is sealed, whatever it was
		Metadata:    map[string]string{"mediatype": mediaType},
		BeforeWrite: func(as func(any) bool) error { as(&file); return nil },
	})
	if err != nil {
		return fmt.Errorf("archive: keep %s: %w", key, err)
	}
	_, err = w.Write(sealed)
	if err == nil && file != nil {
		// fileblob renames without syncing; after a power cut the name would
		// stand there with nothing behind it.
		err = file.Sync()
	}
	if err != nil {
		abandon() // or Close would keep the half that was written
	}
	if err := errors.Join(err, w.Close()); err != nil {
		return fmt.Errorf("archive: keep %s: %w", key, err)
	}
	return nil
}

// same is nil if the archive holds exactly these bytes below the key. Sealing
// the same bytes twice gives different ones, so they are compared opened.
func (a *Archive) same(ctx context.Context, key string, plain []byte) error {
	kept, err := a.read(ctx, key)
	if err != nil {
		return err
	}
	if !bytes.Equal(kept, plain) {
		return casework.Refuse(casework.Conflict, "document_exists",
			casework.Say("该编号下已有内容不同的文件，归档文件不能改写", "another document is kept under this key; documents are never overwritten"))
	}
	return nil
}

// Open reads a document; a key that is not there is a [casework.Fault] with
// the code document_not_found. What was changed in the bucket, or moved from
// one key to another, does not open.
func (a *Archive) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	plain, err := a.read(ctx, key)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(plain)), nil
}

func (a *Archive) read(ctx context.Context, key string) ([]byte, error) {
	sealed, err := a.bucket.ReadAll(ctx, key)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, casework.Refuse(casework.NotFound, "document_not_found",
			casework.Say("没有这份文件", "there is no such document"))
	}
	if err != nil {
		return nil, fmt.Errorf("archive: read %s: %w", key, err)
	}
	plain, err := a.ring.Open(sealed, place(key))
	if err != nil {
		return nil, fmt.Errorf("archive: read %s: %w", key, err)
	}
	return plain, nil
}

// Delete removes a document, such as one whose attachment was refused. One
// that is not there is no error, so that a deletion can be repeated.
func (a *Archive) Delete(ctx context.Context, key string) error {
	defer a.lock(key)()
	if err := a.bucket.Delete(ctx, key); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return fmt.Errorf("archive: delete %s: %w", key, err)
	}
	return nil
}

// lock keeps writers of one key apart and returns what unlocks. Object stores
// refuse to overwrite by themselves; fileblob looks first and renames then,
// which two writers can do at the same time. Between processes that share a
// folder nothing but the keys keeps them apart: they hold a document's ID,
// which is made once.
func (a *Archive) lock(key string) (unlock func()) {
	m := &a.locks[maphash.String(a.seed, key)%uint64(len(a.locks))]
	m.Lock()
	return m.Unlock
}

// place is the context in which a document is sealed.
func place(key string) string { return "document/" + key }
