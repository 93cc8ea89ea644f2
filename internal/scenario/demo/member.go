package demo

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/keys/keystore"
)

// Member is an institution that takes part.
type Member struct {
	Institution
	ID         string // i_…
	Desks      []*Desk
	world      *World
	root       *keystore.Keystore
	registrars []*keystore.Keystore // two, who sign officers and desks in
	custodians []*keystore.Keystore // none unless named
	mu         sync.Mutex           // one statement of an institution after the other
	founder    *founder
}

// Desk is a unit of an institution, or a representative whom it hosts.
type Desk struct {
	ID       string // d_…
	Fn       string
	Member   *Member
	Officers []*Officer // two; of a representative's desk one
}

// Officer is somebody who acts for one desk.
type Officer struct {
	ID   string // u_…
	Keys *keystore.Keystore
	desk *Desk

	mu     sync.Mutex // guards what follows
	office *office.Office
}

// Desk finds a desk by its function.
func (m *Member) Desk(fn string) (*Desk, bool) {
	i := slices.IndexFunc(m.Desks, func(d *Desk) bool { return d.Fn == fn })
	if i < 0 {
		return nil, false
	}
	return m.Desks[i], true
}

// Registrars are the two who sign officers and desks in.
func (m *Member) Registrars() []*keystore.Keystore { return slices.Clone(m.registrars) }

// Name is how people call the desk: "swc-nis.legal".
func (d *Desk) Name() string { return d.Member.Code + "." + d.Fn }

// Office is the desk's first officer at work. It synchronised with the
// directory.
func (d *Desk) Office(ctx context.Context) (*office.Office, error) { return d.Officers[0].Office(ctx) }

// Office is the officer at work, with a notebook that lives in memory.
func (o *Officer) Office(ctx context.Context) (*office.Office, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.office != nil {
		return o.office, nil
	}
	at, err := o.desk.Member.world.officeOf(o.Keys)
	if err != nil {
		return nil, err
	}
	if err := at.Sync(ctx); err != nil {
		return nil, fmt.Errorf("demo: officer of %s: %w", o.desk.Name(), err)
	}
	o.office = at
	return at, nil
}

// roles the next officer of a desk has. The first may hand earlier keys of the
// desk to a new colleague.
func (d *Desk) roles() []string {
	if len(d.Officers) == 0 && d.Fn != directory.Rep {
		return append(rolesOf(d.Fn), office.RoleDeskKey)
	}
	return rolesOf(d.Fn)
}

func rolesOf(fn string) []string {
	switch fn {
	case "duty", "head":
		return []string{"member", fn}
	case "supervision":
		return []string{"member", "supervisor"}
	case "audit":
		return []string{"member", "auditor"}
	}
	return []string{"member"}
}

// newMember gives an institution its identifier, so that others can name it
// before it joins.
func (w *World) newMember(i Institution) *Member {
	m := &Member{Institution: i, ID: statement.NewID(statement.Institution), world: w}
	w.Members = append(w.Members, m)
	w.byCode[i.Code] = m
	return m
}

// AddDesk opens a desk at an institution and enrols its officers. A
// representative's has one.
func (m *Member) AddDesk(ctx context.Context, fn string) (*Desk, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := &Desk{ID: statement.NewID(statement.Desk), Fn: fn, Member: m}
	staff := 2
	if fn == directory.Rep {
		staff = 1
	}
	if err := m.founder.profile(ctx, d); err != nil {
		return nil, err
	}
	for range staff {
		o, err := m.founder.enrol(ctx, d)
		if err != nil {
			return nil, err
		}
		d.Officers = append(d.Officers, o)
	}
	if err := m.founder.staff(ctx, d); err != nil {
		return nil, err
	}
	if err := m.founder.epoch(ctx, d); err != nil {
		return nil, err
	}
	m.Desks = append(m.Desks, d)
	m.world.addDesk(d)
	return d, nil
}
