package simulate

import (
	"context"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/curbstop/curbstop/casework"
)

// Question asks how many people or crews a department needs.
type Question struct {
	Department casework.Department `json:"department"`
	// Utility asks about the department's teams for it alone, and counts its
	// cases only; empty: all of them.
	Utility casework.Utility `json:"utility,omitempty"`
	From    int              `json:"from"` // the fewest that are tried; 0: one a team
	To      int              `json:"to"`   // the most; 0: three times as many as the scenario has, at least twenty
	// Keep is the share of cases, 0 to 1, that must have supply on within the
	// lane's limit; the first number that reaches it ends the trials. 0 tries all.
	Keep float64 `json:"keep,omitempty"`
	// Months of acceptance, 1 to 12, that count for Keep; empty: all.
	Months []int `json:"months,omitempty"`
}

// Trial is one number that was tried and what came of it.
type Trial struct {
	People int    `json:"people"`
	Result Result `json:"result"`
}

// Reached tells whether a result keeps what is asked.
func (q Question) Reached(r Result) bool {
	rate := q.of(r).During(q.Months)
	return rate.Judged > 0 && rate.Share() >= q.Keep
}

// of are the figures that a question is about.
func (q Question) of(r Result) Figures {
	for _, p := range r.Utilities {
		if p.Utility == q.Utility {
			return p.Figures
		}
	}
	return r.Figures
}

// Share is the on-time rate that a question is about.
func (q Question) Share(r Result) float64 { return q.of(r).During(q.Months).Share() }

// subject names the department in Chinese, with the utility if one is named.
func (q Question) subject() string {
	if q.Utility == "" {
		return q.Department.Name()
	}
	return q.Department.Name() + "（" + q.Utility.Name() + "）"
}

// Teams are the department as the command line names it.
func (q Question) Teams() string {
	if q.Utility == "" {
		return string(q.Department)
	}
	return string(q.Department) + "/" + string(q.Utility)
}

// Try runs a scenario with one number of people after the other, each with the
// very same customers and work, and tells of each in its order. Runs beside
// each other use all processors; what they give does not hang on that.
func Try(ctx context.Context, s Scenario, o Options, q Question, tell func(Trial)) ([]Trial, error) {
	if q.From == 0 {
		teams := 0
		for _, t := range s.Staff[q.Department] {
			if t.among(q.Utility) {
				teams++
			}
		}
		q.From = max(teams, 1)
	}
	if q.To == 0 {
		q.To = max(3*s.People(q.Department, q.Utility), 20)
	}
	if q.From > q.To {
		return nil, fmt.Errorf("人数范围 %d..%d 颠倒 the range %[1]d..%[2]d is empty", q.From, q.To)
	}
	o.Progress, o.Watch = nil, nil
	var trials []Trial
	for next := q.From; next <= q.To; {
		batch := make([]Trial, min(runtime.GOMAXPROCS(0), q.To-next+1))
		group, ctx := errgroup.WithContext(ctx)
		for i := range batch {
			group.Go(func() error {
				staffed, err := s.WithPeople(q.Department, q.Utility, next+i)
				if err != nil {
					return err
				}
				batch[i].People = next + i
				batch[i].Result, err = Run(ctx, staffed, o)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return nil, err
		}
		next += len(batch)
		for _, t := range batch {
			trials = append(trials, t)
			if tell != nil {
				tell(t)
			}
			if q.Keep > 0 && q.Reached(t.Result) {
				return trials, nil
			}
		}
	}
	return trials, nil
}
