package policy

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Print writes what a policy says as a table for a terminal.
func Print(w io.Writer, fields []Field) {
	for _, f := range fields {
		fmt.Fprintf(w, "%s  %s  %s\n", wide(f.Path, 28), wide(f.Title, 24), f.Value)
	}
}

// PrintDiff writes what changes from one version to another, old and new one
// below the other.
func PrintDiff(w io.Writer, from, to Policy) {
	changes := Diff(from, to)
	fmt.Fprintf(w, "%s → %s：%d 处不同 %[3]d changes\n", from.Version, to.Version, len(changes))
	for _, c := range changes {
		fmt.Fprintf(w, "%s  %s\n  旧 old  %s\n  新 new  %s\n", wide(c.Path, 28), c.Title, said(c.From), said(c.To))
	}
}

func said(value string) string {
	if value == "" {
		return "（无 none）"
	}
	return value
}

// wide fills a text up to columns of a terminal, where a Chinese character
// takes two.
func wide(s string, columns int) string {
	for _, r := range s {
		columns--
		if unicode.Is(unicode.Han, r) || r >= '　' && r <= '〿' || r >= '＀' && r <= '｠' {
			columns--
		}
	}
	return s + strings.Repeat(" ", max(columns, 0))
}
