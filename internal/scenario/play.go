package scenario

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/odziv/odziv/internal/scenario/demo"
)

// Options say how to play.
type Options struct {
	World      demo.Options                       // Codes, Clock and Transport are filled in
	All        bool                               // every institution of the demonstration directory
	Bookkeeper bool                               // reminders and overdue leaves are written at each step
	Progress   func(what string, done, total int) // nil: nobody is told
	probe      func(c *cast, step string, x expected) error
}

// Result is what a play leaves.
type Result struct {
	Stories      []*Story       `json:"scenarios"`
	Missing      []MissingReply `json:"missing"` // at the end
	Now          int64          `json:"now"`     // virtual
	Institutions int            `json:"institutions"`
	Desks        int            `json:"desks"`
	Directory    int64          `json:"directory"` // leaves
	Evidence     int64          `json:"evidence"`  // leaves
	loc          *time.Location // of the first scenario
}

// Failed says which expectation does not hold, and what was found instead.
type Failed struct {
	File    string   `json:"file"`
	Line    int      `json:"line"`
	Step    string   `json:"step"`    // number and time
	What    string   `json:"what"`    // sort of expectation, or "step"
	Written string   `json:"written"` // as the file says it
	Found   []string `json:"found"`
}

// Error is one line; what the file says is in Written.
func (f *Failed) Error() string {
	return fmt.Sprintf("%s:%d: %s: %s does not hold: %s", f.File, f.Line, f.Step, f.What, strings.Join(f.Found, "; "))
}

// Play plays scenarios on one exchange, their steps in the order of their times,
// and stops at the first that does not hold with a *[Failed]. The world stays
// open: the caller closes it, also after an error, unless it is nil.
func Play(ctx context.Context, files []*File, opts Options) (*demo.World, *Result, error) {
	p := &player{opts: opts, operator: newOperator()}
	if p.opts.Progress == nil {
		p.opts.Progress = func(string, int, int) {}
	}
	w, err := demo.Open(ctx, p.worldFor(files))
	if err != nil {
		return nil, nil, err
	}
	p.w = w
	for _, f := range files {
		c, err := newCast(ctx, w, p.operator, f)
		if err != nil {
			return w, nil, err
		}
		p.casts = append(p.casts, c)
	}
	if err := p.gather(ctx); err != nil {
		return w, nil, err
	}
	if err := p.run(ctx); err != nil {
		return w, nil, err
	}
	result, err := p.result(ctx)
	return w, result, err
}

type player struct {
	opts     Options
	operator *operator
	w        *demo.World
	casts    []*cast
}

// before is how long before the first step the world is founded, in ms: rule
// packs are adopted and desks open by then.
const before = 3600 * 1000

// worldFor says what the files need.
func (p *player) worldFor(files []*File) demo.Options {
	o := p.opts.World
	start := files[0].Start()
	for _, f := range files {
		start = min(start, f.Start())
		if !slices.Contains(o.Packs, f.Pack) {
			o.Packs = append(o.Packs, f.Pack)
		}
		for _, a := range f.Actors {
			o.Codes = append(o.Codes, a.institution())
		}
	}
	if p.opts.All {
		o.Codes = nil
	}
	o.Clock, o.Progress, o.Transport = demo.NewClock(start-before), p.opts.Progress, p.operator
	return o
}

// gather lets every actor follow the directory, several at once: each checks
// every signature in it for itself.
func (p *player) gather(ctx context.Context) error {
	officers := map[*demo.Officer]bool{}
	for _, c := range p.casts {
		for _, o := range c.officers {
			officers[o] = o != nil
		}
	}
	delete(officers, nil)
	errs := make(chan error, len(officers))
	for o := range officers {
		go func() {
			_, err := o.Office(ctx)
			errs <- err
		}()
	}
	for n := range len(officers) {
		if err := <-errs; err != nil {
			return err
		}
		p.opts.Progress("officers", n+1, len(officers))
	}
	return nil
}

// moment is a step of one of the scenarios.
type moment struct {
	cast *cast
	n    int // of the step, from 0
}

