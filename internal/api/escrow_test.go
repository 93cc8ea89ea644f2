package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/api/apitest"
	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/keys/escrow"
)

// custody is a desk of A with an escrow for two of three custodians, and a head
// desk that watches.
type custody struct {
	*site
	cust  [3]apitest.Custodian
	epoch directory.Epoch
	ask   evidence.EscrowAsk
	head  string
}

func withCustody(s *site) *custody {
	s.t.Helper()
	c := &custody{site: s, head: statement.NewID("d")}
	now := s.Clock.Now()
	s.Enter(&directory.DeskProfile{D: c.head, I: s.A.Inst, Fn: "head", NB: now - 1, NA: now + 1e12}, s.A.Registrars[0])
	s.Enter(&directory.DeskMembers{D: c.head, Members: s.A.Users[1:]}, s.A.Registrars[:]...)
	for i := range c.cust {
		c.cust[i] = s.NewCustodian(fmt.Sprint(i))
	}
	s.NameCustodians(s.A, 2, c.cust[:]...)
	c.epoch = s.Rotate(s.A)
	c.ask = evidence.EscrowAsk{Desk: s.A.Desk, Epochs: []int64{2}, Officer: s.A.Users[0], Purpose: evidence.PurposeRecovery}
	return c
}

// say puts what a custodian says.
func (c *custody) say(who apitest.Custodian, id string, d *statement.DSSE) answer {
	c.t.Helper()
	raw, err := d.Encode()
	if err != nil {
		c.t.Fatal(err)
	}
	return c.do(c.signed(http.MethodPut, wire.Path(wire.PathStatement, id), raw, who.Signer))
}

func (c *custody) request(who apitest.Custodian, ask evidence.EscrowAsk) answer {
	c.t.Helper()
	id, d := c.EscrowRequest(who, c.A, ask)
	return c.say(who, id, d)
}

func (c *custody) refuse(who apitest.Custodian) answer {
	c.t.Helper()
	h := c.EscrowHead(who, c.A, evidence.EscrowRefused)
	return c.say(who, h.ID, c.Say(who, h.Ev, &evidence.EscrowRefusal{Head: h, EscrowAsk: c.ask, Reason: "not-in-person"}))
}

func (c *custody) report(who apitest.Custodian, release int64) answer {
	c.t.Helper()
	h := c.EscrowHead(who, c.A, evidence.EscrowOpened)
	return c.say(who, h.ID, c.Say(who, h.Ev, &evidence.EscrowReport{Head: h, EscrowAsk: c.ask, Outcome: evidence.OutcomeMatched, Release: release}))
}

// fetch asks for the file of a subset of the custodians.
func (c *custody) fetch(key statement.SigningKey, cust ...int) answer {
	c.t.Helper()
	at := slices.IndexFunc(c.epoch.Esc, func(e directory.Escrow) bool { return slices.Equal(e.Cust, cust) })
	path := wire.Path(wire.PathEscrowFile, c.A.Desk, fmt.Sprint(c.epoch.E), c.epoch.Esc[at].SHA256)
	return c.do(c.signed(http.MethodGet, path, nil, key))
}

func (c *custody) nothing(key statement.SigningKey, status int, code string) {
	c.t.Helper()
	for _, e := range c.epoch.Esc {
		c.want(c.fetch(key, e.Cust...), status, code)
	}
}

// events lists what a feed shows of the escrow.
func (c *custody) events(desk string, key statement.SigningKey) []string {
	c.t.Helper()
	a := c.do(c.signed(http.MethodGet, wire.PathFeed+"?desk="+desk, nil, key))
	c.want(a, http.StatusOK, "")
	var feed wire.Feed
	if err := json.Unmarshal(a.body, &feed); err != nil {
		c.t.Fatal(err)
	}
	var list []string
	for _, item := range feed.Items {
		o, err := item.Opening()
		if err != nil {
			c.t.Fatal(err)
		}
		meta, _, err := o.Decode()
		if err != nil {
			c.t.Fatal(err)
		}
		if evidence.IsEscrow(meta.Ev) {
			list = append(list, meta.Ev)
		}
	}
	return list
}

func (c *custody) page(key statement.SigningKey) wire.Escrow {
	c.t.Helper()
	a := c.do(c.signed(http.MethodGet, wire.Path(wire.PathEscrow, c.A.Desk), nil, key))
	c.want(a, http.StatusOK, "")
	var page wire.Escrow
	if err := json.Unmarshal(a.body, &page); err != nil {
		c.t.Fatal(err)
	}
	return page
}

