package office_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/keys/keystore"
	"github.com/odziv/odziv/keys/transparency"
)

// acceptAll lets an officer accept everything that waits for her.
func acceptAll(t *testing.T, p *program) {
	t.Helper()
	for _, c := range p.Unexpected("") {
		if _, err := p.Accept(c.Idx); err != nil && !errors.Is(err, office.ErrNoChange) {
			t.Fatal(err)
		}
	}
}

// waiting wants exactly these kinds of changes to wait for an officer.
func waiting(t *testing.T, p *program, want ...string) []transparency.Change {
	t.Helper()
	list := p.fresh(t).Unexpected("")
	var got []string
	for _, c := range list {
		got = append(got, c.What)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v wait, want %v", got, want)
	}
	return list
}

// atKeys opens the program of anybody's keystore.
func atKeys(t *testing.T, w *demo.World, keys *keystore.Keystore, dir string) *program {
	t.Helper()
	notebook := office.MemoryNotebook(w.Pin())
	if dir != "" {
		var err error
		if notebook, err = office.OpenNotebook(dir); err != nil {
			notebook, err = office.CreateNotebook(dir, w.Pin())
		}
		check(t, err)
	}
	net := &network{base: &http.Transport{DisableCompression: true}}
	t.Cleanup(net.base.CloseIdleConnections)
	c, err := client.New(w.URL, keys.Signer(), w.Clock.Now, client.Options{Transport: net,
		Pause: func(ctx context.Context, _ time.Duration) error { time.Sleep(time.Millisecond); return ctx.Err() }})
	check(t, err)
	o, err := office.Open(office.Config{Client: c, Keys: keys, Notebook: notebook, Packs: w.Packs, Clock: w.Clock.Now, Demo: true})
	check(t, err)
	return &program{Office: o, net: net}
}

