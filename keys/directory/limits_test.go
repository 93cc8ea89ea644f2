package directory_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

func head(t string) directory.Head {
	h := directory.Head{At: start, DirN: 1, T: t, V: 1}
	if t == "genesis" {
		h.DirN = 0
	}
	return h
}

// many makes n labels.
func many(what string, n int) []string {
	out := []string{}
	for i := range n {
		out = append(out, fmt.Sprint(what, "/", i))
	}
	return out
}

func officerIDs(n int) []string {
	out := []string{}
	for _, l := range many("officer", n) {
		out = append(out, id("u", l))
	}
	return out
}

func packages(n int) []directory.Package { return pkg(many("officer", n)...) }

// Both sides of every limit: good is the last value accepted, bad the first
// refused, always as malformed.
func TestLimits(t *testing.T) {
	i, d, u := id("i", "A"), id("d", "A/legal"), id("u", "A/officer/1")
	charter := func(edit func(*directory.Genesis)) directory.Body {
		g := genesis()
		g.Head = head("genesis")
		edit(g)
		return g
	}
	councilOf := func(k, n int) directory.Body {
		return charter(func(g *directory.Genesis) { g.Council = directory.Council{K: k, Keys: publics(many("council", n)...)} })
	}
	named := func(name string) directory.Body { return charter(func(g *directory.Genesis) { g.Name = name }) }
	delegatesOf := func(n int) directory.Body {
		return charter(func(g *directory.Genesis) {
			g.Delegates = []directory.Delegate{}
			for _, l := range many("delegate", n) {
				g.Delegates = append(g.Delegates, directory.Delegate{I: i, Key: public(l)})
			}
		})
	}
	witnessesOf := func(n int) directory.Body {
		return charter(func(g *directory.Genesis) {
			for _, l := range many("w", n) {
				g.Witnesses = append(g.Witnesses, directory.Witness{Operator: "institution C", VKey: vkey(l, 4, l)})
			}
		})
	}
	quorum := func(text string) directory.Body {
		return charter(func(g *directory.Genesis) { g.Quorum.Ev = text })
	}
	logged := func(vkey string) directory.Body {
		return charter(func(g *directory.Genesis) { g.Logs.Ev = vkey })
	}
	witnessed := func(vkey string) directory.Body {
		return charter(func(g *directory.Genesis) { g.Witnesses = []directory.Witness{{Operator: "x", VKey: vkey}} })
	}
	registrars := func(n int) directory.Body {
		return &directory.InstRegistrars{Head: head("inst.registrars"), I: i, Keys: publics(many("registrar", n)...)}
	}
	custodians := func(k, n int) directory.Body {
		rcps := []string{}
		for _, l := range many("custodian", n) {
			rcps = append(rcps, recipient(l))
		}
		return &directory.InstCustodians{Head: head("inst.custodians"), I: i, K: k, Rcps: rcps}
	}
	signing := func(n, keys int) directory.Body {
		b := custodians(2, n).(*directory.InstCustodians)
		for k := range keys {
			b.Keys = append(b.Keys, public(fmt.Sprint("custodian/", k)))
		}
		return b
	}
	profile := func(edit func(*directory.InstProfile)) directory.Body {
		p := &directory.InstProfile{Head: head("inst.profile"), I: i, Type: "swc", Level: "local", Territory: []string{}, NB: start, NA: end}
		edit(p)
		return p
	}
	territory := func(n int) directory.Body {
		return profile(func(p *directory.InstProfile) {
			for _, l := range many("", n) {
				p.Territory = append(p.Territory, l[1:])
			}
		})
	}
	members := func(n int) directory.Body {
		return &directory.DeskMembers{Head: head("desk.members"), D: d, Members: officerIDs(n)}
	}
	rota := func(n int) directory.Body {
		r := &directory.DeskRota{Head: head("desk.rota"), D: d, From: start, To: end, Contacts: []directory.Contact{}}
		for _, u := range officerIDs(n) {
			r.Contacts = append(r.Contacts, directory.Contact{U: u})
		}
		return r
	}
	carded := func(card []byte) directory.Body {
		return &directory.DeskRota{Head: head("desk.rota"), D: d, From: start, To: end, Contacts: []directory.Contact{{U: u, Card: card}}}
	}
	epoch := func(e int64, pkgs, escs int) directory.Body {
		esc := escrow()
		for range escs {
			esc = append(esc, directory.Escrow{Cust: []int{0}, SHA256: hash("x")})
		}
		return &directory.DeskEpoch{Head: head("desk.epoch"), D: d, E: e, RK: hash("rk"), Why: "first", Pkg: append([]directory.Package{}, packages(pkgs)...), Esc: esc}
	}
	pack := func(id string) directory.Body {
		return &directory.PackAdopt{Head: head("pack.adopt"), ID: id, Hash: hash("pack"), From: start}
	}
	zone := func(zone, date, ref string) directory.Body {
		return &directory.CalendarDay{Head: head("calendar.day"), Zone: zone, Date: date, Ref: ref}
	}
	headed := func(edit func(*directory.Head)) directory.Body {
		b := &directory.DeskEpochAck{Head: head("desk.epoch.ack"), D: d, E: 1}
		edit(&b.Head)
		return b
	}
	card := func(n int) directory.Body {
		return &directory.Card{Head: head("card"), Of: u, C: make([]byte, n)}
	}
	rolesOf := func(roles ...string) directory.Body {
		o := enrol("A", "A/officer/1", roles...)
		o.Head = head("officer.enrol")
		return o
	}
	revokedFrom := func(from int64) directory.Body {
		return &directory.OfficerRevoke{Head: head("officer.revoke"), U: u, Key: keyID("A/officer/1"), From: from, Reason: "device-lost"}
	}
	policyText := func(n int) string {
		text := "quorum none\n"
		return text + "#" + strings.Repeat("x", n-len(text)-1)
	}
	goodVKey := vkey("exchange.example/ev", 1, "log/ev")
	for _, c := range []struct {
		what      string
		good, bad directory.Body
	}{
		{"council of 9", councilOf(9, 9), councilOf(9, 10)},
		{"council of 1", councilOf(1, 1), councilOf(1, 0)},
		{"threshold", councilOf(3, 3), councilOf(4, 3)},
		{"threshold of 0", councilOf(1, 3), councilOf(0, 3)},
		{"name, longest", named(strings.Repeat("ж", 64)), named(strings.Repeat("ж", 65))},
		{"name, shortest", named("x"), named("")},
		{"name that prints", named("x y"), named("x\ny")},
		{"name in NFC", named("é"), named("e\u0301")},
		{"delegates", delegatesOf(32), delegatesOf(33)},
		{"witnesses", witnessesOf(32), witnessesOf(33)},
		{"quorum: longest", quorum(policyText(8192)), quorum(policyText(8193))},
		{"quorum: one line of it", quorum("# ours\n\nlog x\nwitness a b\ngroup g 1 a\nquorum g\n"), quorum("quorum a\nquorum b\n")},
		{"quorum: one line at least", quorum("quorum none"), quorum("log x\n")},
		{"quorum: known words", quorum("none"), quorum("quorum none\nfork yes\n")},
		{"log key: hash", logged(goodVKey), logged(strings.Replace(goodVKey, "/ev+", "/eV+", 1))},
		{"log key: name", logged(vkey("a", 1, "x")), logged(vkey("", 1, "x"))},
		{"log key: blank in name", logged(vkey("a\u00e9", 1, "x")), logged(vkey("a b", 1, "x"))},
		{"log key: algorithm", logged(vkey("a", 1, "x")), logged(vkey("a", 4, "x"))},
		{"log key: bytes", logged(goodVKey), logged(goodVKey[:len(goodVKey)-4])},
		{"log key: longest", logged(vkey(strings.Repeat("a", 256-54), 1, "x")), logged(vkey(strings.Repeat("a", 257-54), 1, "x"))},
		{"witness key: algorithm", witnessed(vkey("a", 4, "x")), witnessed(vkey("a", 6, "x"))},
		{"registrars, fewest", registrars(2), registrars(1)},
		{"registrars, most", registrars(16), registrars(17)},
		{"custodians, most", custodians(2, 5), custodians(2, 6)},
		{"custodians, threshold", custodians(3, 3), custodians(4, 3)},
		{"custodians, a key for each", signing(3, 3), signing(3, 2)},
		{"custodians, no key or all", custodians(2, 3), signing(3, 4)},
		{"custodians, threshold of 0", custodians(1, 3), custodians(0, 3)},
		{"territory", territory(256), territory(257)},
		{"type", profile(func(p *directory.InstProfile) { p.Type = "ppo-higher" }), profile(func(p *directory.InstProfile) { p.Type = "PPO" })},
		{"level", profile(func(p *directory.InstProfile) { p.Level = "local" }), profile(func(p *directory.InstProfile) { p.Level = "" })},
		{"predecessor", profile(func(p *directory.InstProfile) { p.Pred = id("i", "B") }), profile(func(p *directory.InstProfile) { p.Pred = i })},
		{"predecessor's id", profile(func(p *directory.InstProfile) { p.Pred = "" }), profile(func(p *directory.InstProfile) { p.Pred = d })},
		{"term", profile(func(p *directory.InstProfile) { p.NA = start + 1 }), profile(func(p *directory.InstProfile) { p.NA = start })},
		{"members", members(64), members(65)},
		{"contacts, most", rota(16), rota(17)},
		{"contacts, fewest", rota(1), rota(0)},
		{"card in rota", carded(make([]byte, 32)), carded(make([]byte, 33))},
		{"card", card(32), card(31)},
		{"epoch number", epoch(99999, 1, 0), epoch(100000, 1, 0)},
		{"first epoch", epoch(1, 1, 0), epoch(0, 1, 0)},
		{"packages, most", epoch(1, 64, 0), epoch(1, 65, 0)},
		{"packages, fewest", epoch(1, 1, 0), epoch(1, 0, 0)},
		{"escrow", epoch(1, 1, 10), epoch(1, 1, 11)},
		{"pack version", pack("rs-a@999999999"), pack("rs-a@1000000000")},
		{"pack version from 1", pack("rs-a@1"), pack("rs-a@0")},
		{"pack version in one spelling", pack("rs-a@10"), pack("rs-a@01")},
		{"pack family", pack("rs-a@1"), pack("@1")},
		{"zone", zone("America/Argentina/Ushuaia", "2026-01-01", "x"), zone("America/Argentina/Ushuaia/x", "2026-01-01", "x")},
		{"zone, longest", zone(strings.Repeat("A", 64), "2026-01-01", "x"), zone(strings.Repeat("A", 65), "2026-01-01", "x")},
		{"zone, shape", zone("UTC", "2026-01-01", "x"), zone("../x", "2026-01-01", "x")},
		{"zone, no other subject", zone("Policy", "2026-01-01", "x"), zone("policy", "2026-01-01", "x")},
		{"date", zone("UTC", "2028-02-29", "x"), zone("UTC", "2027-02-29", "x")},
		{"date since 1970", zone("UTC", "1970-01-01", "x"), zone("UTC", "1969-12-31", "x")},
		{"date in one spelling", zone("UTC", "2026-01-02", "x"), zone("UTC", "2026-1-2", "x")},
		{"ref", zone("UTC", "2026-01-01", "x"), zone("UTC", "2026-01-01", "")},
		{"all roles", rolesOf(directory.Roles...), rolesOf(append(directory.Roles, "member")...)},
		{"revocation at once", revokedFrom(start), revokedFrom(start + 1)},
		{"time, last", headed(func(h *directory.Head) { h.At = 1<<53 - 1 }), headed(func(h *directory.Head) { h.At = 1 << 53 })},
		{"time, first", headed(func(h *directory.Head) { h.At = 1 }), headed(func(h *directory.Head) { h.At = 0 })},
		{"dirn", headed(func(h *directory.Head) { h.DirN = 1 }), headed(func(h *directory.Head) { h.DirN = 0 })},
		{"dirn of genesis", charter(func(*directory.Genesis) {}), charter(func(g *directory.Genesis) { g.DirN = 1 })},
		{"version", headed(func(h *directory.Head) { h.V = 1 }), headed(func(h *directory.Head) { h.V = 0 })},
		{"kind", headed(func(*directory.Head) {}), headed(func(h *directory.Head) { h.T = "desk.epoch.dispute" })},
		{"prev", headed(func(h *directory.Head) { h.Prev = hash("x") }), headed(func(h *directory.Head) { h.Prev = strings.ToUpper(hash("x")) })},
	} {
		payload, err := directory.Payload(c.good)
		if err != nil {
			t.Errorf("%s: good refused: %v", c.what, err)
			continue
		}
		body, err := directory.DecodePayload(payload)
		if err != nil {
			t.Errorf("%s: good does not decode: %v", c.what, err)
			continue
		}
		if again, err := directory.Payload(body); err != nil || !bytes.Equal(again, payload) {
			t.Errorf("%s: decoding and encoding is not the identity: %v", c.what, err)
		}
		if _, err := directory.Payload(c.bad); !errors.Is(err, directory.ErrMalformed) {
			t.Errorf("%s: bad: %v, want malformed", c.what, err)
		}
		raw, err := json.Marshal(c.bad)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := directory.DecodePayload(raw); !errors.Is(err, directory.ErrMalformed) {
			t.Errorf("%s: bad decodes: %v", c.what, err)
		}
	}
}

