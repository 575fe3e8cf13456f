package archive_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/archive"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/seal"
)

func ring(t *testing.T) *seal.Ring {
	t.Helper()
	r, err := seal.ParseRing(seal.NewKey("test"))
	require.NoError(t, err)
	return r
}

// open opens an archive for the length of the test.
func open(t *testing.T, url string, ring *seal.Ring) *archive.Archive {
	t.Helper()
	a, err := archive.Open(t.Context(), url, ring)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, a.Close()) })
	return a
}

// buckets opens an archive in every kind of bucket that is built in.
func buckets(t *testing.T) map[string]*archive.Archive {
	t.Helper()
	return map[string]*archive.Archive{
		"folder": open(t, "file://"+filepath.Join(t.TempDir(), "not", "there", "yet"), ring(t)),
		"memory": open(t, "mem://", ring(t)),
	}
}

func read(t *testing.T, a *archive.Archive, key string) string {
	t.Helper()
	r, err := a.Open(t.Context(), key)
	require.NoError(t, err)
	defer func() { assert.NoError(t, r.Close()) }()
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(b)
}

func requireFault(t *testing.T, err error, kind casework.FaultKind, code string) {
	t.Helper()
	var f *casework.Fault
	require.ErrorAs(t, err, &f)
	require.Equal(t, kind, f.Kind)
	require.Equal(t, code, f.Code)
}

const key = "W20261123-00001/01K9-受理通知单.html"

func TestPutAndOpen(t *testing.T) {
	t.Parallel()
	for name, a := range buckets(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for name, content := range map[string]string{"text": "受理通知单", "empty": "", "long": strings.Repeat("a", 1<<20)} {
				size, hash, err := a.Put(t.Context(), name, "text/html", strings.NewReader(content))
				require.NoError(t, err)
				sum := sha256.Sum256([]byte(content))
				require.Equal(t, int64(len(content)), size)
				require.Equal(t, hex.EncodeToString(sum[:]), hash)
				require.Equal(t, content, read(t, a, name))
			}
		})
	}
}

func TestPutAgain(t *testing.T) {
	t.Parallel()
	for name, a := range buckets(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			size, hash, err := a.Put(t.Context(), key, "text/html", strings.NewReader("first"))
			require.NoError(t, err)

			again, hashAgain, err := a.Put(t.Context(), key, "text/html", strings.NewReader("first"))
			require.NoError(t, err)
			require.Equal(t, size, again)
			require.Equal(t, hash, hashAgain)

			_, _, err = a.Put(t.Context(), key, "text/html", strings.NewReader("other"))
			requireFault(t, err, casework.Conflict, "document_exists")
			require.Equal(t, "first", read(t, a, key))
		})
	}
}

func TestPutAtTheSameTimeKeepsOne(t *testing.T) {
	t.Parallel()
	for name, a := range buckets(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var won sync.Map
			var writers sync.WaitGroup
			for content := range strings.SplitSeq("abcdefgh", "") {
				writers.Go(func() {
					if _, _, err := a.Put(t.Context(), key, "text/plain", strings.NewReader(content)); err == nil {
						won.Store(content, true)
					}
				})
			}
			writers.Wait()
			n := 0
			won.Range(func(content, _ any) bool { n++; return assert.Equal(t, content, read(t, a, key)) })
			require.Equal(t, 1, n)
		})
	}
}

func TestPutRefusesWhatIsTooLarge(t *testing.T) {
	t.Parallel()
	for name, a := range buckets(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := a.Put(t.Context(), key, "application/pdf", bytes.NewReader(make([]byte, archive.MaxSize+1)))
			requireFault(t, err, casework.TooLarge, "document_too_large")
			_, err = a.Open(t.Context(), key)
			requireFault(t, err, casework.NotFound, "document_not_found")

			size, _, err := a.Put(t.Context(), key, "application/pdf", bytes.NewReader(make([]byte, archive.MaxSize)))
			require.NoError(t, err)
			require.EqualValues(t, archive.MaxSize, size)
		})
	}
}

func TestPutKeepsNothingOfWhatBrokeOff(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	a := open(t, "file://"+folder, ring(t))

	broken := io.MultiReader(strings.NewReader("half"), iotest.ErrReader(errors.New("the line went dead")))
	_, _, err := a.Put(t.Context(), key, "text/html", broken)
	require.ErrorContains(t, err, "the line went dead")

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = a.Put(cancelled, key, "text/html", strings.NewReader("whole"))
	require.ErrorIs(t, err, context.Canceled)

	require.Empty(t, files(t, folder))
}

func TestDelete(t *testing.T) {
	t.Parallel()
	for name, a := range buckets(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := a.Put(t.Context(), key, "text/html", strings.NewReader("x"))
			require.NoError(t, err)
			require.NoError(t, a.Delete(t.Context(), key))
			require.NoError(t, a.Delete(t.Context(), key), "deleting again")
			_, err = a.Open(t.Context(), key)
			requireFault(t, err, casework.NotFound, "document_not_found")
		})
	}
}

func TestFolderHoldsOneSealedFileForADocument(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "documents")
	keys := ring(t)
	a := open(t, "file://"+folder, keys)
	_, _, err := a.Put(t.Context(), key, "text/html", strings.NewReader("联系电话 13800138000"))
	require.NoError(t, err)

	kept := files(t, folder)
	require.Len(t, kept, 1, "no sidecar, no temporary file")
	sealed, err := os.ReadFile(kept[0])
	require.NoError(t, err)
	require.NotContains(t, string(sealed), "13800138000")
	info, err := os.Stat(folder)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o700), info.Mode().Perm())

	require.Equal(t, "联系电话 13800138000", read(t, open(t, "file://"+folder, keys), key), "after a restart")

	// A file that was changed, or stands below another document's key, is not given out.
	other := filepath.Join(folder, "other")
	require.NoError(t, os.WriteFile(other, sealed, 0o600))
	_, err = a.Open(t.Context(), "other")
	require.ErrorContains(t, err, "belongs elsewhere")
	sealed[len(sealed)-1] ^= 1
	require.NoError(t, os.WriteFile(kept[0], sealed, 0o600))
	_, err = a.Open(t.Context(), key)
	require.ErrorContains(t, err, "was changed")
}

func TestKeyNeverLeavesTheFolder(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	a := open(t, "file://"+filepath.Join(parent, "documents"), ring(t))
	for _, key := range []string{"../outside", "a/../../outside", "/../outside"} {
		_, _, _ = a.Put(t.Context(), key, "text/plain", strings.NewReader("x"))
	}
	for _, file := range files(t, parent) {
		require.Contains(t, file, filepath.Join(parent, "documents")+string(filepath.Separator))
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "documents", "ftp://host/folder", "file:///proc/nowhere", "file://\x7f"} {
		_, err := archive.Open(t.Context(), url, ring(t))
		require.Error(t, err, url)
	}
	_, err := archive.Open(t.Context(), "mem://", nil)
	require.ErrorContains(t, err, "keys")
}

func files(t *testing.T, folder string) []string {
	t.Helper()
	var found []string
	require.NoError(t, filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found = append(found, path)
		}
		return err
	}))
	return found
}
