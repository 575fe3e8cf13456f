// Package seal encrypts personal data before it reaches PostgreSQL or
// Temporal, and derives from the same secret what must be looked up without
// being readable: blind indexes and customers' codes.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Ring holds the keys. The first seals; every key opens what it sealed, so a
// key is rotated by putting a new one in front and keeping the old. The last
// key also derives the indexes and codes: it stays last for the life of the
// installation, or indexes and codes change.
type Ring struct {
	ids   []string
	aeads map[string]cipher.AEAD
	index []byte
}

const keySize = 32

// version is the first byte of everything sealed, so that the form can change.
const version = 1

// ParseRing reads "id:base64,id:base64": 32-byte AES-256 keys, the active one
// first. An id has 1 to 32 letters, digits, dashes or underscores.
func ParseRing(text string) (*Ring, error) {
	r := &Ring{aeads: map[string]cipher.AEAD{}}
	for part := range strings.SplitSeq(text, ",") {
		id, encoded, ok := strings.Cut(strings.TrimSpace(part), ":")
		if !ok || !validID(id) {
			return nil, errors.New("seal: keys are written id:base64, separated by commas")
		}
		key, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(key) != keySize {
			return nil, fmt.Errorf("seal: key %q must be %d bytes in base64", id, keySize)
		}
		if _, twice := r.aeads[id]; twice {
			return nil, fmt.Errorf("seal: key %q is named twice", id)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("seal: %w", err)
		}
		if r.aeads[id], err = cipher.NewGCMWithRandomNonce(block); err != nil {
			return nil, fmt.Errorf("seal: %w", err)
		}
		r.ids = append(r.ids, id)
		if r.index, err = hkdf.Key(sha256.New, key, nil, "curbstop index", keySize); err != nil {
			return nil, fmt.Errorf("seal: %w", err)
		}
	}
	return r, nil
}

// NewKey makes a random key in the form that [ParseRing] reads.
func NewKey(id string) string {
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the program instead
	return id + ":" + base64.StdEncoding.EncodeToString(key)
}

func validID(id string) bool {
	if id == "" || len(id) > 32 {
		return false
	}
	return strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}

// KeyID is the id of the key that seals.
func (r *Ring) KeyID() string { return r.ids[0] }

// Seal encrypts with the active key. What opens it must name the same context,
// such as "case/W1": a sealed value moved to another row does not open there.
func (r *Ring) Seal(plain []byte, context string) []byte {
	id := r.ids[0]
	head := append([]byte{version, byte(len(id))}, id...)
	return r.aeads[id].Seal(head, nil, plain, []byte(context)) //nolint:gosec // the nonce is nil because this AEAD draws its own
}

// Open decrypts what Seal made for the same context. It fails on an unknown
// key, another context, or bytes that were changed.
func (r *Ring) Open(sealed []byte, context string) ([]byte, error) {
	if len(sealed) < 2 || sealed[0] != version || len(sealed) < 2+int(sealed[1]) {
		return nil, errors.New("seal: not a sealed value")
	}
	id, body := string(sealed[2:2+sealed[1]]), sealed[2+int(sealed[1]):]
	aead, ok := r.aeads[id]
	if !ok {
		return nil, fmt.Errorf("seal: key %q is not on the ring", id)
	}
	plain, err := aead.Open(nil, nil, body, []byte(context))
	if err != nil {
		return nil, errors.New("seal: the value was changed or belongs elsewhere")
	}
	return plain, nil
}

// Index gives a blind index of a value: equal values have equal indexes, and
// nobody without the key can tell what was indexed. Empty stays empty.
func (r *Ring) Index(value string) string {
	if value == "" {
		return ""
	}
	return hex.EncodeToString(r.mac("index", value)[:16])
}

// codeAlphabet leaves out letters and digits that look alike on paper.
var codeAlphabet = base32.NewEncoding("23456789ABCDEFGHJKLMNPQRSTUVWXYZ").WithPadding(base32.NoPadding)

// Code is the code with which a customer sees and confirms the case of that
// number: ten characters, 50 bits.
func (r *Ring) Code(caseNumber string) string {
	return codeAlphabet.EncodeToString(r.mac("code", caseNumber))[:10]
}

// CheckCode tells in constant time whether a code belongs to a case. Blanks,
// dashes and letter case are forgiven.
func (r *Ring) CheckCode(caseNumber, code string) bool {
	code = strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(code))
	return hmac.Equal([]byte(code), []byte(r.Code(caseNumber)))
}

func (r *Ring) mac(purpose, value string) []byte {
	m := hmac.New(sha256.New, r.index)
	m.Write([]byte(purpose + "\x00" + value))
	return m.Sum(nil)
}
