package office_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/keys/escrow"
	"github.com/odziv/odziv/keys/keystore"
)

// A year from where the clocks stand, in ms.
const year = 365 * 24 * 3600 * 1000

// recovery is a desk whose present key has an escrow for two of three custodians,
// and a message that it got under that key.
type recovery struct {
	t    *testing.T
	w    *demo.World
	desk *demo.Desk
	head *demo.Desk // of the same institution
	keys [3]*keystore.Keystore
	cust [3]*program
	msg  string
}

func withRecovery(t *testing.T) *recovery {
	t.Helper()
	r := &recovery{t: t, w: open(t)}
	r.desk = desk(t, r.w, "hppo-kraljevo", "registry")
	var err error
	r.head, err = r.desk.Member.AddDesk(t.Context(), "head")
	check(t, err)
	for i := range r.keys {
		r.keys[i] = r.custodian()
	}
	r.name(r.keys[:]...)
	r.rotate(0, 1)
	for i := range r.cust {
		r.cust[i] = r.program(r.keys[i])
	}
	r.msg = r.send()
	return r
}

func (r *recovery) custodian() *keystore.Keystore {
	r.t.Helper()
	keys, err := keystore.Generate(keystore.Owner{Role: keystore.Custodian, Inst: r.desk.Member.ID}, r.w.Clock.Now(), keystore.Options{Demo: true})
	check(r.t, err)
	return keys
}

// name lets the root name its custodians, two of whom recover.
func (r *recovery) name(keys ...*keystore.Keystore) {
	r.t.Helper()
	body := &directory.InstCustodians{I: r.desk.Member.ID, K: 2}
	for _, k := range keys {
		body.Keys, body.Rcps = append(body.Keys, k.Signer().Public()), append(body.Rcps, k.Recipient())
	}
	check(r.t, r.w.Propose(r.t.Context(), body, r.desk.Member.Root().Signer()))
	check(r.t, r.w.Published(r.t.Context()))
}

// rotate renews the desk's key: one officer makes it, another acknowledges.
func (r *recovery) rotate(maker, other int) {
	r.t.Helper()
	p := at(r.t, r.w, r.desk, maker, "")
	check(r.t, p.Sync(r.t.Context()))
	expected(r.t, p)
	_, err := p.Rotate(r.t.Context(), r.desk.ID, "custodians")
	check(r.t, err)
	q := at(r.t, r.w, r.desk, other, "")
	check(r.t, q.Sync(r.t.Context()))
	expected(r.t, q)
	check(r.t, q.Acknowledge(r.t.Context(), r.desk.ID))
	check(r.t, r.w.Published(r.t.Context()))
}

// program is somebody's program, with a network that lies as the test says.
func (r *recovery) program(keys *keystore.Keystore) *program {
	r.t.Helper()
	net := &network{base: &http.Transport{DisableCompression: true}}
	r.t.Cleanup(net.base.CloseIdleConnections)
	c, err := client.New(r.w.URL, keys.Signer(), r.w.Clock.Now, client.Options{Transport: net,
		Pause: func(ctx context.Context, _ time.Duration) error { time.Sleep(time.Millisecond); return ctx.Err() }})
	check(r.t, err)
	o, err := office.Open(office.Config{Client: c, Keys: keys, Notebook: office.MemoryNotebook(r.w.Pin()), Packs: r.w.Packs, Clock: r.w.Clock.Now, Demo: true})
	check(r.t, err)
	p := &program{Office: o, desk: r.desk.ID, net: net}
	check(r.t, p.Sync(r.t.Context()))
	return p
}

// send sends the desk a message, sealed to its present key.
func (r *recovery) send() string {
	r.t.Helper()
	from := desk(r.t, r.w, "swc-kraljevo", "legal")
	p := at(r.t, r.w, from, 0, "")
	check(r.t, p.Sync(r.t.Context()))
	sent, err := p.Send(r.t.Context(), complaint(from.ID, r.desk.ID))
	check(r.t, err)
	check(r.t, r.w.Published(r.t.Context()))
	return sent.Msg
}

