package store

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// What becomes of a row whose key is there already.
var (
	replace = &clause.OnConflict{UpdateAll: true}
	keep    = &clause.OnConflict{DoNothing: true}
)

// scribe words the inserts of a Save. gorm words each the first time and runs
// nothing. What it says depends on the kind of the rows, how many they are, and
// what becomes of those that are there, so it is remembered: a Save has seven to
// nine of them, and wording them took a third of its time.
type scribe struct {
	db    *gorm.DB
	known sync.Map // of wordings by insertion
}

// insertion is all that an insert's wording depends on.
type insertion struct {
	row reflect.Type
	n   int
	on  *clause.OnConflict
}

// wording is the statement of an insertion, and where its values come from.
type wording struct {
	sql    string
	fields []*schema.Field // of each row, in the order of its placeholders
	rest   []any           // the values behind those of the rows
}

// longest is the most rows whose wording is remembered; few decisions have as many.
const longest = 16

// insert puts the statement that writes rows into a batch. What on points to is
// known by its address, so it is one of the package's own.
func insert[R any](b *pgx.Batch, s *scribe, rows []R, on *clause.OnConflict) error {
	if len(rows) == 0 {
		return nil
	}
	what := insertion{reflect.TypeFor[R](), len(rows), on}
	known, _ := s.known.Load(what)
	if w, ok := known.(wording); ok {
		b.Queue(w.sql, w.values(reflect.ValueOf(rows))...)
		return nil
	}
	worded := s.db.Session(&gorm.Session{DryRun: true}).Clauses(*on).Create(&rows).Statement
	if worded.Error != nil {
		return worded.Error
	}
	b.Queue(worded.SQL.String(), worded.Vars...)
	if len(rows) > longest {
		return nil
	}
	w, err := wordingOf(worded, len(rows))
	if err != nil {
		return err
	}
	s.known.Store(what, w)
	return nil
}

// wordingOf takes from a statement what is the same for other rows. It fails for
// rows of which gorm says more than their own values: the statement would not be
// the same.
func wordingOf(worded *gorm.Statement, n int) (wording, error) {
	w := wording{sql: worded.SQL.String()}
	for _, name := range worded.Schema.DBNames {
		f := worded.Schema.FieldsByDBName[name]
		if f.HasDefaultValue || f.AutoCreateTime != 0 || f.AutoUpdateTime != 0 || f.Serializer == nil && unfolds(f.IndirectFieldType) {
			return wording{}, fmt.Errorf("store: the insert of %s depends on the value of %s", worded.Table, name)
		}
		w.fields = append(w.fields, f)
	}
	w.rest = slices.Clone(worded.Vars[n*len(w.fields):])
	return w, nil
}

// unfolds tells whether gorm writes a value as a list of placeholders.
func unfolds(t reflect.Type) bool {
	return (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) && t != reflect.TypeFor[[]byte]()
}

func (w wording) values(rows reflect.Value) []any {
	values := make([]any, 0, rows.Len()*len(w.fields)+len(w.rest))
	for i := range rows.Len() {
		for _, f := range w.fields {
			value, _ := f.ValueOf(context.Background(), rows.Index(i))
			values = append(values, value)
		}
	}
	return append(values, w.rest...)
}
