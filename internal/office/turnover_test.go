package office_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/keys/keystore"
)

// computer is an officer's computer: her keys in a file, which is all that a kill
// leaves.
type computer struct {
	t    *testing.T
	w    *demo.World
	desk string
	file string
	keys *keystore.Keystore // of the program that runs
	kept int                // how often the file was written
}

var words = keystore.NewSecret("the words of these tests")

// computerOf puts an officer's keys into a file of her own.
func computerOf(t *testing.T, w *demo.World, d *demo.Desk, officer int) *computer {
	t.Helper()
	c := &computer{t: t, w: w, desk: d.ID, file: filepath.Join(t.TempDir(), "keystore.age")}
	keys, err := d.Officers[officer].Copy()
	check(t, err)
	check(t, keys.Save(c.file, words))
	return c
}

// start starts the program anew, from the file, and accepts whatever changed.
func (c *computer) start() *program {
	c.t.Helper()
	var err error
	c.keys, err = keystore.Open(c.file, words, keystore.Options{Demo: true})
	check(c.t, err)
	net := &network{base: &http.Transport{DisableCompression: true}}
	c.t.Cleanup(net.base.CloseIdleConnections)
	cl, err := client.New(c.w.URL, c.keys.Signer(), c.w.Clock.Now, client.Options{Transport: net,
		Pause: func(ctx context.Context, _ time.Duration) error { time.Sleep(time.Millisecond); return ctx.Err() }})
	check(c.t, err)
	o, err := office.Open(office.Config{Client: cl, Keys: c.keys, Notebook: office.MemoryNotebook(c.w.Pin()), Packs: c.w.Packs,
		Clock: c.w.Clock.Now, Demo: true, Keep: func() error { c.kept++; return c.keys.Save(c.file, words) }})
	check(c.t, err)
	p := &program{Office: o, desk: c.desk, net: net}
	check(c.t, p.Sync(c.t.Context()))
	expected(c.t, p)
	return p
}

// expected lets an officer accept every change that waits for her.
func expected(t *testing.T, p *program) {
	t.Helper()
	var all []int64
	for _, c := range p.Unexpected("") {
		all = append(all, c.Idx)
	}
	slices.Sort(all)
	_, err := p.Accept(slices.Compact(all)...)
	check(t, err)
}

// custodians names three custodians of an institution.
func custodians(t *testing.T, w *demo.World, d *demo.Desk) {
	t.Helper()
	body := &directory.InstCustodians{I: d.Member.ID, K: 2}
	for range 3 {
		id, err := age.GenerateHybridIdentity()
		check(t, err)
		body.Rcps = append(body.Rcps, id.Recipient().String())
	}
	check(t, w.Propose(t.Context(), body, d.Member.Root().Signer()))
	check(t, w.Published(t.Context()))
}

// TestRotateKilled kills a rotation wherever something was just done, and runs it
// again: the number goes to one key that every member has, the maker has it in her
// file whatever happened, and no number is left behind.
func TestRotateKilled(t *testing.T) {
	w := open(t)
	from, to := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry")
	custodians(t, w, to)
	maker := computerOf(t, w, to, 0)
	want := int64(1)
	for _, at := range []struct {
		name     string
		path     string
		nth      int
		answered bool
	}{
		{"before the first package", "/v1/packages/", 1, false},
		{"between packages", "/v1/packages/", 2, false},
		{"between package and escrow", "/v1/packages/", 3, false},
		{"after the last escrow", "/v1/packages/", 5, true},
		{"before the key", "/v1/keys/", 1, false},
		{"after the key", "/v1/keys/", 1, true},
		{"before the statement", "/v1/directory/", 1, false},
		{"after the statement", "/v1/directory/", 1, true},
	} {
		t.Run(at.name, func(t *testing.T) {
			p := maker.start()
			n := 0
			p.net.failing(func(r *http.Request, answered bool) error {
				if r.Method != http.MethodPut || !strings.HasPrefix(r.URL.Path, at.path) || answered != at.answered {
					return lose(n >= at.nth) // dead from then on
				}
				n++
				return lose(n >= at.nth)
			})
			if _, err := p.Rotate(t.Context(), to.ID, "yearly"); err == nil {
				t.Fatal("made although the line was cut")
			}
			drafted, draft := maker.keys.DeskIdentity(to.ID, want+1)
			p = maker.start()
			epoch, err := p.Rotate(t.Context(), to.ID, "yearly")
			check(t, err)
			if want++; epoch != want {
				t.Fatalf("epoch %d, want %d", epoch, want)
			}
			id, held := reopened(t, maker).DeskIdentity(to.ID, epoch)
			e, _ := p.Directory().Epoch(to.ID, epoch)
			if !held || directory.RecipientHash(id.Recipient().String()) != e.RK || len(e.Esc) != 3 {
				t.Errorf("held %v, %d escrow files", held, len(e.Esc))
			}
			if draft && drafted.String() != id.String() {
				t.Error("another key than the first run's")
			}
			check(t, computerOf(t, w, to, 1).start().Acknowledge(t.Context(), to.ID))
			sent, err := at2(t, w, from).Send(t.Context(), complaint(from.ID, to.ID))
			check(t, err)
			_, err = maker.start().Read(t.Context(), to.ID, sent.Msg)
			check(t, err)
		})
	}
}