func TestSizeLimits(t *testing.T) {
	if _, err := directory.DecodePayload(make([]byte, statement.MaxSize+1)); !errors.Is(err, directory.ErrMalformed) {
		t.Errorf("payload of 32 KiB and 1: %v", err)
	}
	big := make([]byte, directory.MaxLeaf+1)
	if _, err := directory.Decode(big); !errors.Is(err, directory.ErrMalformed) || !strings.Contains(err.Error(), "65536 bytes") {
		t.Errorf("leaf of 65,536 bytes: %v", err)
	}
	if _, err := directory.Decode(big[1:]); !errors.Is(err, directory.ErrMalformed) || strings.Contains(err.Error(), "65535 bytes") {
		t.Errorf("leaf of 65,535 bytes: refused for its size: %v", err)
	}
	fat := &statement.DSSE{Payload: make([]byte, 60000), PayloadType: statement.TypeDirectory, Signatures: []statement.Signature{}}
	if _, err := directory.Leaf(fat); !errors.Is(err, directory.ErrMalformed) {
		t.Errorf("leaf of 80 KB: %v", err)
	}
	// The largest statements fit: everything at its limit at once.
	g := genesis()
	g.Head = head("genesis")
	g.Quorum = directory.Quorum{Dir: "quorum none\n#" + strings.Repeat("x", 8000), Ev: "quorum none\n#" + strings.Repeat("x", 8000)}
	if _, err := directory.Payload(g); err != nil {
		t.Errorf("two long policies: %v", err)
	}
	g.Delegates, g.Witnesses = []directory.Delegate{}, []directory.Witness{}
	for _, l := range many("w", 32) {
		g.Witnesses = append(g.Witnesses, directory.Witness{Operator: strings.Repeat("ж", 64), VKey: vkey(strings.Repeat("a", 190)+l, 4, l)})
	}
	if _, err := directory.Payload(g); err != nil {
		t.Errorf("32 long witnesses: %v", err)
	}
	g.Quorum.Dir = "quorum none\n#" + strings.Repeat("\"", 8000) // JSON spells a quotation mark in two bytes
	for _, l := range many("delegate", 32) {
		g.Delegates = append(g.Delegates, directory.Delegate{I: id("i", l), Key: public(l)})
	}
	if _, err := directory.Payload(g); !errors.Is(err, directory.ErrMalformed) || !strings.Contains(err.Error(), "32768") {
		t.Errorf("everything at its limit: %v, want a refusal that names the limit of a payload", err)
	}
}