// loseAll takes every officer of the desk her keys: registrars sign new ones.
func (r *recovery) loseAll() {
	r.t.Helper()
	for _, o := range r.desk.Officers {
		check(r.t, o.Replace(r.t.Context()))
	}
	check(r.t, r.w.Published(r.t.Context()))
}

func (r *recovery) ask(purpose string) evidence.EscrowAsk {
	return evidence.EscrowAsk{Desk: r.desk.ID, Officer: r.desk.Officers[0].ID, Purpose: purpose, Epochs: []int64{2}}
}

// released lets custodians ask for the same.
func (r *recovery) released(purpose string, who ...int) evidence.EscrowAsk {
	r.t.Helper()
	ask := r.ask(purpose)
	for _, i := range who {
		_, err := r.cust[i].AskEscrow(r.t.Context(), "rs-a", ask, "keys-lost")
		check(r.t, err)
	}
	check(r.t, r.w.Published(r.t.Context()))
	return ask
}

// turns lets custodians open one after the other, passing the file on as bytes.
func (r *recovery) turns(ask evidence.EscrowAsk, who ...int) (office.Turn, []byte) {
	r.t.Helper()
	var h *office.Handover
	var t office.Turn
	var gift []byte
	for _, i := range who {
		var err error
		t, err = r.cust[i].OpenEscrow(r.t.Context(), "rs-a", ask, h, func(g []byte) error { gift = g; return nil })
		check(r.t, err)
		if h = t.Next; h == nil {
			break
		}
		raw, err := h.Encode()
		check(r.t, err)
		for _, k := range r.keys {
			if id := k.Identity(); k != r.keys[who[len(who)-1]] && opens(raw, id) {
				r.t.Error("what is handed over opens to somebody else than the next custodian")
			}
		}
		h, err = office.ParseHandover(raw)
		check(r.t, err)
	}
	return t, gift
}

// opens reports whether an identity opens a file of a handover.
func opens(raw []byte, id *age.HybridIdentity) bool {
	h, err := office.ParseHandover(raw)
	if err != nil {
		return false
	}
	_, err = escrow.Peel(h.Files[0].Age, id)
	return err == nil
}

func (r *recovery) escrowEvents(d *demo.Desk, officer int) []string {
	r.t.Helper()
	p := at(r.t, r.w, d, officer, "")
	check(r.t, p.Sync(r.t.Context()))
	items, err := p.Feed(r.t.Context(), d.ID, 0)
	check(r.t, err)
	var list []string
	for _, f := range items {
		if f.M != nil && evidence.IsEscrow(f.M.Ev) {
			list = append(list, f.M.Ev)
		}
	}
	return list
}

