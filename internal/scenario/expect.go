package scenario

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// differences says what an expectation did not find, one entry a member.
type differences struct {
	loc  *time.Location
	list []string
}

func (d *differences) add(member, format string, args ...any) {
	d.list = append(d.list, member+": "+fmt.Sprintf(format, args...))
}

// equal compares a member that is present.
func equal[T comparable](d *differences, member string, want *T, found T) {
	if want != nil && *want != found {
		d.add(member, "expected %v, found %v", *want, found)
	}
}

// moment compares a time that is present.
func (d *differences) moment(member string, want *Time, found int64) {
	if want != nil && want.MS != found {
		d.add(member, "expected %s, found %s", want.Text, d.local(found))
	}
}

func (d *differences) local(ms int64) string {
	if ms == 0 {
		return "none"
	}
	return Local(ms, d.loc)
}

// stringMoment compares a time that is present and may be "never".
func (d *differences) stringMoment(member string, want *string, found int64) {
	if want == nil {
		return
	}
	text := "never"
	if found != 0 {
		text = d.local(found)
	}
	if *want != text {
		d.add(member, "expected %s, found %s", *want, text)
	}
}

// lists compares a list that is present, element by element.
func (d *differences) lists(member string, want, found []string) {
	if want != nil && !slices.Equal(want, found) {
		d.add(member, "expected %q, found %q", want, found)
	}
}

// sets compares a list that is present, in any order.
func (d *differences) sets(member string, want, found []string) {
	if want == nil {
		return
	}
	want, found = slices.Clone(want), slices.Clone(found)
	slices.Sort(want)
	slices.Sort(found)
	d.lists(member, want, found)
}

// examine evaluates one expectation. The answer is what differs, nothing if it
// holds; an error means that it could not be evaluated.
func (c *cast) examine(ctx context.Context, what any) ([]string, error) {
	d := &differences{loc: c.f.Location()}
	var err error
	switch e := what.(type) {
	case *Refusal:
		c.refusalHolds(e, d)
	case *DutyExpect:
		err = c.dutyHolds(ctx, e, d)
	case *MissingExpect:
		err = c.missingHolds(ctx, e, d)
	case *FeedExpect:
		err = c.feedHolds(ctx, e, d)
	case *ClockExpect:
		err = c.clockHolds(ctx, e, d)
	case *MessageExpect:
		err = c.messageHolds(ctx, e, d)
	case *ConsentExpect:
		err = c.consentHolds(ctx, e, d)
	case *RecordExpect:
		err = c.recordHolds(ctx, e, d)
	case *GrantExpect:
		err = c.grantHolds(ctx, e, d)
	case *ProofExpect:
		err = c.proofHolds(ctx, e, d)
	case *DeskExpect:
		err = c.deskHolds(ctx, e, d)
	case *WatchExpect:
		err = c.watchHolds(ctx, e, d)
	case *ReadingExpect:
		err = c.readingHolds(ctx, e, d)
	case *DumpExpect:
		err = c.dumpHolds(ctx, e, d)
	}
	return d.list, err
}

// sortOf names the sort of an expectation: "duty", "feed".
func sortOf(x expected) string {
	name, _, _ := strings.Cut(x.path[strings.LastIndexByte(x.path, '.')+1:], "[")
	return name
}
