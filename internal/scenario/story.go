package scenario

import (
	"context"
	"strings"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging/obligation"
)

// Story is what happened in a scenario, for people.
type Story struct {
	ID      string   `json:"id"`
	Title   Text     `json:"title"`
	Source  string   `json:"source,omitempty"`
	Entries []*Entry `json:"entries"`
	Held    int      `json:"held"` // expectations
}

// Entry is one step of it.
type Entry struct {
	At    int64  `json:"at"`
	When  Text   `json:"when"`
	Note  Text   `json:"note,omitzero"`
	Lines []Line `json:"lines,omitempty"`
	Held  int    `json:"held"`
}

// Line is a sentence. Sort is did, opened, overdue, because or refused.
type Line struct {
	Sort string `json:"sort"`
	Text
}

func (e *Entry) add(sort string, t Text) { e.Lines = append(e.Lines, Line{sort, t}) }

// begin starts the entry of a step.
func (c *cast) begin(s *Step) *Entry {
	c.entry = &Entry{At: s.At.MS, When: momentText(s.At.MS, c.f.Location()), Note: s.Note, Held: len(s.Expect.all(""))}
	return c.entry
}

// close tells what the step did and keeps the entry.
func (c *cast) close(e *Entry, s *Step) {
	if s.Refused == nil {
		c.tell(e, s)
	}
	for _, o := range c.justOpened {
		c.tellOpened(e, &o)
	}
	c.justOpened = nil
	c.story.Entries = append(c.story.Entries, e)
}

func (c *cast) tellOpened(e *Entry, o *evidence.Opened) {
	if r, ok := c.f.pack.Rule(o.Rule); !ok || !r.Missing {
		return // that a message is read is no news
	}
	from, to := c.partyText(o.OR), c.partyText(o.EE)
	if o.Due == 0 {
		e.add("opened", say("opened-no", c.ruleText(o.Rule), from, to))
		return
	}
	e.add("opened", say("opened", c.ruleText(o.Rule), from, to, untilText(o.Due, c.f.Location())))
}

func (c *cast) refusedBy(e *Entry, no noSaid) {
	e.add("refused", say("refused", phrases[no.by], no.code, c.readable(no.detail)))
}

// readable puts the scenario's own names in place of identifiers.
func (c *cast) readable(text string) Text {
	en, sr := text, text
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" :;,()[]\"", r) }) {
		switch {
		case statement.IsID(word, statement.Desk, statement.Person):
			t := c.partyText(word)
			en, sr = strings.ReplaceAll(en, word, t.EN), strings.ReplaceAll(sr, word, t.SR)
		case c.names[word] != "":
			en, sr = strings.ReplaceAll(en, word, c.names[word]), strings.ReplaceAll(sr, word, c.names[word])
		}
	}
	return Text{EN: en, SR: sr}
}

// overdueSince tells which replies have become missing since the last step, and
// how their terms were counted.
func (c *cast) overdueSince(ctx context.Context, e *Entry) error {
	for _, actor := range c.atWork() {
		duties, err := c.dutiesOf(ctx, actor, true)
		if err != nil {
			return err
		}
		for _, d := range duties {
			if !d.View.Missing || c.announced[d.ID] || c.names[d.TriggerObj] == "" {
				continue
			}
			c.announced[d.ID] = true
			c.tellOverdue(e, &d.Obligation, d.Steps)
		}
	}
	return nil
}

func (c *cast) tellOverdue(e *Entry, o *obligation.Obligation, steps []obligation.Step) {
	loc := c.f.Location()
	e.add("overdue", say("overdue", c.ruleText(o.Rule), c.partyText(o.Obligor), c.partyText(o.Obligee), momentText(o.Due, loc)))
	en, sr := obligation.Explain(steps, "en", loc), obligation.Explain(steps, "sr", loc)
	e.add("because", say("because", Text{EN: strings.Join(en, " "), SR: strings.Join(sr, " ")}))
}
