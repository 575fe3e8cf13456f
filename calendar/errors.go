package calendar

import (
	"errors"
	"fmt"
)

// Error says what is wrong in Chinese and in English, so that whoever shows it
// can keep the two apart.
type Error struct{ ZH, EN string }

// Error gives both sentences, the English one in brackets.
func (e *Error) Error() string { return e.ZH + " (" + e.EN + ")" }

// Said takes an error apart into what it says in Chinese and in English. One
// that is not of this package says the same in both.
func Said(err error) (zh, en string) {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.ZH, e.EN
	}
	return err.Error(), err.Error()
}

// wrong makes an error whose two sentences take the same arguments; use %[n]v
// where their order differs.
func wrong(zh, en string, args ...any) error {
	if len(args) == 0 {
		return &Error{zh, en}
	}
	return &Error{fmt.Sprintf(zh, args...), fmt.Sprintf(en, args...)}
}

// at puts the place in front of what is wrong there.
func at(placeZH, placeEN string, err error) error {
	zh, en := Said(err)
	return &Error{placeZH + "：" + zh, placeEN + ": " + en}
}
