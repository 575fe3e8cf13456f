package store

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"

	"gorm.io/gorm"

	"github.com/curbstop/curbstop/casework"
)

const (
	defaultLimit = 50
	maxLimit     = 200
)

// query is a SELECT under construction whose rows are of type R.
type query[R any] = gorm.ChainInterface[R]

// order is the order of a list: how it is sorted, where a row stands in it and
// how what comes behind a place is selected. A cursor is the place of the last
// row that was shown, so a list is walked to its end without repeating or
// missing a row however many are added meanwhile.
type order[R, K any] struct {
	by    string
	place func(R) K
	after func(query[R], K) query[R]
}

// part reads one page of a list and the cursor of the next, which is empty at
// the end.
func part[R, K any](ctx context.Context, q query[R], o order[R, K], p casework.Page) ([]R, string, error) {
	limit := p.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	limit = min(limit, maxLimit)
	if p.Cursor != "" {
		place, err := decodeCursor[K](p.Cursor)
		if err != nil {
			return nil, "", err
		}
		q = o.after(q, place)
	}
	// One more than is shown tells whether there is a next page.
	rows, err := q.Order(o.by).Limit(limit + 1).Find(ctx)
	if err != nil || len(rows) <= limit {
		return rows, "", err
	}
	rows = rows[:limit]
	next, err := encodeCursor(o.place(rows[limit-1]))
	return rows, next, err
}

func encodeCursor(place any) (string, error) {
	b, err := json.Marshal(place)
	return base64.RawURLEncoding.EncodeToString(b), err
}

// decodeCursor refuses what is no cursor of the same list: the places of
// different lists have different fields.
func decodeCursor[K any](cursor string) (K, error) {
	var place K
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		err = d.Decode(&place)
	}
	if err != nil {
		return place, casework.Refuse(casework.Invalid, "bad_cursor",
			casework.Say("翻页标记无效，请从第一页重新查询", "the cursor is not valid; start again from the first page"))
	}
	return place, nil
}

// equal filters by a column; the zero value selects all.
func equal[R any, V ~string](q query[R], column string, value V) query[R] {
	if value == "" {
		return q
	}
	return q.Where(column+" = ?", string(value))
}

// anyOf filters by a column that has one of several values; none selects all.
func anyOf[R any, V ~string](q query[R], column string, values []V) query[R] {
	if len(values) == 0 {
		return q
	}
	return q.Where(column+" IN ?", values)
}