// at2 is the program of a desk's first officer, begun anew.
func at2(t *testing.T, w *demo.World, d *demo.Desk) *program { return at(t, w, d, 0, "") }

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func reopened(t *testing.T, c *computer) *keystore.Keystore {
	t.Helper()
	keys, err := keystore.Open(c.file, words, keystore.Options{Demo: true})
	check(t, err)
	return keys
}

// Where the keys cannot be kept nothing is said about them: the statement does not
// go, an acknowledgement neither.
func TestNothingSaidOfKeysNotKept(t *testing.T) {
	w := open(t)
	to := desk(t, w, "hppo-kraljevo", "registry")
	full := errors.New("no space left")
	maker := computerOf(t, w, to, 0).start()
	keep := maker.Keep
	maker.Keep = func() error { return full }
	if _, err := maker.Rotate(t.Context(), to.ID, "yearly"); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
	maker.Keep = keep
	_, err := maker.Rotate(t.Context(), to.ID, "yearly")
	check(t, err)
	second := computerOf(t, w, to, 1).start()
	second.Keep = func() error { return full }
	if err := second.Acknowledge(t.Context(), to.ID); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
	check(t, second.fresh(t).Sync(t.Context()))
	if e, _ := second.Directory().LatestEpoch(to.ID); e.E != 2 || e.Acked {
		t.Errorf("%+v", e)
	}
}

// A number that was drafted here and taken by a colleague's key blocks nobody: the
// real key takes the place of the draft, which nothing was sealed to.
func TestDraftGivesWay(t *testing.T) {
	w := open(t)
	from, to := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry")
	a, b := computerOf(t, w, to, 0), computerOf(t, w, to, 1)
	p := a.start()
	p.net.failing(func(r *http.Request, answered bool) error {
		return lose(r.Method == http.MethodPut && strings.HasPrefix(r.URL.Path, "/v1/directory/"))
	})
	if _, err := p.Rotate(t.Context(), to.ID, "yearly"); err == nil {
		t.Fatal("made although the line was cut")
	}
	if _, drafted := reopened(t, a).DeskIdentity(to.ID, 2); !drafted {
		t.Fatal("the draft is not in the file: this test shows nothing")
	}
	_, err := b.start().Rotate(t.Context(), to.ID, "yearly")
	check(t, err)
	check(t, a.start().Acknowledge(t.Context(), to.ID))
	sent, err := at2(t, w, from).Send(t.Context(), complaint(from.ID, to.ID))
	check(t, err)
	_, err = a.start().Read(t.Context(), to.ID, sent.Msg)
	check(t, err)
}

