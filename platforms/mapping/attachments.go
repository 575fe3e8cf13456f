package mapping

import (
	"path"
	"slices"
	"strings"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
)

// Material is the layout of one paper in a list of papers that came along
// (随件材料). Where such lists stand is what a layout of messages maps to
// attachments; a paper that is a text by itself needs no layout.
const Material = "material"

// MaterialFields are the fields of ours that the layout [Material] may map:
// the file in Base64, its name, what kind of paper it is in the sender's codes,
// the number or link of a paper that lies elsewhere, and papers within this one.
func MaterialFields() []string {
	return []string{"content", "name", "kind", "number", "link", "files"}
}

// Document is the table from the sender's kinds or names of papers to our kinds
// of document. What it does not know is a paper of the request.
const Document = "document"

// IsDocument judges a value of the table [Document].
func IsDocument(value string) error {
	if slices.Contains(casework.BroughtKinds(), casework.DocumentKind(value)) {
		return nil
	}
	var names []string
	for _, k := range casework.BroughtKinds() {
		names = append(names, string(k))
	}
	all := strings.Join(names, "、")
	return refuse("材料类别应为："+all, "a kind of document is one of: "+all)
}

// Attachments takes out the papers that a message brings, so that no history
// carries their files. A text that is no file and no link is none, and stays
// where it is.
func (r *Reading) Attachments() []platforms.Attachment {
	var papers []platforms.Attachment
	for _, place := range r.layout.Fields["attachments"] {
		v := r.root.At(place)
		if v.Silent() {
			continue
		}
		if strings.HasPrefix(v.Text(), "[") && v.Unfold() != nil {
			r.FaultAt(place, casework.Say("应为 JSON 数组", "it should be a JSON array"))
			continue
		}
		for _, paper := range v.Items() {
			papers = append(papers, r.paper(place, paper, place)...)
		}
	}
	return papers
}

// Reference reads a message that is itself about one paper which lies elsewhere,
// from the fields of [MaterialFields] that lead to it.
func (r *Reading) Reference() platforms.Attachment {
	a := platforms.Attachment{Field: r.Text("kind"), Name: r.Text("name"), Reference: r.Text("number")}
	if link := r.Text("link"); a.Reference == "" {
		a.Reference = link
	}
	a.Kind = r.file.document(a.Field, a.Name)
	return a
}

// paper reads one paper, or those within it; kind is what the sender calls them
// where they do not say so themselves.
func (r *Reading) paper(place string, v *Value, kind string) []platforms.Attachment {
	if v.Scalar() {
		return r.plain(place, v, kind)
	}
	said := &Reading{file: r.file, layout: r.file.layouts[Material], root: v, from: map[string]string{}}
	if own := said.Text("kind"); own != "" {
		kind = own
	}
	if within := said.value("files"); within != nil {
		var papers []platforms.Attachment
		for _, w := range within.Items() {
			papers = append(papers, r.paper(place, w, kind)...)
		}
		return papers
	}
	a := said.Reference()
	a.Field, a.Kind = kind, r.file.document(kind, a.Name)
	if content := said.value("content"); content != nil {
		var err error
		if a.Content, a.ContentType, err = Content(content); err != nil {
			r.FaultAt(place, casework.AsFault(err).Text)
			return nil
		}
	}
	if a.Content == nil && a.Reference == "" {
		return nil
	}
	return []platforms.Attachment{a}
}

// plain reads a paper that is one text: a file with its type in front, or links.
func (r *Reading) plain(place string, v *Value, kind string) []platforms.Attachment {
	written := v.Text()
	switch {
	case strings.Contains(written, ";base64,"):
		content, contentType, err := Content(v)
		if err != nil {
			r.FaultAt(place, casework.AsFault(err).Text)
			return nil
		}
		return []platforms.Attachment{{Field: kind, Kind: r.file.document(kind, ""), ContentType: contentType, Content: content}}
	case strings.Contains(written, "://"):
		var papers []platforms.Attachment
		for link := range strings.FieldsFuncSeq(written, func(c rune) bool { return strings.ContainsRune(",，;；、| ", c) }) {
			papers = append(papers, platforms.Attachment{Field: kind, Name: path.Base(link), Kind: r.file.document(kind, path.Base(link)), Reference: link})
		}
		return papers
	}
	return nil
}

// document is the kind as which a paper is filed, by the sender's kind of it or
// by its name.
func (f *File) document(kind, name string) casework.DocumentKind {
	for _, word := range []string{kind, name, strings.TrimSuffix(name, path.Ext(name))} {
		if meaning, ok := f.Code(Document, word); ok && word != "" {
			return casework.DocumentKind(meaning)
		}
	}
	return casework.RequestPaper
}