// TestDeskRecovers is the drill: a desk loses every key, two of three custodians
// recover it, and it reads what it got before. One refuses, and that stops nobody.
func TestDeskRecovers(t *testing.T) {
	r := withRecovery(t)
	ctx := t.Context()
	r.loseAll()

	officer := at(t, r.w, r.desk, 0, "")
	check(t, officer.Sync(ctx))
	expected(t, officer)
	if _, err := officer.Read(ctx, r.desk.ID, r.msg); !errors.Is(err, office.ErrNoPackage) {
		t.Fatalf("without keys: %v, want ErrNoPackage", err)
	}

	ask := r.released(evidence.PurposeRecovery, 2)
	if _, err := r.cust[2].OpenEscrow(ctx, "rs-a", ask, nil, nil); !errors.Is(err, office.ErrNoRelease) {
		t.Errorf("one custodian alone: %v, want ErrNoRelease", err)
	}
	check(t, r.cust[1].RefuseEscrow(ctx, "rs-a", ask, "not-in-person"))
	r.released(evidence.PurposeRecovery, 0)
	want := []string{evidence.EscrowRequested, evidence.EscrowRefused, evidence.EscrowRequested, evidence.EscrowReleased}
	for _, d := range []*demo.Desk{r.desk, r.head} {
		if got := r.escrowEvents(d, 0); !slices.Equal(got, want) {
			t.Errorf("%s sees %v, want %v", d.Name(), got, want)
		}
	}
	if _, err := r.cust[2].OpenEscrow(ctx, "rs-a", ask, nil, nil); !errors.Is(err, office.ErrNotYours) || !strings.Contains(err.Error(), statement.KeyID(r.keys[0].Signer().Public())) {
		t.Errorf("out of turn: %v, want ErrNotYours and whose turn it is", err)
	}
	if _, err := r.cust[1].OpenEscrow(ctx, "rs-a", ask, nil, nil); !errors.Is(err, office.ErrNoRelease) {
		t.Errorf("the custodian who refused: %v, want ErrNoRelease", err)
	}
	turn, gift := r.turns(ask, 0, 2)
	if !slices.Equal(turn.Proven, []int64{2}) || gift == nil {
		t.Fatalf("proven %v", turn.Proven)
	}
	check(t, r.w.Published(ctx))

	colleague := at(t, r.w, r.desk, 1, "")
	check(t, colleague.Sync(ctx))
	if _, err := colleague.AcceptRecovered(ctx, gift); !errors.Is(err, office.ErrReceived) {
		t.Errorf("a colleague takes what is sealed to another: %v", err)
	}
	for range 2 { // the file may be taken again
		got, err := officer.AcceptRecovered(ctx, gift)
		check(t, err)
		if got.Desk != r.desk.ID || !slices.Equal(got.Epochs, []int64{2}) {
			t.Errorf("received %+v", got)
		}
	}
	opened, err := officer.Read(ctx, r.desk.ID, r.msg)
	check(t, err)
	if opened.Text.Body != "body" {
		t.Errorf("read %q", opened.Text.Body)
	}
	// age alone opens what the officer was given.
	plain, err := age.Decrypt(bytes.NewReader(gift), r.desk.Officers[0].Keys.Identity())
	check(t, err)
	text, err := io.ReadAll(plain)
	check(t, err)
	if ids, err := age.ParseIdentities(bytes.NewReader(text)); err != nil || len(ids) != 1 {
		t.Errorf("age finds %d identities, %v", len(ids), err)
	}

	trail, err := r.cust[1].EscrowTrail(ctx, r.desk.ID)
	check(t, err)
	all := r.cust[1].Recoveries(trail)
	if len(all) != 1 || all[0].Release.Outcome != evidence.OutcomeMatched || len(all[0].Asked) != 0 || len(all[0].Release.By) != 2 {
		t.Errorf("%+v", all)
	}
}

// TestRehearsal goes the same way with the same files, and nobody receives
// anything; afterwards everybody concerned is told that it works, and a year later
// that nobody knows.
func TestRehearsal(t *testing.T) {
	r := withRecovery(t)
	ctx := t.Context()
	member := at(t, r.w, r.desk, 0, "")
	check(t, member.Sync(ctx))
	before, err := member.RecoveryOf(ctx, r.desk.Member.ID)
	check(t, err)
	d := deskIn(t, before, r.desk.ID)
	if before.K != 2 || !d.Rehearse || d.Proven != 0 || d.Escrow != office.EscrowNow || !before.Custodians[0].Stale {
		t.Errorf("before: %+v", d)
	}
	ask := r.released(evidence.PurposeRehearsal, 1, 2)
	running, err := member.RecoveryOf(ctx, r.desk.Member.ID)
	check(t, err)
	if got := deskIn(t, running, r.desk.ID).Recoveries; len(got) != 1 || !got[0].Release.InForce(member.Now()) {
		t.Errorf("while it runs: %+v", got)
	}
	turn, gift := r.turns(ask, 1, 2)
	if gift != nil || turn.Gift != nil || !slices.Equal(turn.Proven, []int64{2}) {
		t.Errorf("a rehearsal gave something away: %+v", turn.Proven)
	}
	check(t, r.w.Published(ctx))
	after, err := member.RecoveryOf(ctx, r.desk.Member.ID)
	check(t, err)
	if d = deskIn(t, after, r.desk.ID); d.Rehearse || d.Proven == 0 {
		t.Errorf("after: %+v", d)
	}
	if after.Custodians[1].Stale || after.Custodians[2].Stale || !after.Custodians[0].Stale || after.Custodians[0].Last != 0 {
		t.Errorf("custodians: %+v", after.Custodians)
	}
	check(t, r.w.Clock.Forward(r.w.Clock.Now()+year))
	later, err := member.RecoveryOf(ctx, r.desk.Member.ID)
	check(t, err)
	if d = deskIn(t, later, r.desk.ID); !d.Rehearse || !later.Custodians[1].Stale {
		t.Errorf("a year later: %+v", d)
	}
}

