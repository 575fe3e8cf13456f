package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"gorm.io/gorm"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/network"
)

type mainRow struct {
	Utility casework.Utility
	ID      string
	Since   int64
	Body    json.RawMessage
}

func (mainRow) TableName() string { return "mains" }

func (r mainRow) main() (network.Main, error) {
	var m network.Main
	if err := json.Unmarshal(r.Body, &m); err != nil {
		return m, fmt.Errorf("store: read the main %s: %w", r.ID, err)
	}
	return m, nil
}

func mainsOf(rows []mainRow) ([]network.Main, error) {
	mains := make([]network.Main, len(rows))
	for i, r := range rows {
		var err error
		if mains[i], err = r.main(); err != nil {
			return nil, err
		}
	}
	return mains, nil
}

type mainVersionRow struct {
	N          int64 `gorm:"primaryKey"`
	ImportKey  string
	ImportedAt time.Time
	ImportedBy string
	File       string
	Sha256     string
	Utilities  string
	Partial    bool
	Mains      int
	Added      int
	Changed    int
	Removed    int
}

func (mainVersionRow) TableName() string { return "main_versions" }

func (r mainVersionRow) version() network.Version {
	v := network.Version{
		N: r.N, ImportedAt: moment(&r.ImportedAt), ImportedBy: r.ImportedBy, File: r.File, SHA256: r.Sha256, Partial: r.Partial,
		Mains: r.Mains, Added: r.Added, Changed: r.Changed, Removed: r.Removed,
	}
	for u := range strings.SplitSeq(r.Utilities, ",") {
		v.Utilities = append(v.Utilities, casework.Utility(u))
	}
	return v
}

// CompareMains lists what an import of a register would change.
func (s *Store) CompareMains(ctx context.Context, r network.Register, partial bool) ([]network.Change, error) {
	changes, err := compareMains(ctx, s.db, r, partial)
	return changes, failed("compare mains", err)
}

func compareMains(ctx context.Context, db *gorm.DB, r network.Register, partial bool) ([]network.Change, error) {
	rows, err := gorm.G[mainRow](db).Where("until IS NULL AND utility IN ?", r.Utilities()).Find(ctx)
	if err != nil {
		return nil, err
	}
	recorded, err := mainsOf(rows)
	if err != nil {
		return nil, err
	}
	return network.Compare(recorded, r.Mains, partial), nil
}

// ImportMains makes a register a version of the mains, whole or not at all. The
// version says who brought which file; its number, time and counts are filled in
// here. The key makes a repeated call give the first one's version.
func (s *Store) ImportMains(ctx context.Context, r network.Register, v network.Version, key string) (network.Version, error) {
	var utilities []string
	for _, u := range r.Utilities() {
		utilities = append(utilities, string(u))
	}
	err := s.transact(ctx, func(tx pgx.Tx) error {
		// One import at a time: each is compared with what the one before left.
		if _, err := tx.Exec(ctx, "LOCK TABLE main_versions IN EXCLUSIVE MODE"); err != nil {
			return err
		}
		before, err := gorm.G[mainVersionRow](s.db).Where("import_key = ?", key).Find(ctx)
		if err != nil {
			return err
		}
		if len(before) > 0 {
			v = before[0].version()
			return nil
		}
		changes, err := compareMains(ctx, s.db, r, v.Partial)
		if err != nil {
			return err
		}
		v.ImportedAt, v.Utilities, v.Mains = moment(new(s.now())), r.Utilities(), len(r.Mains)
		v.Added, v.Changed, v.Removed = 0, 0, 0
		for _, c := range changes {
			switch c.Kind() {
			case "added":
				v.Added++
			case "removed":
				v.Removed++
			default:
				v.Changed++
			}
		}
		err = tx.QueryRow(ctx, `INSERT INTO main_versions (import_key, imported_at, imported_by, file, sha256, utilities, partial, mains, added, changed, removed)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING n`,
			key, v.ImportedAt, v.ImportedBy, v.File, v.SHA256, strings.Join(utilities, ","), v.Partial, v.Mains, v.Added, v.Changed, v.Removed).Scan(&v.N)
		if err != nil {
			return err
		}
		return writeMains(ctx, tx, v.N, changes)
	})
	return v, failed("import mains", err)
}

// writeMains ends the rows of mains that changed, and adds those that are new.
func writeMains(ctx context.Context, tx pgx.Tx, version int64, changes []network.Change) error {
	utilities, ids := []string{}, []string{}
	var rows [][]any
	for _, c := range changes {
		if c.Before != nil {
			utilities, ids = append(utilities, string(c.Before.Utility)), append(ids, c.Before.ID)
		}
		m := c.After
		if m == nil {
			continue
		}
		body, err := json.Marshal(m)
		if err != nil {
			return err
		}
		b := m.Bounds()
		rows = append(rows, []any{string(m.Utility), m.ID, version, string(m.District), string(m.State), b.West, b.South, b.East, b.North, body})
	}
	_, err := tx.Exec(ctx, `UPDATE mains SET until = $1 FROM unnest($2::text[], $3::text[]) AS gone (utility, id)
		WHERE mains.utility = gone.utility AND mains.id = gone.id AND mains.until IS NULL`, version, utilities, ids)
	if err != nil {
		return err
	}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"mains"},
		[]string{"utility", "id", "since", "district", "state", "west", "south", "east", "north", "body"}, pgx.CopyFromRows(rows))
	return err
}

// searched are the distances within which mains are looked for, one after the
// other, until there are enough: most places have some nearby.
var searched = []float64{100, 300, 800, 2_000, 5_000, 25_000}