// releaseOf finds the last release on the page.
func (c *custody) releaseOf(page wire.Escrow) (int64, evidence.ReleasedData) {
	c.t.Helper()
	for _, item := range slices.Backward(page.Items) {
		o, err := item.Opening()
		if err != nil {
			c.t.Fatal(err)
		}
		meta, priv, err := o.Decode()
		if err != nil {
			c.t.Fatal(err)
		}
		if meta.Ev == evidence.EscrowReleased {
			var data evidence.ReleasedData
			if err := errors.Join(statement.Unmarshal(priv.Data, &data), data.Check()); err != nil {
				c.t.Fatal(err)
			}
			return item.Idx, data
		}
	}
	return -1, evidence.ReleasedData{}
}

// Two of three release; one does not, and before the release is in the feeds of
// desk and head nobody has a byte.
func TestEscrowRelease(t *testing.T) {
	onEngines(t, func(s *site) {
		c := withCustody(s)
		one, two, three := c.cust[0].Signer, c.cust[1].Signer, c.cust[2].Signer
		c.nothing(one, http.StatusForbidden, "escrow_sealed")
		c.want(c.request(c.cust[0], c.ask), http.StatusOK, "")
		for _, key := range []statement.SigningKey{one, two, three} {
			c.nothing(key, http.StatusForbidden, "escrow_sealed")
		}
		c.want(c.request(c.cust[0], c.ask), http.StatusConflict, "escrow_asked")
		c.nothing(one, http.StatusForbidden, "escrow_sealed")
		c.want(c.request(c.cust[1], c.ask), http.StatusOK, "")

		want := []string{evidence.EscrowRequested, evidence.EscrowRequested, evidence.EscrowReleased}
		for desk, key := range map[string]statement.SigningKey{s.A.Desk: s.A.Officers[0], c.head: s.A.Officers[1]} {
			if got := c.events(desk, key); !slices.Equal(got, want) {
				t.Errorf("the feed shows %v, want %v", got, want)
			}
		}
		for _, key := range []statement.SigningKey{one, two} {
			a := c.fetch(key, 0, 1)
			c.want(a, http.StatusOK, "")
			c.want(c.fetch(key, 0, 2), http.StatusForbidden, "escrow_sealed")
		}
		c.nothing(three, http.StatusForbidden, "escrow_sealed")
		p, err := escrow.Peel(c.fetch(one, 0, 1).body, c.cust[0].Identity)
		if err != nil {
			t.Fatal(err)
		}
		if p, err = escrow.Peel(p.Next(), c.cust[1].Identity); err != nil {
			t.Fatal(err)
		}
		if id, last := p.Identity(); !last || directory.RecipientHash(id.Recipient().String()) != s.A.RK {
			t.Error("what came out is not the desk's key")
		}

		release, data := c.releaseOf(c.page(one))
		if len(data.Files) != 1 || len(data.Requests) != 2 || data.Until != s.Clock.Now()+evidence.EscrowTerm {
			t.Errorf("released %+v", data)
		}
		c.want(c.report(c.cust[2], release), http.StatusForbidden, "escrow_sealed")
		c.want(c.report(c.cust[1], release-1), http.StatusForbidden, "escrow_sealed")
		c.want(c.report(c.cust[1], release), http.StatusOK, "")
		c.want(c.report(c.cust[1], release), http.StatusConflict, "escrow_asked")

		s.Clock.Advance(7 * 24 * time.Hour)
		c.nothing(one, http.StatusForbidden, "escrow_sealed")
		c.sound()
	})
}

// sound wants the store to be what its ledger says, after everything.
func (c *custody) sound() {
	c.t.Helper()
	scratch, err := sqlstore.Create(c.t.Context(), "sqlite:"+c.t.TempDir()+"/scratch.db")
	if err != nil {
		c.t.Fatal(err)
	}
	defer scratch.Close()
	found, err := exchange.Check(c.t.Context(), c.Store, scratch, rules.NewSet(c.Pack), nil)
	if err != nil || len(found) > 0 {
		c.t.Errorf("%v, %v", found, err)
	}
}