// Two registrars turn on their own institution and put a stranger at a desk.
// Every member sees it at once and seals nothing; every other institution can
// read it; and the stranger opens nothing, until a member of the desk helps her.
func TestStrangerAtTheDesk(t *testing.T) {
	w := open(t)
	from, to := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry")
	first, second, outside := at(t, w, from, 0, t.TempDir()), at(t, w, from, 1, ""), at(t, w, to, 0, "")
	letter, err := first.Send(t.Context(), complaint(from.ID, to.ID))
	check(t, err)
	waiting(t, first)

	rogue, err := from.Enrol(t.Context(), "member")
	check(t, err)
	for _, p := range []*program{first, second} {
		c := waiting(t, p, "desk.members")[0]
		if a := c.Adds[0]; a.Officer != rogue.ID || a.Desk != from.ID || a.Enrolled == nil || len(c.By) != 2 || c.By[0].As != transparency.AsRegistrar || len(c.Reads) != 0 {
			t.Errorf("%+v", c)
		}
		p.net.set(nil)
		_, err := p.Send(t.Context(), complaint(from.ID, to.ID))
		if !errors.Is(err, office.ErrUnexpected) || p.net.count("PUT") != 0 {
			t.Errorf("sealed: %v", err)
		}
		if _, err := p.Rotate(t.Context(), from.ID, "yearly"); !errors.Is(err, office.ErrUnexpected) {
			t.Errorf("a key was made for her: %v", err)
		}
		_, err = p.Letters(t.Context(), from.ID)
		check(t, err)
	}
	// She is a member: her own program begins with her. Her key has no use.
	there := at(t, w, from, 2, "")
	waiting(t, there)
	if _, err := there.Read(t.Context(), from.ID, letter.Msg); !errors.Is(err, office.ErrNoPackage) {
		t.Errorf("the stranger reads: %v", err)
	}
	_, err = there.Rotate(t.Context(), from.ID, "yearly")
	check(t, err)
	for _, p := range []*program{first, second} {
		waiting(t, p, "desk.members", "desk.epoch")
		if err := p.Acknowledge(t.Context(), from.ID); !errors.Is(err, office.ErrUnexpected) {
			t.Errorf("her key was acknowledged: %v", err)
		}
	}
	// Senders use the old key as long as nobody helps her.
	_, err = outside.Send(t.Context(), complaintBack(t, outside, letter, from.ID))
	check(t, err)
	log, err := outside.DeskLog(t.Context(), from.ID)
	check(t, err)
	if e, _ := outside.Directory().ActiveEpoch(from.ID); e.E != 1 || log.FeedRead || len(log.Keys) != 2 || len(log.Keys[1].Used) != 0 {
		t.Errorf("epoch %d, %+v", e.E, log)
	}

	// A member turns too, with a program of her own making.
	accomplice := from.Officers[1].Keys
	check(t, w.Propose(t.Context(), &directory.DeskEpochAck{D: from.ID, E: 2}, accomplice.Signer()))
	check(t, w.Published(t.Context()))
	late, err := outside.Send(t.Context(), complaintBack(t, outside, letter, from.ID))
	check(t, err)
	if _, err := there.Read(t.Context(), from.ID, late.Msg); err != nil {
		t.Errorf("sealed to the new key: %v", err)
	}
	if _, err := there.Read(t.Context(), from.ID, letter.Msg); !errors.Is(err, office.ErrNoPackage) {
		t.Errorf("the stranger reads what was before: %v", err)
	}
	list := waiting(t, first, "desk.members", "desk.epoch", "desk.epoch.ack")
	if r := list[0].Reads; len(r) != 1 || r[0].Epoch != 2 || len(r[0].Used) != 1 || r[0].Used[0].From != list[2].Idx {
		t.Errorf("what she can read: %+v", r)
	}
	log, err = outside.DeskLog(t.Context(), from.ID)
	check(t, err)
	if k := log.Keys[1]; len(k.Used) != 1 || !slices.ContainsFunc(k.Readers, func(r transparency.Reader) bool { return r.Officer == rogue.ID }) {
		t.Errorf("another institution reads %+v", k)
	}

	// One honest registrar ends it; who looked seals again.
	check(t, rogue.Leave(t.Context()))
	waiting(t, first, "desk.members", "desk.epoch", "desk.epoch.ack")
	_, err = first.Accept(99999)
	if !errors.Is(err, office.ErrNoChange) {
		t.Error(err)
	}
	acceptAll(t, first)
	waiting(t, first)
	_, err = first.Rotate(t.Context(), from.ID, "member-left")
	check(t, err)
	waiting(t, second, "desk.members", "desk.epoch") // what she signed herself waits for nobody
}

// Two strangers need no accomplice: one makes a key, the other acknowledges it, and
// senders use it. Any member ends that with one word, which no warning stands in
// the way of, and what went to the key in between is what they can read.
func TestTwoStrangers(t *testing.T) {
	w := open(t)
	from, to := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry")
	member, outside := at(t, w, from, 0, ""), at(t, w, to, 0, "")
	letter, err := member.Send(t.Context(), complaint(from.ID, to.ID))
	check(t, err)
	for range 2 {
		_, err := from.Enrol(t.Context(), "member")
		check(t, err)
	}
	maker, checker := at(t, w, from, 2, ""), at(t, w, from, 3, "")
	acceptAll(t, maker.fresh(t))
	_, err = maker.Rotate(t.Context(), from.ID, "yearly")
	check(t, err)
	check(t, checker.Acknowledge(t.Context(), from.ID))
	caught, err := outside.Send(t.Context(), complaintBack(t, outside, letter, from.ID))
	check(t, err)
	_, err = checker.Read(t.Context(), from.ID, caught.Msg)
	check(t, err)

	list := waiting(t, member, "desk.members", "desk.members", "desk.epoch", "desk.epoch.ack")
	if r := list[0].Reads; len(r) != 1 || len(r[0].Used) != 1 || r[0].Used[0].Until != 0 {
		t.Errorf("%+v", r)
	}
	_, err = member.Dispute(t.Context(), from.ID, 0, "strangers")
	check(t, err)
	list = waiting(t, member, "desk.members", "desk.members", "desk.epoch", "desk.epoch.ack")
	if r := list[0].Reads; len(r) != 1 || len(r[0].Used) != 1 || r[0].Used[0].Until == 0 {
		t.Errorf("it is not over: %+v", r)
	}
	safe, err := outside.Send(t.Context(), complaintBack(t, outside, letter, from.ID))
	check(t, err)
	if _, err := maker.Read(t.Context(), from.ID, safe.Msg); !errors.Is(err, office.ErrNoPackage) {
		t.Errorf("a stranger reads on: %v", err)
	}
	_, err = member.Read(t.Context(), from.ID, safe.Msg)
	check(t, err)
	h, err := outside.DeskHistory(from.ID)
	check(t, err)
	if k := h.Keys[1]; k.Disputed == nil || len(k.Used) != 1 || len(h.Keys[0].Used) != 2 {
		t.Errorf("%+v", h.Keys)
	}
}