func deskIn(t *testing.T, all office.InstRecovery, desk string) office.DeskRecovery {
	t.Helper()
	at := slices.IndexFunc(all.Desks, func(d office.DeskRecovery) bool { return d.Desk == desk })
	if at < 0 {
		t.Fatalf("%+v lacks the desk", all)
	}
	return all.Desks[at]
}

// TestCustodiansAreTheirs: who may ask, for what, and for whom.
func TestCustodiansAreTheirs(t *testing.T) {
	r := withRecovery(t)
	ctx := t.Context()
	member := at(t, r.w, r.desk, 0, "")
	check(t, member.Sync(ctx))
	if _, err := member.AskEscrow(ctx, "rs-a", r.ask(evidence.PurposeRecovery), "x"); !errors.Is(err, office.ErrCustodian) {
		t.Errorf("an officer asks: %v", err)
	}
	other := desk(t, r.w, "swc-kraljevo", "legal")
	ask := r.ask(evidence.PurposeRecovery)
	ask.Officer = other.Officers[0].ID
	var refused *office.Refused
	if _, err := r.cust[0].AskEscrow(ctx, "rs-a", ask, "x"); !errors.As(err, &refused) || refused.Code != "escrow_officer" {
		t.Errorf("for an officer of another institution: %v", err)
	}
	ask = r.ask(evidence.PurposeRecovery)
	ask.Desk = other.ID
	if _, err := r.cust[0].AskEscrow(ctx, "rs-a", ask, "x"); !errors.Is(err, office.ErrCustodian) {
		t.Errorf("for a desk of another institution: %v", err)
	}
	ask = r.ask(evidence.PurposeRecovery)
	ask.Epochs = nil
	full, err := r.cust[0].AskEscrow(ctx, "rs-a", ask, "keys-lost")
	check(t, err)
	if !slices.Equal(full.Epochs, []int64{2}) {
		t.Errorf("all that can be recovered is %v, want key 2 alone", full.Epochs)
	}
}

// TestReplacedCustodian: the file that she kept opens nothing later, and who came
// after her opens nothing older.
func TestReplacedCustodian(t *testing.T) {
	r := withRecovery(t)
	ctx := t.Context()
	next := r.custodian()
	r.name(r.keys[0], r.keys[1], next)
	r.rotate(0, 1)
	old := r.cust[2]
	check(t, r.cust[0].Sync(ctx))
	if got := r.cust[0].Recoverable(r.desk.ID); !slices.Equal(got, []int64{2, 3}) {
		t.Errorf("two custodians stayed and can recover %v, want 2 and 3", got)
	}
	if _, err := old.AskEscrow(ctx, "rs-a", r.ask(evidence.PurposeRecovery), "x"); err == nil {
		t.Error("a replaced custodian asks")
	}
	newcomer := r.program(next)
	ask := r.ask(evidence.PurposeRecovery)
	ask.Epochs = []int64{3}
	for _, p := range []*program{r.cust[0], newcomer} {
		_, err := p.AskEscrow(ctx, "rs-a", ask, "keys-lost")
		check(t, err)
	}
	check(t, r.w.Published(ctx))
	turn, err := r.cust[0].OpenEscrow(ctx, "rs-a", ask, nil, nil)
	check(t, err)
	if opens(must(turn.Next.Encode()), r.keys[2].Identity()) {
		t.Error("the replaced custodian opens what was sealed after her")
	}
	if turn, err = newcomer.OpenEscrow(ctx, "rs-a", ask, turn.Next, func([]byte) error { return nil }); err != nil || !slices.Equal(turn.Proven, []int64{3}) {
		t.Errorf("the new custodian: %v, %v", turn.Proven, err)
	}
}