// NearestMains gives the mains of a utility that are nearest to a place, at most
// so many, the nearest first. Abandoned ones are left out, and what is farther
// away than 25 km.
func (s *Store) NearestMains(ctx context.Context, u casework.Utility, p casework.Position, most int) ([]network.Near, error) {
	var near []network.Near
	for _, metres := range searched {
		b := network.Around(p, metres)
		rows, err := gorm.G[mainRow](s.db).Where(`until IS NULL AND utility = ? AND state <> 'abandoned'
			AND box(point(west, south), point(east, north)) && box(point(?::float8, ?::float8), point(?::float8, ?::float8))`,
			u, b.West, b.South, b.East, b.North).Find(ctx)
		if err != nil {
			return nil, failed("look for mains", err)
		}
		mains, err := mainsOf(rows)
		if err != nil {
			return nil, err
		}
		near = network.Nearest(mains, p, most)
		// A main whose bounds reach in may itself be farther away than one that was not looked at.
		if len(near) == most && near[most-1].Metres <= metres {
			return near, nil
		}
	}
	last := searched[len(searched)-1]
	for i, n := range near {
		if n.Metres > last {
			return near[:i], nil
		}
	}
	return near, nil
}

// Main gives a main as it is now.
func (s *Store) Main(ctx context.Context, u casework.Utility, id string) (network.Main, error) {
	row, err := gorm.G[mainRow](s.db).Where("until IS NULL AND utility = ? AND id = ?", u, id).Take(ctx)
	if err != nil {
		return network.Main{}, found("read a main", err, casework.Refuse(casework.NotFound, "main_not_found",
			casework.Say("管网登记中没有这条管线", "there is no such main in the register")))
	}
	return row.main()
}

// Committed tells for each of the mains what cases other than one have been
// promised of it: what open cases want that were assessed on it, and what was
// connected since its capacity was last put on record, which does not know of
// that yet. A main of which nothing is promised is left out.
func (s *Store) Committed(ctx context.Context, u casework.Utility, mains []string, except string) (map[string]network.Commitment, error) {
	var rows []struct {
		Main   string
		Volume float64
		Cases  int
	}
	err := s.db.WithContext(ctx).Raw(`
		SELECT c.main, sum(c.main_demand) AS volume, count(*) AS cases
		FROM mains AS m JOIN cases AS c ON c.main = m.id AND c.utility = m.utility
		WHERE m.until IS NULL AND m.utility = @utility AND m.id IN @mains AND c.number <> @except AND c.kind = 'connection'
			AND (c.supply_at IS NULL AND c.ended_at IS NULL AND c.status <> 'withdrawing' OR c.supply_at >= (
				SELECT max(v.imported_at) FROM main_versions AS v
				WHERE v.n = m.since OR NOT v.partial AND m.utility = ANY (string_to_array(v.utilities, ','))))
		GROUP BY c.main`, map[string]any{"utility": u, "mains": mains, "except": except}).Scan(&rows).Error
	if err != nil {
		return nil, failed("sum up what is committed", err)
	}
	committed := map[string]network.Commitment{}
	for _, r := range rows {
		committed[r.Main] = network.Commitment{Volume: r.Volume, Cases: r.Cases}
	}
	return committed, nil
}

// mainPlace is where a main stands in the list.
type mainPlace struct {
	Utility casework.Utility `json:"utility"`
	ID      string           `json:"main"`
}

var mainsByNumber = order[mainRow, mainPlace]{
	by:    "utility, id",
	place: func(r mainRow) mainPlace { return mainPlace{r.Utility, r.ID} },
	after: func(q query[mainRow], p mainPlace) query[mainRow] {
		return q.Where("(utility, id) > (?, ?)", p.Utility, p.ID)
	},
}

// Mains lists the mains as they are now, by utility and number.
func (s *Store) Mains(ctx context.Context, f network.Filter) ([]network.Main, string, error) {
	q := gorm.G[mainRow](s.db).Where("until IS NULL")
	q = equal(q, "utility", f.Utility)
	q = equal(q, "state", f.State)
	q = anyOf(q, "district", f.Districts)
	rows, next, err := part(ctx, q, mainsByNumber, f.Page)
	if err != nil {
		return nil, "", failed("list mains", err)
	}
	mains, err := mainsOf(rows)
	return mains, next, err
}

// mainVersionPlace is where a version stands in the list.
type mainVersionPlace struct {
	N int64 `json:"register"`
}

var newestMains = order[mainVersionRow, mainVersionPlace]{
	by:    "n DESC",
	place: func(r mainVersionRow) mainVersionPlace { return mainVersionPlace{r.N} },
	after: func(q query[mainVersionRow], p mainVersionPlace) query[mainVersionRow] { return q.Where("n < ?", p.N) },
}

// MainVersions lists the imports of the register, the newest first.
func (s *Store) MainVersions(ctx context.Context, p casework.Page) ([]network.Version, string, error) {
	rows, next, err := part(ctx, gorm.G[mainVersionRow](s.db).Scopes(), newestMains, p)
	if err != nil {
		return nil, "", failed("list versions of the register", err)
	}
	versions := make([]network.Version, len(rows))
	for i, r := range rows {
		versions[i] = r.version()
	}
	return versions, next, nil
}

// MainVersion is the number of the newest version; 0 where nothing was imported
// yet.
func (s *Store) MainVersion(ctx context.Context) (int64, error) {
	var n int64
	err := s.db.WithContext(ctx).Raw("SELECT coalesce(max(n), 0) FROM main_versions").Scan(&n).Error
	return n, failed("read the version of the register", err)
}