func TestPayloadFillsNothing(t *testing.T) {
	for _, b := range []directory.Body{
		&directory.DeskEpochAck{D: id("d", "A/legal"), E: 1},
		&directory.DeskMembers{Head: head("desk.members"), D: id("d", "A/legal")}, // nil list
	} {
		if _, err := directory.Payload(b); !errors.Is(err, directory.ErrMalformed) {
			t.Errorf("%T: %v", b, err)
		}
	}
}

func TestRecipients(t *testing.T) {
	try := func(rcp string) error {
		o := enrol("A", "A/officer/1", "member")
		o.Head, o.Rcp = head("officer.enrol"), rcp
		_, err := directory.Payload(o)
		return err
	}
	good := recipient("A/officer/1")
	if len(good) != 1959 {
		t.Fatalf("%d characters", len(good))
	}
	if err := try(good); err != nil {
		t.Fatal(err)
	}
	swap := func(i int, c byte) string { b := []byte(good); b[i] = c; return string(b) }
	bad := map[string]string{
		"empty":        "",
		"short":        good[:len(good)-1],
		"long":         good + "q",
		"upper case":   strings.ToUpper(good),
		"other prefix": "age1px1" + good[7:],
		"no Bech32":    swap(500, 'b'),
		"small key":    bech32("age1pq", make([]byte, 1215)),
		"padding":      bech32Groups("age1pq", append(make([]byte, 1945), 1)),
		// 1,216 bytes of which the ML-KEM half is out of range
		"no ML-KEM key": bech32("age1pq", bytes.Repeat([]byte{0xff}, 1216)),
	}
	for i := range len(good) {
		c := byte('q')
		if good[i] == c {
			c = 'p'
		}
		bad[fmt.Sprint("character ", i)] = swap(i, c)
	}
	for why, rcp := range bad {
		if err := try(rcp); !errors.Is(err, directory.ErrMalformed) {
			t.Errorf("%s: %v", why, err)
		}
	}
	if err := try(bech32("age1pq", make([]byte, 1216))); err != nil {
		t.Errorf("a key of zeros is a key: %v", err)
	}
}

// The payload that the protocol gives as its example.
func TestProtocolExample(t *testing.T) {
	const example = `{"at":1771574400000,"dirn":37,"emergency":true,"escalates_to":"i_n3e4wtynzwlztvzsjuwfkk4oky","i":"i_rooefvdqc76v4aa4ktvk2uhrku","level":"local","na":1924988400000,"nb":1772319600000,"prev":"1432ddf20c3d0fe5e41bb3712230c3300ce89fced5ac460e970b95bad01d7cfa","t":"inst.profile","territory":["70653"],"type":"swc","v":1}`
	body, err := directory.DecodePayload([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	p, ok := body.(*directory.InstProfile)
	if !ok || p.Type != "swc" || p.DirN != 37 || !p.Emergency || p.Subject() != "i_rooefvdqc76v4aa4ktvk2uhrku" {
		t.Errorf("%+v", body)
	}
	if again, err := directory.Payload(body); err != nil || string(again) != example {
		t.Errorf("%s, %v", again, err)
	}
	if !strings.Contains(format(t), example) {
		t.Error("FORMAT.md does not show it")
	}
}