func must(data []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return data
}

// TestExchangeWithholdsEscrow: a release is on record, and the exchange gives
// nothing, or something else: the record convicts it.
func TestExchangeWithholdsEscrow(t *testing.T) {
	r := withRecovery(t)
	ctx := t.Context()
	ask := r.released(evidence.PurposeRecovery, 0, 1)
	var caught *office.SecurityError
	r.cust[0].net.set(func(path string, body []byte) []byte {
		if strings.HasPrefix(path, "/v1/escrow/") && strings.Count(path, "/") == 5 {
			return append(bytes.Clone(body), 0)
		}
		return body
	})
	if _, err := r.cust[0].OpenEscrow(ctx, "rs-a", ask, nil, nil); !errors.As(err, &caught) || !strings.Contains(err.Error(), "another escrow file") {
		t.Errorf("another file: %v", err)
	}
	r.cust[0].net.set(nil)
	r.cust[0].net.failing(nil)
	// The leaf of the release is left out, and everything else shown.
	r.cust[0].net.set(func(path string, body []byte) []byte {
		if !strings.HasPrefix(path, "/v1/escrow/") || strings.Count(path, "/") != 3 {
			return body
		}
		return withoutItem(t, body, 1)
	})
	if _, err := r.cust[0].OpenEscrow(ctx, "rs-a", ask, nil, nil); !errors.As(err, &caught) {
		t.Errorf("a request left out: %v", err)
	}
	r.cust[0].net.set(nil)
	if turn, err := r.cust[0].OpenEscrow(ctx, "rs-a", ask, nil, nil); err != nil || turn.Next == nil {
		t.Errorf("honest again: %v", err)
	}
}

// withoutItem is a page of an escrow without one of its items.
func withoutItem(t *testing.T, body []byte, n int) []byte {
	var page wire.Escrow
	check(t, json.Unmarshal(body, &page))
	page.Items = slices.Delete(page.Items, n, n+1)
	return must(wire.Encode(page))
}

// TestWrongEscrow: whoever made the key sealed another one to the custodians. It
// shows when it is opened, not when it is too late: a rehearsal finds it, and says
// so on record.
func TestWrongEscrow(t *testing.T) {
	r := withRecovery(t)
	ctx := t.Context()
	maker := at(t, r.w, r.desk, 0, "")
	check(t, maker.Sync(ctx))
	wrong, err := age.GenerateHybridIdentity()
	check(t, err)
	p, err := maker.Propose(ctx, r.epochWithEscrowOf(maker, wrong))
	check(t, err)
	_, err = maker.Await(ctx, p.Idx)
	check(t, err)
	ask := r.ask(evidence.PurposeRehearsal)
	ask.Epochs = []int64{3}
	for _, i := range []int{0, 1} {
		_, err := r.cust[i].AskEscrow(ctx, "rs-a", ask, "yearly")
		check(t, err)
	}
	check(t, r.w.Published(ctx))
	turn, err := r.cust[0].OpenEscrow(ctx, "rs-a", ask, nil, nil)
	check(t, err)
	_, err = r.cust[1].OpenEscrow(ctx, "rs-a", ask, turn.Next, nil)
	if !errors.Is(err, office.ErrEscrow) || !strings.Contains(err.Error(), r.desk.Officers[0].ID) {
		t.Errorf("a wrong key inside: %v, want ErrEscrow and who made it", err)
	}
	check(t, r.w.Published(ctx))
	all, err := r.cust[2].RecoveryOf(ctx, r.desk.Member.ID)
	check(t, err)
	if d := deskIn(t, all, r.desk.ID); d.Failed == 0 || !d.Rehearse {
		t.Errorf("after a failure: %+v", d)
	}
}

