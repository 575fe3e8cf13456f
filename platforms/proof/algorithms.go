package proof

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // what platforms sign with is not ours to choose
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // the same
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"hash"
	"math/big"
	"strings"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"
)

// The algorithms.
const (
	plainMD5    = "md5"
	plainSHA1   = "sha1"
	plainSHA256 = "sha256"
	plainSM3    = "sm3"
	hmacSHA256  = "hmac-sha256"
	hmacSM3     = "hmac-sm3"
	signSM2     = "sm2"
	signRSA     = "rsa-pkcs1v15"
	signPSS     = "rsa-pss"
)

// algorithm makes and judges signatures over a text.
type algorithm struct {
	keyed  bool // the secret is its key; else it stands in the text
	keys   bool // it has a pair of keys
	sign   func(p *Proof, text []byte) ([]byte, error)
	verify func(p *Proof, text, signature []byte) bool
}

var algorithms = map[string]*algorithm{
	plainMD5:    digest(md5.New),
	plainSHA1:   digest(sha1.New),
	plainSHA256: digest(sha256.New),
	plainSM3:    digest(sm3.New),
	hmacSHA256:  keyedDigest(sha256.New),
	hmacSM3:     keyedDigest(sm3.New),
	signSM2:     {keys: true, sign: bySM2, verify: ofSM2},
	signRSA:     {keys: true, sign: byRSA, verify: ofRSA},
	signPSS:     {keys: true, sign: byRSA, verify: ofRSA},
}

func digest(of func() hash.Hash) *algorithm {
	sign := func(_ *Proof, text []byte) ([]byte, error) {
		h := of()
		h.Write(text)
		return h.Sum(nil), nil
	}
	return &algorithm{sign: sign, verify: again(sign)}
}

func keyedDigest(of func() hash.Hash) *algorithm {
	sign := func(p *Proof, text []byte) ([]byte, error) {
		h := hmac.New(of, []byte(p.secret))
		h.Write(text)
		return h.Sum(nil), nil
	}
	return &algorithm{keyed: true, sign: sign, verify: again(sign)}
}

// again judges by making the signature once more. Without a secret nothing
// holds.
func again(sign func(*Proof, []byte) ([]byte, error)) func(*Proof, []byte, []byte) bool {
	return func(p *Proof, text, signature []byte) bool {
		made, err := sign(p, text)
		return err == nil && p.secret != "" && same(made, signature)
	}
}

func bySM2(p *Proof, text []byte) ([]byte, error) {
	key, ok := p.key.(*sm2.PrivateKey)
	if !ok {
		return nil, errNoKey
	}
	signature, err := key.SignWithSM2(rand.Reader, []byte(p.UserID), text)
	if err != nil || p.Form == asASN1 {
		return signature, err
	}
	var parts struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(signature, &parts); err != nil {
		return nil, err
	}
	raw := make([]byte, 64)
	parts.R.FillBytes(raw[:32])
	parts.S.FillBytes(raw[32:])
	return raw, nil
}

func ofSM2(p *Proof, text, signature []byte) bool {
	key, ok := p.key.(*ecdsa.PublicKey)
	if !ok {
		return false
	}
	if p.Form == asRaw {
		if len(signature) != 64 {
			return false
		}
		var err error
		signature, err = asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])})
		if err != nil {
			return false
		}
	}
	return sm2.VerifyASN1WithSM2(key, []byte(p.UserID), text, signature)
}

func byRSA(p *Proof, text []byte) ([]byte, error) {
	key, ok := p.key.(*rsa.PrivateKey)
	if !ok {
		return nil, errNoKey
	}
	sum := sha256.Sum256(text)
	if p.Algorithm == signPSS {
		return rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], nil)
	}
	return rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
}

func ofRSA(p *Proof, text, signature []byte) bool {
	key, ok := p.key.(*rsa.PublicKey)
	if !ok {
		return false
	}
	sum := sha256.Sum256(text)
	if p.Algorithm == signPSS {
		return rsa.VerifyPSS(key, crypto.SHA256, sum[:], signature, nil) == nil
	}
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil
}

var errNoKey = errors.New("no key")

// der gives the bytes of a key that is written as PEM or base64.
func der(text string) ([]byte, error) {
	if block, _ := pem.Decode([]byte(strings.ReplaceAll(text, `\n`, "\n"))); block != nil {
		return block.Bytes, nil
	}
	return base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
}

const shortestRSA = 2048 / 8

func (p *Proof) readPublic(text string) error {
	if p.Algorithm == signSM2 {
		if point, err := hex.DecodeString(text); err == nil {
			if len(point) == 64 { // without the byte that says "uncompressed"
				point = append([]byte{4}, point...)
			}
			key, err := sm2.NewPublicKey(point)
			if err != nil {
				return err
			}
			p.key = key
			return nil
		}
	}
	b, err := der(text)
	if err != nil {
		return err
	}
	parsed, err := smx509.ParsePKIXPublicKey(b)
	if err != nil {
		return err
	}
	switch key := parsed.(type) {
	case *rsa.PublicKey:
		if p.Algorithm == signSM2 || key.Size() < shortestRSA {
			return errNoKey
		}
	case *ecdsa.PublicKey:
		if p.Algorithm != signSM2 || !sm2.IsSM2PublicKey(key) {
			return errNoKey
		}
	default:
		return errNoKey
	}
	p.key = parsed
	return nil
}

func (p *Proof) readPrivate(text string) error {
	if p.Algorithm == signSM2 {
		if number, err := hex.DecodeString(text); err == nil {
			key, err := sm2.NewPrivateKey(number)
			if err != nil {
				return err
			}
			p.key = key
			return nil
		}
	}
	b, err := der(text)
	if err != nil {
		return err
	}
	parsed, err := smx509.ParsePKCS8PrivateKey(b)
	if err != nil {
		if key, rsaErr := x509.ParsePKCS1PrivateKey(b); rsaErr == nil {
			parsed, err = key, nil
		}
	}
	if err != nil {
		return err
	}
	_, isSM2 := parsed.(*sm2.PrivateKey)
	_, isRSA := parsed.(*rsa.PrivateKey)
	if p.Algorithm == signSM2 && !isSM2 || p.Algorithm != signSM2 && !isRSA {
		return errNoKey
	}
	p.key = parsed
	return nil
}