// Who reads a message under a number that she drafted and a colleague took opens it
// with the real key, and reports no failure to the sender.
func TestDraftOpensNothing(t *testing.T) {
	w := open(t)
	from, to := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry")
	a := computerOf(t, w, to, 0)
	p := a.start()
	wrong, err := age.GenerateHybridIdentity()
	check(t, err)
	check(t, p.Keys.AddDeskEpoch(to.ID, 2, wrong))
	check(t, p.Keep())
	renewBy(t, computerOf(t, w, to, 1), computerOf(t, w, to, 0))
	sent, err := at2(t, w, from).Send(t.Context(), complaint(from.ID, to.ID))
	check(t, err)
	opened, err := a.start().Read(t.Context(), to.ID, sent.Msg)
	check(t, err)
	if opened.Text.Body != "body" {
		t.Errorf("%+v", opened.Letter)
	}
}

// renewBy lets one make a key and the other acknowledge it.
func renewBy(t *testing.T, maker, second *computer) int64 {
	t.Helper()
	epoch, err := maker.start().Rotate(t.Context(), maker.desk, "yearly")
	check(t, err)
	check(t, second.start().Acknowledge(t.Context(), maker.desk))
	return epoch
}

// A rotation whose answer was lost is not made twice.
func TestRotateTwiceIsOnce(t *testing.T) {
	w := open(t)
	to := desk(t, w, "hppo-kraljevo", "registry")
	a := computerOf(t, w, to, 0)
	for range 2 {
		epoch, err := a.start().Rotate(t.Context(), to.ID, "yearly")
		check(t, err)
		if epoch != 2 {
			t.Errorf("epoch %d", epoch)
		}
	}
	var refused *office.Refused
	if err := a.start().Acknowledge(t.Context(), to.ID); !errors.As(err, &refused) || refused.Code != "own_epoch" {
		t.Errorf("%v", err)
	}
	// Somebody joined: her colleague's key of a minute ago lacks her.
	_, err := to.Enrol(t.Context(), "member")
	check(t, err)
	if epoch, err := a.start().Rotate(t.Context(), to.ID, "yearly"); err != nil || epoch != 3 {
		t.Errorf("%d %v", epoch, err)
	}
}

// TestSuccessor is a successor who reads last year's case: a colleague with the
// role desk-key grants her the keys of before, on record for the desk, and her
// program finds them by itself. A third, who left, gets nothing any more.
func TestSuccessor(t *testing.T) {
	w := open(t)
	from, to := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry")
	a, b := computerOf(t, w, to, 0), computerOf(t, w, to, 1)
	content := bytes.Repeat([]byte("last year's file "), 5000)
	send := func() string {
		t.Helper()
		d := complaint(from.ID, to.ID)
		d.Files = append(d.Files, file("a.bin", content))
		sent, err := at2(t, w, from).Send(t.Context(), d)
		check(t, err)
		return sent.Msg
	}
	first := send()
	_, err := b.start().Read(t.Context(), to.ID, first)
	check(t, err)
	renewBy(t, a, b)
	second := send()

	check(t, w.Clock.Forward(w.Clock.Now()+200*24*3600*1000))
	_, err = to.Enrol(t.Context(), "member")
	check(t, err)
	check(t, w.Published(t.Context()))
	successor := computerOf(t, w, to, 2)
	if _, err := successor.start().Read(t.Context(), to.ID, first); !errors.Is(err, office.ErrNoPackage) {
		t.Errorf("%v", err)
	}
	newcomer := to.Officers[2].ID
	var refused *office.Refused
	if _, err := b.start().ShareEpochs(t.Context(), to.ID, "rs-a", newcomer, nil); !errors.As(err, &refused) || refused.Code != "desk_key" {
		t.Errorf("without the role: %v", err)
	}
	for _, tt := range []struct {
		officer string
		desk    string
	}{{to.Officers[0].ID, to.ID}, {from.Officers[0].ID, to.ID}, {statement.NewID(statement.Officer), to.ID}} {
		if _, err := a.start().ShareEpochs(t.Context(), tt.desk, "rs-a", tt.officer, nil); !errors.As(err, &refused) || refused.Code != "grantee" {
			t.Errorf("%s: %v", tt.officer, err)
		}
	}
	shared, err := a.start().ShareEpochs(t.Context(), to.ID, "rs-a", newcomer, []int64{2, 1, 7, 2})
	check(t, err)
	if !slices.Equal(shared.Epochs, []int64{1, 2}) || !slices.Equal(shared.Lacking, []int64{7}) || len(shared.Items) != 1 {
		t.Errorf("%+v", shared)
	}
	seenBy(t, b.start(), to.ID, newcomer)

	for _, msg := range []string{first, second} {
		p := successor.start()
		opened, err := p.Read(t.Context(), to.ID, msg)
		check(t, err)
		var out bytes.Buffer
		check(t, p.Save(t.Context(), to.ID, opened, 0, &out))
		if !bytes.Equal(out.Bytes(), content) {
			t.Error("another content came out")
		}
		check(t, p.Keep())
	}
	if held := successor.keys.DeskEpochs(to.ID); !slices.Equal(held, []int64{1, 2}) {
		t.Errorf("she keeps %v", held)
	}
	if again, err := successor.start().TakeShares(t.Context(), to.ID); err != nil || len(again) != 0 {
		t.Errorf("%v %v", again, err)
	}
}