// epochWithEscrowOf is the desk's key 3, whose escrow holds another.
func (r *recovery) epochWithEscrowOf(p *program, wrong *age.HybridIdentity) *directory.DeskEpoch {
	r.t.Helper()
	ctx := r.t.Context()
	id, err := age.GenerateHybridIdentity()
	check(r.t, err)
	text := id.Recipient().String()
	check(r.t, p.Client.PutKey(ctx, text))
	body := &directory.DeskEpoch{D: r.desk.ID, E: 3, RK: directory.RecipientHash(text), Why: "yearly"}
	for _, o := range r.desk.Officers {
		f := escrow.File{Age: []byte("package for " + o.ID)}
		check(r.t, p.Client.PutPackage(ctx, f.Age))
		body.Pkg = append(body.Pkg, directory.Package{Key: statement.KeyID(o.Keys.Signer().Public()), SHA256: f.SHA256()})
	}
	inst, _ := p.Directory().Institution(r.desk.Member.ID)
	files, err := escrow.Seal(wrong, r.desk.ID, 3, inst.Custodians.Rcps, inst.Custodians.K)
	check(r.t, err)
	for _, f := range files {
		check(r.t, p.Client.PutPackage(ctx, f.Age))
		body.Esc = append(body.Esc, directory.Escrow{Cust: f.Cust, SHA256: f.SHA256()})
	}
	return body
}

// TestOpenEscrowInterrupted: whatever is cut off, the same turn is taken again.
func TestOpenEscrowInterrupted(t *testing.T) {
	r := withRecovery(t)
	ctx := t.Context()
	ask := r.released(evidence.PurposeRecovery, 0, 1)
	first, err := r.cust[0].OpenEscrow(ctx, "rs-a", ask, nil, nil)
	check(t, err)
	full := errors.New("disk full")
	if _, err := r.cust[1].OpenEscrow(ctx, "rs-a", ask, first.Next, func([]byte) error { return full }); !errors.Is(err, full) {
		t.Fatal(err)
	}
	// Not said on record: the officer has nothing yet.
	if got := r.escrowEvents(r.desk, 1); slices.Contains(got, evidence.EscrowOpened) {
		t.Error("it is said to be opened, and nobody received anything")
	}
	// The report's answer is lost after the file was written.
	r.cust[1].net.failing(func(req *http.Request, answered bool) error {
		if req.Method == http.MethodPut && answered {
			return errors.New("cut off")
		}
		return nil
	})
	var gift []byte
	keep := func(g []byte) error { gift = g; return nil }
	if _, err := r.cust[1].OpenEscrow(ctx, "rs-a", ask, first.Next, keep); err == nil {
		t.Fatal("no error, though no answer came")
	}
	r.cust[1].net.failing(nil)
	_, err = r.cust[1].OpenEscrow(ctx, "rs-a", ask, first.Next, keep)
	check(t, err)
	check(t, r.w.Published(ctx))
	officer := at(t, r.w, r.desk, 0, "")
	_, err = officer.AcceptRecovered(ctx, gift)
	check(t, err)
	opened := 0
	for _, ev := range r.escrowEvents(r.desk, 0) {
		if ev == evidence.EscrowOpened {
			opened++
		}
	}
	if opened != 1 {
		t.Errorf("said %d times that it was opened, want once", opened)
	}
}

// TestOfficerOfTheRelease: keys go to the key that custodians compared on paper. If
// registrars give the officer another one meanwhile, it gets nothing.
func TestOfficerOfTheRelease(t *testing.T) {
	r := withRecovery(t)
	ctx := t.Context()
	ask := r.released(evidence.PurposeRecovery, 0, 1)
	first, err := r.cust[0].OpenEscrow(ctx, "rs-a", ask, nil, nil)
	check(t, err)
	check(t, r.desk.Officers[0].Replace(ctx))
	check(t, r.w.Published(ctx))
	var refused *office.Refused
	_, err = r.cust[1].OpenEscrow(ctx, "rs-a", ask, first.Next, func([]byte) error { t.Error("keys were given away"); return nil })
	if !errors.As(err, &refused) || refused.Code != "escrow_officer" {
		t.Errorf("%v, want escrow_officer", err)
	}
	check(t, r.desk.Officers[0].Revoke(ctx, "lost"))
	check(t, r.w.Published(ctx))
	if _, err = r.cust[1].OpenEscrow(ctx, "rs-a", ask, first.Next, nil); !errors.As(err, &refused) {
		t.Errorf("a revoked officer: %v", err)
	}
}

