package parklist

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/curbstop/curbstop/casework"
)

const (
	maxLine  = 64 << 10 // bytes; a row of a real list has a few hundred
	maxJoint = 10       // physical lines that one row may span
)

// line is one physical line, decoded.
type line struct {
	number  int
	text    string
	damaged []byte // the bytes as they stood, if some of them are no characters
	long    bool   // there was more of it than maxLine
}

// lines reads a file line by line.
type lines struct {
	in     *bufio.Reader
	number int                 // of the last line read
	decode func([]byte) string // nil until the encoding is known
	ahead  []line              // read, but not taken yet
}

func newLines(r io.Reader) *lines { return &lines{in: bufio.NewReaderSize(r, maxLine)} }

// record is one row taken apart into cells, or the reason why it could not be.
type record struct {
	line    int
	raw     string
	damaged []byte
	cells   []string
	broken  casework.Text // zero if there are cells
}

// record takes the next row that is not blank, or gives io.EOF. The width is
// the number of cells that a row should have, or 0 where it is not known yet.
func (l *lines) record(width int) (record, error) {
	first, err := l.take()
	for err == nil && strings.Trim(first.text, ", \t") == "" {
		first, err = l.take()
	}
	if err != nil {
		return record{}, err
	}
	r := record{line: first.number, raw: first.text, damaged: first.damaged}
	switch {
	case first.long:
		r.broken = casework.Sayf("本行超过 %d 字节，只留下开头", "the line is longer than %d bytes; only its beginning was kept", maxLine)
		return r, nil
	case first.damaged != nil:
		r.broken = casework.Say("本行有无法识别的字节（显示为 �）", "the line has bytes that are no characters (shown as �)")
		return r, nil
	}
	cells, end := split(first.text)
	if end == insideQuotes {
		return l.join(r, width)
	}
	if end == strayQuote {
		r.broken = brokenQuotes
		return r, nil
	}
	r.cells = cells
	return r, nil
}

var brokenQuotes = casework.Say("引号不成对或位置不对", "a quote is unpaired or out of place")

// join goes on with a row whose first line ends inside quotes: a quoted cell
// may hold line ends, as spreadsheets write them. But a stray quote must not
// swallow the rows below it, so the row has to end within a few lines, with
// the right number of cells, and none of those lines may be a row by itself.
// Otherwise the first line alone is broken and reading goes on after it.
func (l *lines) join(r record, width int) (record, error) {
	joint := r.raw
	for n := range maxJoint - 1 {
		more, err := l.peek(n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return record{}, err
		}
		if more.long || more.damaged != nil {
			break
		}
		if alone, end := split(more.text); end == whole && len(alone) == width {
			break
		}
		joint += "\n" + more.text //nolint:modernize // each length is split by itself, and there are ten at most
		cells, end := split(joint)
		if end == whole && (width == 0 || len(cells) == width) {
			l.ahead = l.ahead[n+1:]
			r.raw, r.cells = joint, cells
			return r, nil
		}
		if end != insideQuotes {
			break
		}
	}
	r.broken = brokenQuotes
	return r, nil
}

// take gives the next line, or io.EOF.
func (l *lines) take() (line, error) {
	next, err := l.peek(0)
	if err == nil {
		l.ahead = l.ahead[1:]
	}
	return next, err
}

// peek gives the line n lines ahead without taking it.
func (l *lines) peek(n int) (line, error) {
	for len(l.ahead) <= n {
		next, err := l.read()
		if err != nil {
			return line{}, err
		}
		l.ahead = append(l.ahead, next)
	}
	return l.ahead[n], nil
}

func (l *lines) read() (line, error) {
	// Neither encoding has a line feed inside a character, so lines can be
	// told apart before they are decoded.
	raw, err := l.in.ReadSlice('\n')
	if errors.Is(err, io.EOF) && len(raw) == 0 {
		return line{}, io.EOF
	}
	next := line{long: errors.Is(err, bufio.ErrBufferFull)}
	if err != nil && !next.long && !errors.Is(err, io.EOF) {
		return line{}, fmt.Errorf("read the list: %w", err)
	}
	l.number++
	next.number = l.number
	raw = bytes.TrimSuffix(bytes.TrimSuffix(raw, []byte("\n")), []byte("\r"))
	if mark := []byte("\uFEFF"); l.number == 1 && bytes.HasPrefix(raw, mark) {
		raw = raw[len(mark):]
		l.decode = fromUTF8
	}
	// Neither encoding has a zero byte, and no record keeps one.
	next.text = strings.ReplaceAll(l.text(raw), "\x00", "\uFFFD")
	// U+FFFD in the file itself is damage too, done by whoever wrote it.
	if strings.ContainsRune(next.text, utf8.RuneError) {
		next.damaged = bytes.Clone(raw)
	}
	for next.long && errors.Is(err, bufio.ErrBufferFull) {
		_, err = l.in.ReadSlice('\n')
	}
	return next, nil
}

// text decodes a line. The first line that is not plain ASCII tells the
// encoding: it is the header, whose characters as GB18030 are no UTF-8. So a
// damaged byte further down cannot turn the file into another encoding, and
// no character is cut in telling.
func (l *lines) text(raw []byte) string {
	if l.decode == nil {
		ascii := !bytes.ContainsFunc(raw, func(r rune) bool { return r >= utf8.RuneSelf })
		switch {
		case ascii:
			return string(raw)
		case utf8.Valid(raw):
			l.decode = fromUTF8
		default:
			l.decode = fromGB18030
		}
	}
	return l.decode(raw)
}

func fromUTF8(raw []byte) string { return strings.ToValidUTF8(string(raw), "\uFFFD") }

func fromGB18030(raw []byte) string {
	// The decoder does not fail: it writes U+FFFD for what it cannot read.
	text, _ := simplifiedchinese.GB18030.NewDecoder().Bytes(raw)
	return string(text)
}

// ending says how the text of a row ends.
type ending int

const (
	whole        ending = iota // every quote has its pair
	insideQuotes               // the text ends inside quotes
	strayQuote                 // a quote stands where none may stand
)

// split takes a row apart (RFC 4180, section 2). Cells are given only for a
// whole row.
func split(text string) ([]string, ending) {
	var cells []string
	for {
		cell, rest, more := strings.Cut(text, ",")
		if strings.HasPrefix(text, `"`) {
			var end ending
			if cell, rest, more, end = unquote(text[1:]); end != whole {
				return nil, end
			}
		} else if strings.Contains(cell, `"`) {
			return nil, strayQuote
		}
		cells = append(cells, cell)
		if !more {
			return cells, whole
		}
		text = rest
	}
}

// unquote reads a cell up to its closing quote; two quotes stand for one.
func unquote(text string) (cell, rest string, more bool, end ending) {
	var b strings.Builder
	for {
		part, after, closed := strings.Cut(text, `"`)
		if !closed {
			return "", "", false, insideQuotes
		}
		b.WriteString(part)
		switch {
		case after == "":
			return b.String(), "", false, whole
		case after[0] == ',':
			return b.String(), after[1:], true, whole
		case after[0] != '"':
			return "", "", false, strayQuote
		}
		b.WriteByte('"')
		text = after[1:]
	}
}
