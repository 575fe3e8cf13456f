package proof

import (
	"bytes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/emmansun/gmsm/padding"
	"github.com/emmansun/gmsm/sm4"

	"github.com/curbstop/curbstop/casework"
)

// CipherSettings say how the body of a message is encrypted.
type CipherSettings struct {
	Cipher   string `yaml:"cipher"`   // sm4-cbc or sm4-ecb, with PKCS #7 padding
	Encoding string `yaml:"encoding"` // base64 or hex
	Field    string `yaml:"field"`    // of a JSON object that holds it; none: the whole body
	KeyEnv   string `yaml:"key_env"`  // sixteen bytes, as they are or in hex
	IVEnv    string `yaml:"iv_env"`   // of sm4-cbc; none: the first block of what is sent
}

const (
	sm4CBC = "sm4-cbc"
	sm4ECB = "sm4-ecb"
)

// Cipher decrypts and encrypts bodies. Make it with [NewCipher].
type Cipher struct {
	CipherSettings
	block cipher.Block
	iv    []byte
}

// NewCipher reads settings; what is wrong is noted below a field.
func NewCipher(s CipherSettings, getenv func(string) string, c *casework.Check, field string) *Cipher {
	if s.Encoding == "" {
		s.Encoding = asBase64
	}
	x := &Cipher{CipherSettings: s}
	oneOf(c, field+".cipher", s.Cipher, sm4CBC, sm4ECB)
	oneOf(c, field+".encoding", s.Encoding, asBase64, asHex)
	c.Require(s.IVEnv == "" || s.Cipher == sm4CBC, field+".iv_env", casework.Sayf("仅用于：%[1]s", "only for: %[1]s", sm4CBC))
	key := sixteen(c, field+".key_env", s.KeyEnv, getenv)
	if key == nil {
		return x
	}
	x.block, _ = sm4.NewCipher(key) // sixteen bytes never fail
	if s.IVEnv != "" {
		x.iv = sixteen(c, field+".iv_env", s.IVEnv, getenv)
	}
	return x
}

// sixteen reads sixteen bytes from a variable.
func sixteen(c *casework.Check, field, variable string, getenv func(string) string) []byte {
	value := ""
	if variable != "" {
		value = strings.TrimSpace(getenv(variable))
	}
	if len(value) == sm4.BlockSize {
		return []byte(value)
	}
	if b, err := hex.DecodeString(value); err == nil && len(b) == sm4.BlockSize {
		return b
	}
	c.Field(field, casework.Say("请写明环境变量名，其值为 16 字节（原样或十六进制）", "name an environment variable that holds 16 bytes, as they are or in hex"))
	return nil
}

var errCipher = errors.New("the body can't be decrypted")

// Decrypt gives a body as its sender wrote it.
func (x *Cipher) Decrypt(body []byte) ([]byte, error) {
	text := string(bytes.TrimSpace(body))
	if x.Field != "" {
		var object map[string]json.RawMessage
		if json.Unmarshal(body, &object) != nil || json.Unmarshal(object[x.Field], &text) != nil {
			return nil, errCipher
		}
	}
	decode := base64.StdEncoding.DecodeString
	if x.Encoding == asHex {
		decode = hex.DecodeString
	}
	sealed, err := decode(strings.Trim(text, `"`))
	if err != nil || len(sealed) == 0 || len(sealed)%sm4.BlockSize != 0 {
		return nil, errCipher
	}
	plain := slices.Clone(sealed)
	if x.Cipher == sm4ECB {
		for i := 0; i < len(plain); i += sm4.BlockSize {
			x.block.Decrypt(plain[i:], sealed[i:])
		}
	} else {
		iv := x.iv
		if iv == nil {
			iv, plain = sealed[:sm4.BlockSize], plain[sm4.BlockSize:]
		}
		if len(plain) == 0 {
			return nil, errCipher
		}
		cipher.NewCBCDecrypter(x.block, iv).CryptBlocks(plain, plain)
	}
	plain, err = padding.NewPKCS7Padding(sm4.BlockSize).Unpad(plain)
	if err != nil {
		return nil, errCipher
	}
	return plain, nil
}

// Encrypt is the inverse of [Cipher.Decrypt]. The block is used where the
// settings name none: sixteen bytes that nobody can foresee.
func (x *Cipher) Encrypt(body, block []byte) ([]byte, error) {
	plain := padding.NewPKCS7Padding(sm4.BlockSize).Pad(slices.Clone(body))
	sealed := slices.Clone(plain)
	if x.Cipher == sm4ECB {
		for i := 0; i < len(plain); i += sm4.BlockSize {
			x.block.Encrypt(sealed[i:], plain[i:])
		}
	} else {
		iv := x.iv
		if iv == nil {
			iv = block
		}
		cipher.NewCBCEncrypter(x.block, iv).CryptBlocks(sealed, plain)
		if x.iv == nil {
			sealed = append(slices.Clone(iv), sealed...)
		}
	}
	text := base64.StdEncoding.EncodeToString(sealed)
	if x.Encoding == asHex {
		text = hex.EncodeToString(sealed)
	}
	if x.Field != "" {
		return json.Marshal(map[string]string{x.Field: text})
	}
	return []byte(text), nil
}
