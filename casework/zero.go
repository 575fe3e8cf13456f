package casework

import "bytes"

// CheckZero refuses what is written, plain or as JSON, with the character U+0000
// in it. No keyboard writes it, and no record keeps it: what a case decided on it
// could never be saved, and the case would try for ever.
func CheckZero(written []byte) error {
	if bytes.IndexByte(written, 0) < 0 && !bytes.Contains(written, []byte(`\u0000`)) {
		return nil
	}
	return Refuse(Invalid, "zero_character", Say("内容含有空字符（U+0000），请删去后重新提交", "there is a zero character (U+0000) in it; take it out and send it again"))
}