// seenBy wants a colleague to see the grant in her feed.
func seenBy(t *testing.T, p *program, desk, officer string) {
	t.Helper()
	list, err := p.Shares(t.Context(), desk)
	check(t, err)
	if len(list) != 1 || list[0].Officer != officer || list[0].Desk != desk {
		t.Errorf("%+v", list)
	}
}

// TestGrantOfWrongKey: a colleague who grants another key than the directory names
// cannot make anybody read with it, and what else was granted is read all the same.
func TestGrantOfWrongKey(t *testing.T) {
	w := open(t)
	from, to := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry")
	sent, err := at2(t, w, from).Send(t.Context(), complaint(from.ID, to.ID))
	check(t, err)
	_, err = to.Enrol(t.Context(), "member")
	check(t, err)
	a := computerOf(t, w, to, 0)
	renewBy(t, a, computerOf(t, w, to, 1)) // the newcomer has key 2 by its package
	p := a.start()
	wrong, err := age.GenerateHybridIdentity()
	check(t, err)
	var file bytes.Buffer
	to3, err := age.ParseHybridRecipient(to.Officers[2].Keys.Recipient())
	check(t, err)
	sealed, err := age.Encrypt(&file, to3)
	check(t, err)
	_, err = sealed.Write([]byte(wrong.String()))
	check(t, errors.Join(err, sealed.Close()))
	check(t, p.Client.PutPackage(t.Context(), file.Bytes()))
	check(t, grantRaw(t, p, a.keys, to.ID, to.Officers[2].ID, evidence.SharedEpoch{E: 1, SHA256: digestOf(file.Bytes())}))

	newcomer := computerOf(t, w, to, 2)
	if _, err := newcomer.start().Read(t.Context(), to.ID, sent.Msg); !errors.Is(err, office.ErrPackage) {
		t.Errorf("%v", err)
	}
	_, err = a.start().ShareEpochs(t.Context(), to.ID, "rs-a", to.Officers[2].ID, nil)
	check(t, err)
	_, err = newcomer.start().Read(t.Context(), to.ID, sent.Msg)
	check(t, err)
}

// grantRaw submits a grant as a program that checks nothing would.
func grantRaw(t *testing.T, p *program, keys *keystore.Keystore, desk, officer string, packages ...evidence.SharedEpoch) error {
	t.Helper()
	pack, err := p.Pack("rs-a")
	check(t, err)
	share := &evidence.DeskShare{Desk: desk, Officer: officer, Pkg: packages}
	for _, e := range packages {
		share.Epochs = append(share.Epochs, e.E)
	}
	dir := p.Directory()
	share.Head = statement.Head{At: p.Now(), By: statement.By{Desk: desk, Inst: dir.InstOfDesk(desk), Key: statement.KeyID(keys.Signer().Public())},
		DirN: dir.N(), Ev: evidence.DeskGrant, ID: statement.NewID(statement.Other), Pack: pack.ID(), V: 1}
	payload, err := statement.Marshal(share)
	check(t, err)
	d, err := statement.Sign(t.Context(), statement.TypeOfEvent(evidence.DeskGrant), payload, keys.Signer())
	check(t, err)
	raw, err := d.Encode()
	check(t, err)
	_, err = p.Client.PutStatement(t.Context(), share.ID, raw)
	return err
}
