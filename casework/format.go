package casework

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// format is a kind of file that a case takes.
type format struct {
	name       string
	mediaType  string
	extensions []string // the usual one first
	fits       func(head []byte, file io.ReaderAt, size int64) bool
}

// formats are what a case takes. HTML and SVG are not among them: they run
// scripts where they are opened.
var formats = []format{
	{"PDF", "application/pdf", []string{".pdf"}, beginsWith("%PDF-")},
	{"PNG", "image/png", []string{".png"}, beginsWith("\x89PNG\r\n\x1a\n")},
	{"JPEG", "image/jpeg", []string{".jpg", ".jpeg"}, beginsWith("\xff\xd8\xff")},
	{"DOCX", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", []string{".docx"}, office("word/document.xml")},
	{"XLSX", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", []string{".xlsx"}, office("xl/workbook.xml")},
	{"DWG", "image/vnd.dwg", []string{".dwg"}, beginsWith("AC10")},
	{"TXT", "text/plain", []string{".txt"}, isText},
}

func beginsWith(magic string) func([]byte, io.ReaderAt, int64) bool {
	return func(head []byte, _ io.ReaderAt, _ int64) bool { return bytes.HasPrefix(head, []byte(magic)) }
}

// office recognises a document by the part that every one of its kind has.
// One with macros is refused, whatever its name says.
func office(part string) func([]byte, io.ReaderAt, int64) bool {
	return func(_ []byte, file io.ReaderAt, size int64) bool {
		archive, err := zip.NewReader(file, size)
		if err != nil {
			return false
		}
		has := func(name string) bool {
			return slices.ContainsFunc(archive.File, func(f *zip.File) bool { return f.Name == name })
		}
		return has(part) && !has(path.Dir(part)+"/vbaProject.bin")
	}
}

// isText accepts what begins as text in UTF-8 or GB18030 and is no markup.
func isText(head []byte, _ io.ReaderAt, _ int64) bool {
	if bytes.ContainsFunc(head, func(r rune) bool { return r < ' ' && !strings.ContainsRune("\t\r\n\f", r) }) {
		return false
	}
	text := strings.ToLower(strings.TrimLeft(string(head), "\ufeff \t\r\n"))
	if strings.HasPrefix(text, "<") {
		return false
	}
	// The head may end within a character.
	for cut := range min(utf8.UTFMax, len(head)) {
		if utf8.Valid(head[:len(head)-cut]) {
			return true
		}
		decoded, err := simplifiedchinese.GB18030.NewDecoder().Bytes(head[:len(head)-cut])
		if err == nil && !bytes.ContainsRune(decoded, utf8.RuneError) {
			return true
		}
	}
	return false
}

// RecogniseFile gives the media type of a file by what is in it. The name that
// somebody gave it must say the same, for a file is opened by its name where it
// is saved; without a name what is in it is enough, and [FileName] says it.
func RecogniseFile(file io.ReaderAt, size int64, name string) (string, error) {
	head := make([]byte, 512)
	n, err := file.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	extension := strings.ToLower(path.Ext(name))
	for _, f := range formats {
		if (name == "" || slices.Contains(f.extensions, extension)) && f.fits(head[:n], file, size) {
			return f.mediaType, nil
		}
	}
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = f.name
	}
	return "", Refuse(Unsupported, "unsupported_file", Sayf(
		"不接受此类文件，或内容与扩展名不符；可上传：%s（不含宏）", "a file of a kind that is not accepted, or whose content is not what its name says; accepted: %s, without macros",
		strings.Join(names, "、")))
}

// FileName is the title of a document with the extension of what it really is.
func FileName(d Document) string {
	name := strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, d.Title)
	mediaType, _, _ := strings.Cut(d.MediaType, ";")
	for _, f := range formats {
		if f.mediaType == mediaType && !slices.Contains(f.extensions, strings.ToLower(path.Ext(name))) {
			return name + f.extensions[0]
		}
	}
	if mediaType == "text/html" && path.Ext(name) != ".html" {
		return name + ".html"
	}
	return name
}
