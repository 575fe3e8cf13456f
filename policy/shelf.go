package policy

import (
	"context"
	"fmt"
	"sync"

	"github.com/curbstop/curbstop/casework"
)

// Current stands for the version in force wherever a version is named.
const Current = "current"

// Versions are the published versions, wherever they are kept.
type Versions interface {
	// CurrentPolicy tells which version was published last, without its text.
	CurrentPolicy(ctx context.Context) (casework.PublishedPolicy, error)
	Policy(ctx context.Context, version string) (casework.PublishedPolicy, error)
	// Policies lists them without their texts, the newest first.
	Policies(ctx context.Context) ([]casework.PublishedPolicy, error)
}

// Shelf holds the published versions that were read before, which never
// change. It asks each time which one is in force, so that a version serves as
// soon as it is published. It is safe for concurrent use.
type Shelf struct {
	versions Versions
	mu       sync.Mutex
	read     map[string]Policy
}

// NewShelf makes an empty shelf.
func NewShelf(v Versions) *Shelf { return &Shelf{versions: v, read: map[string]Policy{}} }

// Current is the policy that serves new cases.
func (s *Shelf) Current(ctx context.Context) (Policy, error) {
	newest, err := s.versions.CurrentPolicy(ctx)
	if err != nil {
		return Policy{}, err
	}
	return s.Version(ctx, newest.Version)
}

// Version is a published version; NotFound where there is none of that name.
func (s *Shelf) Version(ctx context.Context, version string) (Policy, error) {
	s.mu.Lock()
	p, ok := s.read[version]
	s.mu.Unlock()
	if ok {
		return p, nil
	}
	published, err := s.versions.Policy(ctx, version)
	if err != nil {
		return Policy{}, err
	}
	if p, err = Published(published.Text); err != nil {
		return Policy{}, fmt.Errorf("version %s: %w", version, err)
	}
	s.mu.Lock()
	s.read[version] = p
	s.mu.Unlock()
	return p, nil
}

// Terms are what the policy in force says for a case that starts now.
func (s *Shelf) Terms(ctx context.Context) (casework.Terms, error) {
	p, err := s.Current(ctx)
	return p.Terms(), err
}

// TermsFor are those for a case of a utility that starts now. A request that was
// accepted just before a version dropped its utility starts by the last version
// that served it.
func (s *Shelf) TermsFor(ctx context.Context, u casework.Utility) (casework.Terms, error) {
	current, err := s.Current(ctx)
	if err != nil || current.Serves(u) {
		return current.Terms(), err
	}
	all, err := s.versions.Policies(ctx)
	if err != nil {
		return casework.Terms{}, err
	}
	for _, v := range all {
		if p, err := s.Version(ctx, v.Version); err != nil || p.Serves(u) {
			return p.Terms(), err
		}
	}
	return current.Terms(), nil
}
