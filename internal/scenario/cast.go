package scenario

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/keys/keystore"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/envelope"
)

// cast is one scenario at work: its names, and what they stand for on this
// exchange.
type cast struct {
	f        *File
	operator *operator
	w        *demo.World
	desks    map[string]*demo.Desk    // actors
	officers map[string]*demo.Officer // who acts, by actor; nil while she has not joined
	escrow   evidence.EscrowAsk       // as it was last asked for
	stolen   map[string]*keystore.Keystore
	ids      map[string]string // persons, others, cases
	names    map[string]string // identifier to name: desks, persons, things
	things   map[string]*thing
	opened   map[string]string // obligation to the identifier of what opened it
	kept     map[string]*proof // "actor thing" to the proof got earlier
	seen     *look             // what was read since the last change
	leaves   [][]byte          // of the directory, for evidence files

	story      *Story
	entry      *Entry            // of the step at hand
	justOpened []evidence.Opened // by it
	looked     recordView        // what a representative saw in it
	announced  map[string]bool   // missing replies that were told of
	no         noSaid            // to the act of the step at hand
}

// thing is something a step named: a message, a consent, a grant.
type thing struct {
	name    string
	id      string
	by      string         // actor
	item    *evidence.Item // the opening of its first leaf, nil if it was refused
	idx     int64
	core    *messaging.Core
	text    *envelope.Text
	consent *consent.Statement // newest version on record
	grant   *evidence.Grant
	to      string // actor granted to
	receipt []byte // the document, of one that was issued
	digest  string // its SHA-256, hex
}

// newCast takes down the actors of a file. Representatives get their desks.
func newCast(ctx context.Context, w *demo.World, operator *operator, f *File) (*cast, error) {
	c := &cast{f: f, w: w, operator: operator, desks: map[string]*demo.Desk{}, ids: map[string]string{}, names: map[string]string{},
		officers: map[string]*demo.Officer{}, stolen: map[string]*keystore.Keystore{},
		things: map[string]*thing{}, opened: map[string]string{}, kept: map[string]*proof{}, seen: newLook(), announced: map[string]bool{},
		story: &Story{ID: f.ID, Title: f.Title, Source: f.Source}}
	for _, a := range f.Actors {
		d, err := c.desk(ctx, a)
		if err != nil {
			return nil, fmt.Errorf("%s: actor %s: %w", f.name, a.Name, err)
		}
		c.desks[a.Name], c.officers[a.Name] = d, a.officerOf(d)
		if c.names[d.ID] == "" {
			c.names[d.ID] = a.Name // a desk is called after the first actor of it
		}
	}
	for prefix, list := range map[string][]string{statement.Person: f.Persons, statement.OtherPerson: f.Others, statement.Case: f.Cases} {
		for _, name := range list {
			id := statement.NewID(prefix)
			c.ids[prefix+"/"+name], c.names[id] = id, name
		}
	}
	return c, nil
}

// institution is the code of where an actor's desk is.
func (a *Actor) institution() string {
	if a.Sponsor != "" {
		return a.Sponsor
	}
	code, _, _ := strings.Cut(a.Desk, ".")
	return code
}

func (c *cast) desk(ctx context.Context, a Actor) (*demo.Desk, error) {
	if a.Sponsor != "" {
		return c.w.Represent(ctx, a.Sponsor)
	}
	code, fn, _ := strings.Cut(a.Desk, ".")
	m, ok := c.w.Member(code)
	if !ok {
		return nil, fmt.Errorf("institution %s takes no part", code)
	}
	d, ok := m.Desk(fn)
	if !ok {
		return nil, fmt.Errorf("institution %s has no desk %s", code, fn)
	}
	return d, nil
}

func (c *cast) caseID(name string) string { return c.ids[statement.Case+"/"+name] }

// party is the identifier of an actor's desk, a person or another person.
func (c *cast) party(name string) string {
	if d, ok := c.desks[name]; ok {
		return d.ID
	}
	if id, ok := c.ids[statement.Person+"/"+name]; ok {
		return id
	}
	return c.ids[statement.OtherPerson+"/"+name]
}

func (c *cast) parties(names []string) []string {
	list := make([]string, 0, len(names))
	for _, n := range names {
		list = append(list, c.party(n))
	}
	return list
}

// inst is the institution of an actor, or one of the demonstration directory.
func (c *cast) inst(name string) string {
	if d, ok := c.desks[name]; ok {
		return d.Member.ID
	}
	if m, ok := c.w.Member(name); ok {
		return m.ID
	}
	return ""
}

func (c *cast) insts(names []string) []string {
	list := make([]string, 0, len(names))
	for _, n := range names {
		list = append(list, c.inst(n))
	}
	return list
}

// called is what the scenario calls an identifier: an actor, a person, a thing;
// else the desk's name in the directory, else the identifier itself.
func (c *cast) called(id string) string {
	if name, ok := c.names[id]; ok {
		return name
	}
	if d, ok := c.w.DeskByID(id); ok {
		return d.Name()
	}
	return id
}

func (c *cast) office(ctx context.Context, actor string) (*office.Office, *demo.Desk, error) {
	who, d := c.officers[actor], c.desks[actor]
	if who == nil {
		return nil, nil, fmt.Errorf("%s has not joined yet", actor)
	}
	o, err := who.Office(ctx)
	return o, d, err
}

// atWork is one actor of each desk but representatives', who can ask for it:
// neither not yet there nor gone.
func (c *cast) atWork() []string {
	var list []string
	asked := map[string]bool{}
	for _, a := range c.f.Actors {
		d := c.desks[a.Name]
		if d.Fn == directory.Rep || asked[d.ID] || c.officers[a.Name] == nil || !slices.Contains(d.Officers, c.officers[a.Name]) {
			continue
		}
		asked[d.ID] = true
		list = append(list, a.Name)
	}
	return list
}

// note takes a named thing down.
func (c *cast) note(t *thing) {
	if t.name != "" {
		c.things[t.name] = t
	}
	c.names[t.id] = t.name
}

// record takes down the opening that answered an act.
func (c *cast) record(t *thing, item *evidence.Item) error {
	if item == nil {
		return errors.New("the exchange recorded nothing")
	}
	opening, err := item.Opening()
	if err != nil {
		return err
	}
	_, priv, err := opening.Decode()
	if err != nil {
		return err
	}
	if t.item == nil {
		t.item, t.idx = item, item.Idx
	}
	for _, o := range priv.Opens {
		c.opened[o.O] = t.id
	}
	c.justOpened = append(c.justOpened, priv.Opens...)
	return nil
}

// noSaid is a refusal as it came about: whose, with which code, for whom.
type noSaid struct {
	by, code, detail, desk string
}

// saidNo tells whether an error is a no, and whose.
func saidNo(err error) (noSaid, bool) {
	var own *office.Refused
	if errors.As(err, &own) {
		return noSaid{by: "program", code: own.Code, detail: own.Detail, desk: own.Desk}, true
	}
	var lie *office.SecurityError
	if errors.As(err, &lie) {
		return noSaid{by: "program", code: "lie", detail: lie.What}, true
	}
	if errors.Is(err, office.ErrUnexpected) {
		return noSaid{by: "program", code: "unexpected", detail: err.Error()}, true
	}
	if errors.Is(err, office.ErrNoRelease) {
		return noSaid{by: "program", code: "release", detail: err.Error()}, true
	}
	var problem *wire.Problem
	if errors.As(err, &problem) {
		return noSaid{by: "exchange", code: problem.Code, detail: strings.Trim(problem.Detail+"; "+problem.Hint, "; ")}, true
	}
	return noSaid{}, false
}
