package store

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/curbstop/curbstop/casework"
)

// policyLine is a published version without its text.
type policyLine struct {
	Version     string `gorm:"primaryKey"`
	Name        string
	PublishedAt time.Time
	PublishedBy string
}

func (policyLine) TableName() string { return "policies" }

type policyRow struct {
	Line policyLine `gorm:"embedded"`
	Text string
}

func (policyRow) TableName() string { return "policies" }

func (r policyLine) published() casework.PublishedPolicy {
	return casework.PublishedPolicy{Version: r.Version, Name: r.Name, PublishedAt: moment(&r.PublishedAt), PublishedBy: r.PublishedBy}
}

// PublishPolicy adds a version, which serves new cases from then on, and tells
// whether it did. A version never changes: the same text again is no mistake
// and changes nothing, another text is refused.
func (s *Store) PublishPolicy(ctx context.Context, p casework.PublishedPolicy) (bool, error) {
	added := false
	// One at a time: versions are numbered in the order in which they become visible.
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := tx.Exec("LOCK TABLE policies IN EXCLUSIVE MODE").Error; err != nil {
			return err
		}
		there, err := gorm.G[policyRow](tx).Where("version = ?", p.Version).Find(ctx)
		switch {
		case err != nil:
			return err
		case len(there) == 0:
			added = true
			return tx.Create(&policyRow{policyLine{p.Version, p.Name, s.now(), p.PublishedBy}, p.Text}).Error
		case there[0].Text != p.Text:
			return casework.Refuse(casework.Conflict, "policy_exists", casework.Sayf(
				"政策版本 %[1]s 已发布且内容不同，请换一个版本号", "version %[1]s of the policy is published with another text; raise the version", p.Version))
		}
		return nil
	})
	return added && err == nil, failed("publish a policy", err)
}

// Policy gives a published version with its text.
func (s *Store) Policy(ctx context.Context, version string) (casework.PublishedPolicy, error) {
	row, err := gorm.G[policyRow](s.db).Where("version = ?", version).Take(ctx)
	if err != nil {
		return casework.PublishedPolicy{}, found("read a policy", err, casework.Refuse(casework.NotFound, "policy_not_found",
			casework.Sayf("没有发布过政策版本 %[1]s", "version %[1]s of the policy was never published", version)))
	}
	p := row.Line.published()
	p.Text = row.Text
	return p, nil
}

// CurrentPolicy tells which version serves new cases, the one published last,
// without its text.
func (s *Store) CurrentPolicy(ctx context.Context) (casework.PublishedPolicy, error) {
	row, err := gorm.G[policyLine](s.db).Order("n DESC").Take(ctx)
	if err != nil {
		return casework.PublishedPolicy{}, found("read the policy", err, casework.Refuse(casework.NotFound, "no_policy",
			casework.Say("尚未发布任何政策，请运行 curbstop migrate", "no policy is published yet; run curbstop migrate")))
	}
	return row.published(), nil
}

// Policies lists the published versions, the one in force first, without their
// texts.
func (s *Store) Policies(ctx context.Context) ([]casework.PublishedPolicy, error) {
	rows, err := gorm.G[policyLine](s.db).Order("n DESC").Find(ctx)
	published := make([]casework.PublishedPolicy, len(rows))
	for i, r := range rows {
		published[i] = r.published()
	}
	return published, failed("list policies", err)
}