// A request counts for one release: what two asked together does not let one of
// them do it again alone.
func TestEscrowRequestsAreUsedUp(t *testing.T) {
	c := withCustody(open(t, api.Options{}))
	c.want(c.request(c.cust[0], c.ask), http.StatusOK, "")
	c.want(c.request(c.cust[1], c.ask), http.StatusOK, "")
	first, _ := c.releaseOf(c.page(c.cust[0].Signer))
	c.want(c.request(c.cust[1], c.ask), http.StatusOK, "")
	if again, _ := c.releaseOf(c.page(c.cust[0].Signer)); again != first {
		t.Error("one custodian released the escrow again")
	}
	c.want(c.request(c.cust[2], c.ask), http.StatusOK, "")
	if _, data := c.releaseOf(c.page(c.cust[0].Signer)); len(data.Files) != 1 || !slices.Equal(data.Files[0].Cust, []int{1, 2}) {
		t.Errorf("released %+v", data.Files)
	}
	c.want(c.fetch(c.cust[2].Signer, 1, 2), http.StatusOK, "")
	c.want(c.fetch(c.cust[0].Signer, 1, 2), http.StatusForbidden, "escrow_sealed")
}

// Who refuses stops nobody but herself, and requests older than a week, or for
// something else, do not count together.
func TestEscrowRefusalAndTerm(t *testing.T) {
	c := withCustody(open(t, api.Options{}))
	c.want(c.refuse(c.cust[2]), http.StatusConflict, "escrow_asked")
	c.want(c.request(c.cust[0], c.ask), http.StatusOK, "")
	c.want(c.refuse(c.cust[2]), http.StatusOK, "")
	c.want(c.refuse(c.cust[0]), http.StatusOK, "") // she thought better of it
	c.want(c.request(c.cust[1], c.ask), http.StatusOK, "")
	c.nothing(c.cust[1].Signer, http.StatusForbidden, "escrow_sealed")

	other := c.ask
	other.Purpose = evidence.PurposeRehearsal
	c.want(c.request(c.cust[0], other), http.StatusOK, "")
	other = c.ask
	other.Officer = c.A.Users[1]
	c.want(c.request(c.cust[0], other), http.StatusOK, "")
	c.nothing(c.cust[1].Signer, http.StatusForbidden, "escrow_sealed")

	c.Clock.Advance(7 * 24 * time.Hour)
	c.want(c.request(c.cust[2], c.ask), http.StatusOK, "")
	c.nothing(c.cust[2].Signer, http.StatusForbidden, "escrow_sealed")
	c.want(c.request(c.cust[1], c.ask), http.StatusOK, "")
	c.want(c.fetch(c.cust[2].Signer, 1, 2), http.StatusOK, "")
}

// Nobody but the custodians of the desk's own institution asks or fetches, and
// only for a member of the desk.
func TestEscrowIsForItsCustodians(t *testing.T) {
	c := withCustody(open(t, api.Options{}))
	foreign := [2]apitest.Custodian{c.NewCustodian("B1"), c.NewCustodian("B2")}
	c.NameCustodians(c.B, 2, foreign[:]...)
	c.want(c.request(foreign[0], c.ask), http.StatusForbidden, "custodian")
	officer := apitest.Custodian{Signer: c.A.Officers[0]}
	c.want(c.request(officer, c.ask), http.StatusForbidden, "custodian")
	c.want(c.request(apitest.Custodian{Signer: c.A.Root}, c.ask), http.StatusForbidden, "custodian")
	for change, want := range map[*evidence.EscrowAsk]string{
		{Epochs: []int64{1}}:                          "escrow", // before there were custodians
		{Epochs: []int64{3}}:                          "escrow",
		{Officer: c.B.Users[0]}:                       "escrow_officer",
		{Officer: statement.NewID(statement.Officer)}: "escrow_officer",
	} {
		ask := c.ask
		if change.Epochs != nil {
			ask.Epochs = change.Epochs
		}
		if change.Officer != "" {
			ask.Officer = change.Officer
		}
		c.want(c.request(c.cust[0], ask), http.StatusUnprocessableEntity, want)
	}
	c.want(c.request(c.cust[0], c.ask), http.StatusOK, "")
	c.want(c.request(c.cust[1], c.ask), http.StatusOK, "")
	for _, key := range []statement.SigningKey{foreign[0].Signer, c.A.Officers[0], c.A.Registrars[0], c.A.Root, c.B.Officers[0]} {
		c.nothing(key, http.StatusNotFound, "not_found")
	}
	// Nor as an ordinary package, whoever asks.
	for _, e := range c.epoch.Esc {
		for _, key := range []statement.SigningKey{c.cust[0].Signer, c.A.Officers[0], c.B.Officers[0], c.A.Root} {
			c.want(c.do(c.signed(http.MethodGet, wire.Path(wire.PathPackage, e.SHA256), nil, key)), http.StatusNotFound, "not_found")
		}
	}
	for _, key := range []statement.SigningKey{c.A.Officers[0], c.A.Registrars[0], c.A.Root, c.cust[2].Signer} {
		c.page(key)
	}
	for _, key := range []statement.SigningKey{c.B.Officers[0], foreign[0].Signer, c.B.Registrars[0]} {
		c.want(c.do(c.signed(http.MethodGet, wire.Path(wire.PathEscrow, c.A.Desk), nil, key)), http.StatusNotFound, "not_found")
	}
	// A leaf of something else is not shown by asking for it.
	c.want(c.do(c.signed(http.MethodGet, wire.Path(wire.PathEscrow, c.B.Desk)+"?from=0", nil, foreign[0].Signer)), http.StatusNotFound, "not_found")
}

