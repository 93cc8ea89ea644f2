package office_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// forged is the directory as a lying operator serves it: one entry says something
// else, and the tree over all is signed with the ledger's own key.
func forged(t *testing.T, w *demo.World, leaves [][]byte, idx int, change func(map[string]any)) (entries func([]byte) []byte, checkpoint func([]byte) []byte) {
	t.Helper()
	d, err := statement.ParseDSSE(leaves[idx])
	check(t, err)
	var payload map[string]any
	dec := json.NewDecoder(bytes.NewReader(d.Payload))
	dec.UseNumber()
	check(t, dec.Decode(&payload))
	change(payload)
	if d.Payload, err = json.Marshal(payload); err != nil { // sorted, so canonical
		t.Fatal(err)
	}
	mine := append([][]byte{}, leaves...)
	if mine[idx], err = d.Encode(); err != nil {
		t.Fatal(err)
	}
	served := false
	entries = changed(func(e *wire.Entries) {
		e.Entries = nil
		if !served {
			e.Entries = mine
		}
		served = true
	})
	return entries, signed(t, w, ledger.Dir, func(c *ledger.Checkpoint) { c.Root = rootOver(mine) })
}

// An operator who swaps a key, a member or an officer where a program asks for it
// is refused by every program that asks: an officer's, a registrar's and a
// representative's, each of which replays every entry.
func TestSwappedInTheDirectory(t *testing.T) {
	w, err := demo.Open(t.Context(), demo.Options{Dir: t.TempDir(), Clock: demo.NewClock(start), Codes: []string{"swc-kraljevo", "bar-sponsor"}})
	check(t, err)
	t.Cleanup(func() { check(t, w.Close()) })
	rep, err := w.Represent(t.Context(), "bar-sponsor")
	check(t, err)
	d := desk(t, w, "swc-kraljevo", "legal")
	leaves := at(t, w, d, 0, "").fresh(t).Log().Leaves
	find := func(kind string) int {
		for i, leaf := range leaves {
			if s, err := directory.Decode(leaf); err == nil && s.Type == kind && (s.Subject == d.ID || kind[0] != 'd') {
				return i
			}
		}
		t.Fatal(kind)
		return 0
	}
	stranger := statement.NewSigningKey(derived("stranger"))
	programs := map[string]func() *program{
		"officer":        func() *program { return at(t, w, d, 0, "") },
		"registrar":      func() *program { return atKeys(t, w, d.Member.Registrars()[0], "") },
		"representative": func() *program { return at(t, w, rep, 0, "") },
		"root":           func() *program { return atKeys(t, w, d.Member.Root(), "") },
	}
	for name, tt := range map[string]struct {
		kind   string
		change func(map[string]any)
	}{
		"a member":           {"desk.members", func(p map[string]any) { p["members"] = append(p["members"].([]any), "u_aaaaaaaaaaaaaaaaaaaaaaaaaa") }},
		"an officer's key":   {"officer.enrol", swapKey(stranger)},
		"a desk's key":       {"desk.epoch", func(p map[string]any) { p["rk"] = strings.Repeat("ab", 32) }},
		"a package":          {"desk.epoch", func(p map[string]any) { p["pkg"].([]any)[0].(map[string]any)["sha256"] = strings.Repeat("ab", 32) }},
		"a registrar's key":  {"inst.registrars", func(p map[string]any) { p["keys"].([]any)[0] = base64.StdEncoding.EncodeToString(stranger.Public()) }},
		"who acknowledged":   {"desk.epoch.ack", func(p map[string]any) { p["at"] = json.Number("1767225600001") }},
		"what a desk is for": {"desk.profile", func(p map[string]any) { p["fn"] = "intake" }},
	} {
		t.Run(name, func(t *testing.T) {
			for who, open := range programs {
				entries, checkpoint := forged(t, w, leaves, find(tt.kind), tt.change)
				p := open()
				p.net.set(func(path string, body []byte) []byte {
					switch path {
					case "/dir/entries":
						return entries(body)
					case "/dir/checkpoint":
						return checkpoint(body)
					}
					return body
				})
				err := p.Sync(t.Context())
				lied(t, err, "breaks the rules")
				if p.Directory().N() != 0 {
					t.Errorf("%s took %d entries", who, p.Directory().N())
				}
				// One who has seen the truth does not fetch again, and sees two histories.
				p.net.set(nil)
				check(t, p.Sync(t.Context()))
				p.net.set(answer("/dir/checkpoint", checkpoint))
				lied(t, p.Sync(t.Context()), "do")
			}
		})
	}
}

func swapKey(key statement.SigningKey) func(map[string]any) {
	return func(p map[string]any) {
		p["ed"], p["key"] = base64.StdEncoding.EncodeToString(key.Public()), statement.KeyID(key.Public())
	}
}

// What the exchange answers about keys is compared, whatever it is asked for and
// whatever it was given.
func TestSwappedInAnswers(t *testing.T) {
	w := open(t)
	from, to := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry")
	wrong, _ := from.Officers[0].Keys.DeskIdentity(from.ID, 1)
	for name, tt := range map[string]struct {
		path   string
		change func([]byte) []byte
		do     func(p *program) error
		what   string
	}{
		"a recipient's key": {"/v1/keys/", func([]byte) []byte { return []byte(wrong.Recipient().String()) }, func(p *program) error {
			_, err := p.Send(t.Context(), complaint(from.ID, to.ID))
			return err
		}, "another key"},
		"the own desk's key": {"/v1/keys/", func(b []byte) []byte { return append(b[:len(b)-1:len(b)-1], b[len(b)-1]^1) }, func(p *program) error {
			_, err := p.Send(t.Context(), complaint(from.ID, to.ID))
			return err
		}, "another key"},
	} {
		t.Run(name, func(t *testing.T) {
			p := at(t, w, from, 0, t.TempDir())
			p.net.set(answer(tt.path, tt.change))
			err := tt.do(p)
			lied(t, err, tt.what)
			if p.net.count("PUT") != 0 {
				t.Error("something was sent")
			}
		})
	}
	// A history is read from entries: no answer can add or hide a reader.
	p := at(t, w, to, 0, "").fresh(t)
	p.net.set(func(_ string, body []byte) []byte { return []byte("{}") })
	h, err := p.DeskHistory(from.ID)
	check(t, err)
	if len(h.Keys) != 1 || len(h.Keys[0].Readers) != 2 {
		t.Errorf("%+v", h)
	}
	if _, err := p.DeskHistory("d_aaaaaaaaaaaaaaaaaaaaaaaaaa"); err == nil {
		t.Error("a history of no desk")
	}
}

// An answer that a statement was recorded is held against the directory: where it
// says, that statement stands, or the exchange lied and nothing is reported done.
func TestRecordedWhereItSays(t *testing.T) {
	for name, idx := range map[string]int64{"an early entry": 3, "the first": 0, "before the first": -1} {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			d := desk(t, w, "swc-kraljevo", "legal")
			p := at(t, w, d, 0, "").fresh(t)
			p.net.set(answer("/v1/directory/", changed(func(e *wire.Entry) { e.Idx = idx })))
			_, err := p.Rotate(t.Context(), d.ID, "yearly")
			lied(t, err, "another stands there")
			p.net.set(nil)
			check(t, p.Sync(t.Context()))
		})
	}
}
