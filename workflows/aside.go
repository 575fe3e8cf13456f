package workflows

import "go.temporal.io/sdk/workflow"

// aside is what a case does beside its clock, so that what is out of reach holds
// up papers, never an escalation. Facts make it wanted. Facts change under the
// lock and are then committed, so it is there that it is looked for: most of a
// case's life an aside costs nothing. Coroutines are half of what a case costs
// in memory, and each is looked at whenever the case does anything.
type aside struct {
	name   string
	wanted func() bool
	// serve does once what is wanted. It fails only with the workflow, and is then
	// not called again.
	serve func(ctx workflow.Context) error
	// early is for runs that attend it, see attendAsides: there it does not wait
	// until what makes it wanted is committed.
	early bool
	under bool // it is under way, or has failed
}

// beside adds an aside. It comes before the first commit.
func (f *casefile) beside(a aside) { f.asides = append(f.asides, &a) }

// startAsides starts the asides that are wanted, each in a coroutine of its own that
// lasts until it is not wanted any more.
func (f *casefile) startAsides(ctx workflow.Context) {
	if !f.starts {
		return
	}
	for _, a := range f.asides {
		if a.under || !a.wanted() {
			continue
		}
		a.under = true
		workflow.GoNamed(ctx, a.name, func(ctx workflow.Context) {
			for workflow.Await(ctx, f.settled) == nil {
				if !a.wanted() {
					a.under = false
					return
				}
				if a.serve(ctx) != nil {
					return
				}
			}
		})
	}
}

// attendAsides has a coroutine wait for each aside as long as the case lives. Runs
// that began before curbstop started them when they are wanted go on so.
func (f *casefile) attendAsides(ctx workflow.Context) {
	for _, a := range f.asides {
		workflow.GoNamed(ctx, a.name, func(ctx workflow.Context) {
			for workflow.Await(ctx, func() bool { return (a.early || f.settled()) && a.wanted() }) == nil {
				if a.serve(ctx) != nil {
					return
				}
			}
		})
	}
}

// settled tells whether the facts may be acted upon: while the lock is held,
// what they come from may still be refused, and is not on record.
func (f *casefile) settled() bool { return f.opened && !f.lock.IsLocked() }