// Who names another's escrow file in an epoch of her own does not get it by that.
func TestEscrowFileOfAnotherDesk(t *testing.T) {
	c := withCustody(open(t, api.Options{}))
	mine := [2]apitest.Custodian{c.NewCustodian("B1"), c.NewCustodian("B2")}
	c.NameCustodians(c.B, 2, mine[:]...)
	stolen := c.epoch.Esc[0].SHA256
	fresh := c.NewCustodian("fresh").Identity.Recipient().String()
	rk := directory.RecipientHash(fresh)
	if err := c.X.PutKey(t.Context(), exchange.Caller{Key: statement.KeyID(c.B.Officers[0].Public()), Nonce: statement.NewID("x")}, rk, fresh); err != nil {
		t.Fatal(err)
	}
	body := &directory.DeskEpoch{D: c.B.Desk, E: 2, RK: rk, Why: "theft", Esc: []directory.Escrow{{Cust: []int{0, 1}, SHA256: stolen}}}
	for _, k := range c.B.Officers {
		body.Pkg = append(body.Pkg, directory.Package{Key: statement.KeyID(k.Public()), SHA256: stolen})
	}
	c.Enter(body, c.B.Officers[0])
	c.want(c.do(c.signed(http.MethodGet, wire.Path(wire.PathPackage, stolen), nil, c.B.Officers[0])), http.StatusNotFound, "not_found")
	ask := evidence.EscrowAsk{Desk: c.B.Desk, Epochs: []int64{2}, Officer: c.B.Users[0], Purpose: evidence.PurposeRehearsal}
	for _, who := range mine {
		id, d := c.EscrowRequest(who, c.B, ask)
		c.want(c.say(who, id, d), http.StatusOK, "")
	}
	path := wire.Path(wire.PathEscrowFile, c.B.Desk, "2", stolen)
	c.want(c.do(c.signed(http.MethodGet, path, nil, mine[0].Signer)), http.StatusNotFound, "not_found")
}

// A custodian who was replaced asks for nothing more, takes nothing more, and what
// she asked before does not count; the new one has no layer in what was sealed
// before her.
func TestEscrowOfReplacedCustodians(t *testing.T) {
	c := withCustody(open(t, api.Options{}))
	c.want(c.request(c.cust[2], c.ask), http.StatusOK, "")
	next := c.NewCustodian("next")
	c.NameCustodians(c.A, 2, c.cust[0], c.cust[1], next)
	if a := c.request(c.cust[2], c.ask); a.status != http.StatusUnauthorized {
		t.Errorf("a replaced custodian: %d %s", a.status, a.code())
	}
	c.want(c.request(next, c.ask), http.StatusUnprocessableEntity, "escrow")
	c.want(c.request(c.cust[0], c.ask), http.StatusOK, "")
	c.nothing(c.cust[0].Signer, http.StatusForbidden, "escrow_sealed")
	c.want(c.request(c.cust[1], c.ask), http.StatusOK, "")
	c.want(c.fetch(c.cust[0].Signer, 0, 1), http.StatusOK, "")

	c.epoch = c.Rotate(c.A)
	c.ask.Epochs = []int64{3}
	c.want(c.request(next, c.ask), http.StatusOK, "")
	c.want(c.request(c.cust[0], c.ask), http.StatusOK, "")
	a := c.fetch(next.Signer, 0, 2)
	c.want(a, http.StatusOK, "")
	if _, err := escrow.Peel(a.body, c.cust[2].Identity); !errors.Is(err, escrow.ErrNotMine) {
		t.Errorf("the replaced custodian opens a layer of a later key: %v", err)
	}
}

