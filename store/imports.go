package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

type noticeImportRow struct {
	Version   string `gorm:"primaryKey"`
	ImportKey string
	BasedOn   string
	File      string
	Source    string
	Amended   bool
}

func (noticeImportRow) TableName() string { return "notice_imports" }

// ImportNotices makes a plan the table in force. The key makes a repeated call
// give the first one's version. It refuses a plan that was worked out for a
// table which is no longer in force.
func (s *Store) ImportNotices(ctx context.Context, p casework.CalendarPlan, i casework.CalendarImport, by, key string) (version string, err error) {
	version = p.Notices.Version()
	err = s.importing(ctx, func(tx *gorm.DB) error {
		before, err := gorm.G[noticeImportRow](tx).Where("import_key = ?", key).Find(ctx)
		if err != nil {
			return err
		}
		if len(before) > 0 {
			version = before[0].Version
			return nil
		}
		newest, err := gorm.G[noticesRow](tx).Order("n DESC").Limit(1).Find(ctx)
		if err != nil {
			return err
		}
		if len(newest) > 0 && newest[0].Version != p.BasedOn || len(newest) == 0 && p.BasedOn != "" {
			return casework.Refuse(casework.Conflict, "calendar_moved_on", casework.Sayf(
				"日历刚刚被他人更新（原为 %s），请重新试运行", "the calendar is no longer %s: somebody imported another; do the dry run again", p.BasedOn))
		}
		if err := s.addNotices(tx, p.Notices, by); err != nil {
			return err
		}
		return tx.Create(&noticeImportRow{Version: version, ImportKey: key, BasedOn: p.BasedOn, File: i.Name, Source: p.Source, Amended: i.Amend}).Error
	})
	return version, err
}

// ImportedAs gives the version that an import with a key became; empty if there
// was none.
func (s *Store) ImportedAs(ctx context.Context, key string) (string, error) {
	before, err := gorm.G[noticeImportRow](s.db).Where("import_key = ?", key).Find(ctx)
	if err != nil || len(before) == 0 {
		return "", failed("read the imports", err)
	}
	return before[0].Version, nil
}

// NoticesAt gives a version of the table.
func (s *Store) NoticesAt(ctx context.Context, version string) (calendar.Notices, error) {
	there, err := gorm.G[noticesRow](s.db).Where("version = ?", version).Count(ctx, "*")
	if err != nil {
		return calendar.Notices{}, failed("read the notices", err)
	}
	if there == 0 {
		return calendar.Notices{}, versionNotFound()
	}
	return noticesOf(ctx, s.db, version)
}

func versionNotFound() *casework.Fault {
	return casework.Refuse(casework.NotFound, "calendar_version_not_found", casework.Say("没有这个日历版本", "there is no such version of the calendar"))
}

// versionLine is a version with what is known of its import.
type versionLine struct {
	Version    string
	N          int64
	ImportedAt time.Time
	ImportedBy string
	Days       int
	Years      string
	BasedOn    string
	File       string
	Source     string
	Amended    bool
	Told       int
	ToldAt     *time.Time
	Remaining  int
	SettledAt  *time.Time
}

func (versionLine) TableName() string { return "notice_versions" }

func (l versionLine) version() casework.CalendarVersion {
	v := casework.CalendarVersion{
		Version: l.Version, ImportedAt: moment(&l.ImportedAt), ImportedBy: l.ImportedBy, Days: l.Days, BasedOn: l.BasedOn,
		File: l.File, Source: l.Source, Amended: l.Amended, Told: l.Told, ToldAt: moment(l.ToldAt), Left: l.Remaining, SettledAt: moment(l.SettledAt),
	}
	for year := range strings.FieldsSeq(l.Years) {
		if y, err := strconv.Atoi(year); err == nil {
			v.Years = append(v.Years, y)
		}
	}
	return v
}

// versionPlace is where a version stands in the list.
type versionPlace struct {
	N int64 `json:"version"`
}

var newestVersions = order[versionLine, versionPlace]{
	by:    "n DESC",
	place: func(l versionLine) versionPlace { return versionPlace{l.N} },
	after: func(q query[versionLine], p versionPlace) query[versionLine] { return q.Where("n < ?", p.N) },
}

// CalendarVersions lists the versions of the table, the one in force first.
func (s *Store) CalendarVersions(ctx context.Context, p casework.Page) ([]casework.CalendarVersion, string, error) {
	lines, next, err := part(ctx, gorm.G[versionLine](s.db).Scopes(), newestVersions, p)
	if err != nil {
		return nil, "", failed("list calendar versions", err)
	}
	versions := make([]casework.CalendarVersion, len(lines))
	for i, l := range lines {
		versions[i] = l.version()
	}
	return versions, next, nil
}

// CalendarVersion gives one version of the table as it stands on record.
func (s *Store) CalendarVersion(ctx context.Context, version string) (casework.CalendarVersion, error) {
	line, err := gorm.G[versionLine](s.db).Where("version = ?", version).Take(ctx)
	if err != nil {
		return casework.CalendarVersion{}, found("read a calendar version", err, versionNotFound())
	}
	return line.version(), nil
}