// complaintBack is any message from another institution to a desk.
func complaintBack(t *testing.T, p *program, re office.Sent, to string) office.Draft {
	t.Helper()
	d := complaint(p.desk, to)
	d.Kind, d.Re, d.Subj, d.Case = "correction", re.Msg, nil, ""
	d.Text.Fields = map[string]string{"corrected": "this"}
	return d
}

// A child in danger is not left waiting for a telephone call: an immediate message
// goes when the officer says so, and says so itself.
func TestImmediateDespiteUnexpected(t *testing.T) {
	w := open(t)
	from, to := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry")
	p := at(t, w, from, 0, "")
	sent, err := p.Send(t.Context(), complaint(from.ID, to.ID))
	check(t, err)
	_, err = from.Enrol(t.Context(), "member")
	check(t, err)
	d := complaintBack(t, p, sent, to.ID)
	d.Urg = "I"
	if _, err := p.Send(t.Context(), d); !errors.Is(err, office.ErrUnexpected) {
		t.Errorf("without saying so: %v", err)
	}
	d.DespiteUnexpected = true
	got, err := p.Send(t.Context(), d)
	check(t, err)
	if !hasCaution(got.Cautions, office.CautionUnexpected) {
		t.Errorf("%+v", got.Cautions)
	}
	d.Urg, d.Msg = "R", ""
	p.net.set(nil)
	_, err = p.Send(t.Context(), d)
	refused(t, p, err, "despite")
}

// Who may let others read is watched like who reads.
func TestOfficesReplaced(t *testing.T) {
	w := open(t)
	d := desk(t, w, "swc-kraljevo", "legal")
	m, root := d.Member, d.Member.Root().Signer()
	p, other := at(t, w, d, 0, ""), at(t, w, desk(t, w, "hppo-kraljevo", "registry"), 0, "")
	check(t, p.Sync(t.Context()))
	stranger := statement.NewSigningKey(derived("stranger"))
	dir := p.Directory()
	inst, _ := dir.Institution(m.ID)
	for _, step := range []struct {
		body directory.Body
		by   []statement.Signer
	}{
		{&directory.InstRegistrars{I: m.ID, Keys: append(inst.Registrars[:1:1], stranger.Public())}, []statement.Signer{root}},
		{&directory.InstCustodians{I: m.ID, K: 1, Rcps: []string{d.Officers[0].Keys.Recipient()}}, []statement.Signer{root}},
	} {
		check(t, w.Propose(t.Context(), step.body, step.by...))
	}
	check(t, w.Published(t.Context()))
	list := waiting(t, p, "inst.registrars", "inst.custodians")
	if !slices.Equal(list[0].Desks, []string{d.ID}) {
		t.Errorf("%+v", list[0])
	}
	waiting(t, other) // another institution's affair
	h, err := other.InstHistory(m.ID)
	check(t, err)
	if len(h.Registrars) != 2 || len(h.Custodians) != 1 || h.Registrars[1].Keys[1] != statement.KeyID(stranger.Public()) {
		t.Errorf("%+v", h)
	}
	if _, err := p.Rotate(t.Context(), d.ID, "yearly"); !errors.Is(err, office.ErrUnexpected) {
		t.Errorf("a key was sealed to custodians nobody knows: %v", err)
	}
}