// TestSeveralKeys recovers two keys at once, and keeps them only if both can be kept.
func TestSeveralKeys(t *testing.T) {
	r := withRecovery(t)
	ctx := t.Context()
	r.rotate(0, 1)
	second := r.send()
	r.loseAll()
	ask := r.ask(evidence.PurposeRecovery)
	ask.Epochs = nil
	full, err := r.cust[0].AskEscrow(ctx, "rs-a", ask, "keys-lost")
	check(t, err)
	if !slices.Equal(full.Epochs, []int64{2, 3}) {
		t.Fatalf("asked for %v", full.Epochs)
	}
	again, err := r.cust[2].AskEscrow(ctx, "rs-a", ask, "keys-lost")
	check(t, err)
	if !slices.Equal(again.Epochs, full.Epochs) {
		t.Fatalf("the second asked for %v", again.Epochs)
	}
	check(t, r.w.Published(ctx))
	turn, gift := r.turns(full, 0, 2)
	if !slices.Equal(turn.Proven, []int64{2, 3}) {
		t.Fatalf("proven %v", turn.Proven)
	}
	officer := computerOf(t, r.w, r.desk, 0)
	p := officer.start()
	got, err := p.AcceptRecovered(ctx, gift)
	check(t, err)
	if !slices.Equal(got.Fresh, []int64{2, 3}) || officer.kept == 0 {
		t.Errorf("%+v, kept %d times", got, officer.kept)
	}
	// Killed after that: what is in the file is enough.
	p = officer.start()
	for _, msg := range []string{r.msg, second} {
		_, err := p.Read(ctx, r.desk.ID, msg)
		check(t, err)
	}
}

// TestHandoverOfOthers: a file of another release, or changed on the way.
func TestHandoverOfOthers(t *testing.T) {
	r := withRecovery(t)
	ctx := t.Context()
	ask := r.released(evidence.PurposeRecovery, 0, 1)
	turn, err := r.cust[0].OpenEscrow(ctx, "rs-a", ask, nil, nil)
	check(t, err)
	for name, change := range map[string]func(h *office.Handover){
		"another release": func(h *office.Handover) { h.Release++ },
		"another file":    func(h *office.Handover) { h.Files[0].SHA256 = strings.Repeat("0", 64) },
		"other seats":     func(h *office.Handover) { h.Files[0].Cust = []int{0, 2} },
		"unpeeled":        func(h *office.Handover) { h.Files[0].Peeled = 0 },
	} {
		h, err := office.ParseHandover(must(turn.Next.Encode()))
		check(t, err)
		change(h)
		if _, err := r.cust[1].OpenEscrow(ctx, "rs-a", ask, h, nil); !errors.Is(err, office.ErrHandover) {
			t.Errorf("%s: %v, want ErrHandover", name, err)
		}
	}
	h, err := office.ParseHandover(must(turn.Next.Encode()))
	check(t, err)
	h.Files[0].Age[len(h.Files[0].Age)-1] ^= 1
	if _, err := r.cust[1].OpenEscrow(ctx, "rs-a", ask, h, nil); !errors.Is(err, escrow.ErrFormat) {
		t.Errorf("damaged on the way: %v, want ErrFormat", err)
	}
	if got := r.escrowEvents(r.desk, 0); slices.Contains(got, evidence.EscrowOpened) {
		t.Error("what was damaged on the way stands on record as a failure")
	}
	for _, bad := range [][]byte{nil, []byte("{}"), append(must(turn.Next.Encode()), ' '), bytes.Repeat([]byte("x"), office.MaxHandover+1)} {
		if _, err := office.ParseHandover(bad); !errors.Is(err, office.ErrHandover) {
			t.Errorf("%.20q: %v, want ErrHandover", bad, err)
		}
	}
}