// Unsettled lists the imports of which not every case is known to have been
// told, the oldest first.
func (s *Store) Unsettled(ctx context.Context) ([]string, error) {
	lines, err := gorm.G[versionLine](s.db).Where("imported AND settled_at IS NULL").Order("n").Find(ctx)
	if err != nil {
		return nil, failed("list unsettled imports", err)
	}
	versions := make([]string, len(lines))
	for i, l := range lines {
		versions[i] = l.Version
	}
	return versions, nil
}

// Told notes that every case has been looked at once for a version and how many
// were told. The first moment stays.
func (s *Store) Told(ctx context.Context, version string, told int) error {
	return failed("note who was told", s.db.WithContext(ctx).Exec(
		"UPDATE notice_imports SET told = GREATEST(told, ?), told_at = COALESCE(told_at, ?) WHERE version = ?", told, s.now(), version).Error)
}

// Settled notes that nobody is told of a version any more, and how many cases
// have not worked their deadlines out by it.
func (s *Store) Settled(ctx context.Context, version string, left int) error {
	return failed("settle an import", s.db.WithContext(ctx).Exec(
		"UPDATE notice_imports SET remaining = ?, settled_at = ? WHERE version = ?", left, s.now(), version).Error)
}

// movingPage is how many cases are opened at one time while looking for
// deadlines that a calendar moves.
const movingPage = 200

// CalendarMoves works every live deadline out by the notices and shows each
// case with those that move, none where none does, in the order of numbers
// behind the one given. What is on record is compared, so a case that has
// worked its deadlines out has nothing left to move.
//
// Business hours are the case's own, which only its snapshot knows: the cases
// with live deadlines are opened one page at a time, and no more than the
// numbers of all and the snapshots of a page are in memory.
func (s *Store) CalendarMoves(ctx context.Context, n calendar.Notices, behind string, each func(number string, moves []casework.DeadlineMove) error) error {
	var numbers []string
	err := s.db.WithContext(ctx).Raw(`SELECT DISTINCT case_number FROM deadlines
		WHERE met_at IS NULL AND dropped_at IS NULL AND case_number > ? ORDER BY case_number`, behind).Scan(&numbers).Error
	if err != nil {
		return failed("list live deadlines", err)
	}
	calendars := calendarsBy(n)
	for len(numbers) > 0 {
		page := numbers[:min(len(numbers), movingPage)]
		numbers = numbers[len(page):]
		var rows []movingCase
		err := s.db.WithContext(ctx).Raw("SELECT number, district, state FROM cases WHERE number IN ? ORDER BY number", page).Scan(&rows).Error
		if err != nil {
			return failed("read cases with live deadlines", err)
		}
		for _, row := range rows {
			moves, err := s.movesOf(row, calendars)
			if err == nil {
				err = each(row.Number, moves)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

type movingCase struct {
	Number   string
	District casework.District
	State    []byte
}

// movesOf opens of a case no more than it needs.
func (s *Store) movesOf(row movingCase, calendars func(calendar.Hours) (*calendar.Calendar, error)) ([]casework.DeadlineMove, error) {
	var k struct {
		Terms struct {
			Hours calendar.Hours `json:"hours"`
		} `json:"terms"`
		Deadlines []casework.Deadline `json:"deadlines"`
	}
	if err := s.open(row.State, stateContext(row.Number), &k); err != nil {
		return nil, err
	}
	cal, err := calendars(k.Terms.Hours)
	if err != nil {
		return nil, fmt.Errorf("store: the hours of case %s: %w", row.Number, err)
	}
	var moves []casework.DeadlineMove
	for i := range k.Deadlines {
		d := &k.Deadlines[i]
		if m, moved := d.MoveBy(cal); moved && d.Live() {
			m.Case, m.District = row.Number, row.District
			moves = append(moves, m)
		}
	}
	return moves, nil
}

// calendarsBy makes a calendar of the notices for each set of business hours,
// once: nearly all cases share one.
func calendarsBy(n calendar.Notices) func(calendar.Hours) (*calendar.Calendar, error) {
	made := map[string]*calendar.Calendar{}
	return func(h calendar.Hours) (*calendar.Calendar, error) {
		key := fmt.Sprint(h)
		if made[key] == nil {
			cal, err := calendar.New(n, h)
			if err != nil {
				return nil, err
			}
			made[key] = cal
		}
		return made[key], nil
	}
}

// ProvisionalDeadlines counts the live deadlines that count through a year
// without notice.
func (s *Store) ProvisionalDeadlines(ctx context.Context) (int64, error) {
	n, err := gorm.G[deadlineRow](s.db).Where("met_at IS NULL AND dropped_at IS NULL AND provisional").Count(ctx, "*")
	return n, failed("count provisional deadlines", err)
}