// A sender learns of a recipient's new key, who made it and who reads; she is not
// kept from sending.
func TestRecipientsNewKey(t *testing.T) {
	w := open(t)
	from, to := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry")
	p := at(t, w, from, 0, t.TempDir())
	first, err := p.Check(t.Context(), complaint(from.ID, to.ID))
	check(t, err)
	if r := first.To[0]; r.New() || r.Last != 0 || r.Epoch != 1 || len(r.Holds) != 2 || r.Ack == nil {
		t.Errorf("%+v", r)
	}
	sent, err := p.Send(t.Context(), complaint(from.ID, to.ID))
	check(t, err)
	if len(sent.Cautions) != 0 {
		t.Errorf("%+v", sent.Cautions)
	}
	maker, second := at(t, w, to, 0, ""), at(t, w, to, 1, "")
	hired, err := to.Enrol(t.Context(), "member")
	check(t, err)
	acceptAll(t, maker.fresh(t))
	acceptAll(t, second.fresh(t))
	_, err = maker.Rotate(t.Context(), to.ID, "yearly")
	check(t, err)
	check(t, second.Acknowledge(t.Context(), to.ID))
	p.net.set(nil)
	now, err := p.Check(t.Context(), complaint(from.ID, to.ID))
	check(t, err)
	if r := now.To[0]; !r.New() || r.Epoch != 2 || r.Last != 1 || !slices.Equal(r.Joined, []string{hired.ID}) || len(r.Left) != 0 || !hasCaution(now.Cautions, office.CautionNewKey) {
		t.Errorf("%+v %+v", r, now.Cautions)
	}
	if p.net.count("PUT") != 0 {
		t.Error("a check sent something")
	}
	sent, err = p.Send(t.Context(), complaint(from.ID, to.ID))
	check(t, err)
	if !hasCaution(sent.Cautions, office.CautionNewKey) {
		t.Errorf("%+v", sent.Cautions)
	}
	sent, err = p.Send(t.Context(), complaint(from.ID, to.ID))
	check(t, err)
	if len(sent.Cautions) != 0 {
		t.Errorf("said twice: %+v", sent.Cautions)
	}
}

// A history of the own desk shows past keys that were given and recovered, which
// the directory does not; that of another's says that it cannot.
func TestHistoryOfPastKeys(t *testing.T) {
	r := withRecovery(t)
	r.released(evidence.PurposeRehearsal, 0, 1)
	check(t, r.w.Published(t.Context()))
	newcomer, err := r.desk.Enrol(t.Context(), "member")
	check(t, err)
	p := at(t, r.w, r.desk, 0, "")
	acceptAll(t, p.fresh(t))
	_, err = p.ShareEpochs(t.Context(), r.desk.ID, "rs-a", newcomer.ID, nil)
	check(t, err)
	log, err := at(t, r.w, r.desk, 1, "").fresh(t).DeskLog(t.Context(), r.desk.ID)
	check(t, err)
	if len(log.Shared) != 2 || !log.FeedRead {
		t.Fatalf("%+v", log.Shared)
	}
	if s := log.Shared[0]; s.What != evidence.EscrowReleased || s.Purpose != evidence.PurposeRehearsal || len(s.By) != 2 || len(s.Epochs) == 0 {
		t.Errorf("%+v", s)
	}
	if s := log.Shared[1]; s.What != evidence.DeskGrant || s.Officer != newcomer.ID || s.Purpose != "" || len(s.By) != 1 {
		t.Errorf("%+v", s)
	}
	for _, k := range log.Keys {
		if k.Epoch == 2 && (k.Escrow == nil || k.Escrow.K != 2 || len(k.Escrow.Subsets) != 3) {
			t.Errorf("%+v", k.Escrow)
		}
	}
	other := at(t, r.w, desk(t, r.w, "swc-kraljevo", "legal"), 0, "").fresh(t)
	log, err = other.DeskLog(t.Context(), r.desk.ID)
	check(t, err)
	if log.FeedRead != (r.desk.ID == other.desk) || !log.FeedRead && len(log.Shared) != 0 {
		t.Errorf("another desk reads %+v", log.Shared)
	}
}