// An epoch without its escrow files does not enter: they could never be fetched.
func TestEpochWantsItsEscrowFiles(t *testing.T) {
	c := withCustody(open(t, api.Options{}))
	body := &directory.DeskEpoch{D: c.A.Desk, E: 3, RK: c.A.RK, Why: "theft", Esc: slices.Clone(c.epoch.Esc), Pkg: c.epoch.Pkg}
	body.Esc[2].SHA256 = statement.KeyID(c.A.Root.Public())[len("ed25519:"):]
	fresh := c.NewCustodian("fresh").Identity.Recipient().String()
	body.RK = directory.RecipientHash(fresh)
	if err := c.X.PutKey(t.Context(), exchange.Caller{Key: statement.KeyID(c.A.Officers[0].Public()), Nonce: statement.NewID("x")}, body.RK, fresh); err != nil {
		t.Fatal(err)
	}
	digest, d := c.Prepare(body, c.A.Officers[0])
	raw, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	c.want(c.do(c.signed(http.MethodPut, wire.Path(wire.PathDirectory, digest), raw, c.A.Officers[0])), http.StatusConflict, "package_missing")
}

// The answer to a request that came twice is the same, and one custodian cannot
// fill the ledger.
func TestEscrowRequestsAreBounded(t *testing.T) {
	c := withCustody(open(t, api.Options{}))
	id, d := c.EscrowRequest(c.cust[0], c.A, c.ask)
	first, again := c.say(c.cust[0], id, d), c.say(c.cust[0], id, d)
	c.want(first, http.StatusOK, "")
	if !bytes.Equal(first.body, again.body) {
		t.Errorf("%s\nthen %s", first.body, again.body)
	}
	refused := 0
	for range 15 {
		for _, a := range []answer{c.refuse(c.cust[0]), c.request(c.cust[1], c.ask), c.refuse(c.cust[1]), c.request(c.cust[0], c.ask)} {
			if a.code() == "escrow_asked" {
				refused++
			}
		}
	}
	if refused == 0 || len(c.page(c.cust[0].Signer).Items) > 100 {
		t.Errorf("%d refused, %d on record", refused, len(c.page(c.cust[0].Signer).Items))
	}
}

// A clock that is set back a little between two requests changes nothing of what
// auditors compute: the times of the record count.
func TestEscrowWhenTheClockGoesBack(t *testing.T) {
	c := withCustody(open(t, api.Options{}))
	c.Clock.Advance(time.Hour) // well after the last checkpoint
	c.want(c.request(c.cust[0], c.ask), http.StatusOK, "")
	recorded := c.Clock.Now()
	c.Clock.Set(recorded - 60_000)
	c.want(c.request(c.cust[1], c.ask), http.StatusOK, "")
	if _, data := c.releaseOf(c.page(c.cust[0].Signer)); data.Until != recorded+evidence.EscrowTerm {
		t.Errorf("until %d, want 7 days after the time of the leaf, %d", data.Until, recorded+evidence.EscrowTerm)
	}
}

// A store that lost or changed an escrow file says so when it is checked, not on the
// day the file is needed.
func TestCheckFindsLostEscrow(t *testing.T) {
	c := withCustody(open(t, api.Options{}))
	c.sound()
	store := &forgetful{Store: c.Store, lost: c.epoch.Esc[1].SHA256}
	scratch, err := sqlstore.Create(t.Context(), "sqlite:"+t.TempDir()+"/scratch.db")
	if err != nil {
		t.Fatal(err)
	}
	defer scratch.Close()
	found, err := exchange.Check(t.Context(), store, scratch, rules.NewSet(c.Pack), nil)
	if err != nil || len(found) != 1 || !strings.Contains(found[0].What, "an escrow file of key 2") {
		t.Errorf("%v, %v", found, err)
	}
}

// forgetful is a store without one package.
type forgetful struct {
	exchange.Store
	lost string
}

type forgetfulView struct {
	exchange.View
	lost string
}

func (f *forgetful) Read(ctx context.Context, do func(v exchange.View) error) error {
	return f.Store.Read(ctx, func(v exchange.View) error { return do(forgetfulView{v, f.lost}) })
}

func (f forgetfulView) Package(ctx context.Context, sha256 string) ([]byte, bool, error) {
	if sha256 == f.lost {
		return nil, false, nil
	}
	return f.View.Package(ctx, sha256)
}