func (m *moment) step() *Step { return &m.cast.f.Steps[m.n] }

// run plays every step of every scenario.
func (p *player) run(ctx context.Context) error {
	var all []moment
	for _, c := range p.casts {
		for n := range c.f.Steps {
			all = append(all, moment{c, n})
		}
	}
	slices.SortStableFunc(all, func(a, b moment) int { return int(min(max(a.step().At.MS-b.step().At.MS, -1), 1)) })
	for i := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := p.play(ctx, &all[i]); err != nil {
			return err
		}
		p.opts.Progress("steps", i+1, len(all))
	}
	return nil
}

// play moves the clock to a step, does what it says and holds what follows
// against what it expects.
func (p *player) play(ctx context.Context, m *moment) error {
	c, s := m.cast, m.step()
	if err := p.w.Clock.Forward(s.At.MS); err != nil {
		return err
	}
	if p.books(m) {
		if _, err := p.w.Bookkeep(ctx); err != nil {
			return fmt.Errorf("bookkeeping: %w", err)
		}
	}
	c.seen = newLook()
	entry := c.begin(s)
	if err := c.overdueSince(ctx, entry); err != nil {
		return err
	}
	err := c.perform(ctx, s)
	c.seen = newLook()
	if found := c.outcome(s, err, entry); found != nil {
		return c.failed(m, element("step", m.n), "step", found)
	}
	if s.Refused != nil {
		if err := p.expect(ctx, m, expected{element("step", m.n) + ".refused", s.Refused}); err != nil {
			return err
		}
		c.story.Held++
	}
	for _, x := range s.Expect.all(element("step", m.n) + ".expect") {
		if err := p.expect(ctx, m, x); err != nil {
			return err
		}
		c.story.Held++
	}
	c.close(entry, s)
	return nil
}

// books reports whether the server keeps books at a step.
func (p *player) books(m *moment) bool {
	f, s := m.cast.f, m.step()
	return p.opts.Bookkeeper && (f.Bookkeeper == nil || *f.Bookkeeper) && (s.Bookkeeper == nil || *s.Bookkeeper)
}

// outcome says what is wrong with what became of an act: a no that was not
// expected, a yes that was not, or a failure.
func (c *cast) outcome(s *Step, err error, entry *Entry) []string {
	no, refused := saidNo(err)
	c.no = no
	switch {
	case s.Refused == nil && err == nil:
		return nil
	case s.Refused == nil && refused:
		return []string{fmt.Sprintf("the %s said no: %s (%s)", no.by, no.code, no.detail)}
	case err == nil:
		return []string{fmt.Sprintf("expected the %s to say no with %s, but it was done", s.Refused.By, s.Refused.Code)}
	case !refused:
		return []string{err.Error()}
	}
	c.refusedBy(entry, no)
	return nil
}

// refusalHolds compares the no that a step met with the one it expects.
func (c *cast) refusalHolds(e *Refusal, d *differences) {
	equal(d, "by", &e.By, c.no.by)
	equal(d, "code", &e.Code, c.no.code)
	if id := c.party(e.For); e.For != "" && (id == "" || id != c.no.desk && !strings.Contains(c.no.detail, id)) {
		d.add("for", "expected %s (%s), found %q", e.For, id, strings.TrimSpace(c.no.desk+" "+c.no.detail))
	}
}

// expect evaluates one expectation.
func (p *player) expect(ctx context.Context, m *moment, x expected) error {
	found, err := m.cast.examine(ctx, x.what)
	if err != nil {
		found = append(found, err.Error())
	}
	if len(found) > 0 {
		return m.cast.failed(m, x.path, sortOf(x), found)
	}
	if p.opts.probe != nil {
		return p.opts.probe(m.cast, m.number(), x)
	}
	return nil
}

func (m *moment) number() string {
	return fmt.Sprintf("step %d (%s)", m.n+1, m.step().At.Text)
}

func (c *cast) failed(m *moment, path, what string, found []string) error {
	line, written := c.f.at(path)
	return &Failed{File: c.f.name, Line: line, Step: m.number(), What: what, Written: written, Found: found}
}
