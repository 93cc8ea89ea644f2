package office_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"testing"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/api/apitest"
	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// counts wants so many entries of the directory to count, of all there are.
func counts(t *testing.T, p *program, counted, all int64) {
	t.Helper()
	if got := p.Watch().Directory; got.Confirmed != counted || got.Entries != all || p.Counted().N() != counted || p.Directory().N() != all {
		t.Errorf("%+v, want %d of %d entries", got, counted, all)
	}
}

// caller is whoever stores something that no rule reads.
func (w *watched) caller() exchange.Caller {
	return exchange.Caller{Key: statement.KeyID(w.Council.Public()), Nonce: statement.NewID(statement.Other)}
}

// rotate makes a key for a party's desk, acknowledged by the second officer.
func (w *watched) rotate(p *apitest.Party, acknowledge bool) *age.HybridIdentity {
	w.t.Helper()
	id, err := age.GenerateHybridIdentity()
	check(w.t, err)
	text := id.Recipient().String()
	rk := directory.RecipientHash(text)
	check(w.t, w.X.PutKey(w.t.Context(), w.caller(), rk, text))
	last, _ := w.Directory().LatestEpoch(p.Desk)
	body := &directory.DeskEpoch{D: p.Desk, E: last.E + 1, Esc: []directory.Escrow{}, RK: rk, Why: "yearly"}
	desk, _ := w.Directory().Desk(p.Desk)
	for _, u := range desk.Members {
		member, _ := w.Directory().Officer(u)
		data := fmt.Appendf(nil, "package %d of %s", body.E, member.KeyID)
		sum := sha256.Sum256(data)
		check(w.t, w.X.PutPackage(w.t.Context(), w.caller(), hex.EncodeToString(sum[:]), data))
		body.Pkg = append(body.Pkg, directory.Package{Key: member.KeyID, SHA256: hex.EncodeToString(sum[:])})
	}
	w.Enter(body, p.Officers[0])
	if acknowledge {
		w.Enter(&directory.DeskEpochAck{D: p.Desk, E: body.E}, p.Officers[1])
	}
	return id
}

// registrars sign for a party.
func registrars(name string) []statement.SigningKey {
	return []statement.SigningKey{statement.NewSigningKey(derived(name + "/registrar/0")), statement.NewSigningKey(derived(name + "/registrar/1"))}
}

// hire enrols an officer and puts her at the desk.
func (w *watched) hire(p *apitest.Party, name string) *ring {
	w.t.Helper()
	keys := w.ringOf(p, statement.NewSigningKey(derived("hired")))
	u, now := statement.NewID(statement.Officer), w.Clock.Now()
	w.Enter(&directory.OfficerEnrol{U: u, I: p.Inst, Key: statement.KeyID(keys.key.Public()), Ed: keys.key.Public(), Rcp: keys.Recipient(),
		Roles: []string{"member"}, NB: now - 1000, NA: now + 365*24*3600*1000}, registrars(name)...)
	members := append([]string{u}, p.Users[:]...)
	slices.Sort(members)
	w.Enter(&directory.DeskMembers{D: p.Desk, Members: members}, registrars(name)...)
	return keys
}

// What gives a right counts once a quorum confirmed it; an empty notebook finds
// out how far that goes although the newest checkpoint is not confirmed.
func TestCountsUnderQuorum(t *testing.T) {
	w := watch(t)
	w.policy(w.group(2, "w1", "w2", "w3"))
	w.step()
	n := w.Directory().N()
	p := w.at(w.A, 0, "")
	check(t, p.Sync(t.Context()))
	counts(t, p, n, n)
	is(t, "the last entry", p.DirectoryStanding(n-1), ledger.Confirmed)

	w.sleep("w1", "w2")
	for i := range 3 {
		w.rotate(w.B, false)
		w.step()
		check(t, p.Sync(t.Context()))
		counts(t, p, n, n+int64(i)+1)
	}
	is(t, "the new entry", p.DirectoryStanding(n), ledger.Provisional)
	is(t, "the next entry", p.DirectoryStanding(n+3), office.NotConfirmed)
	fresh := w.at(w.A, 1, "")
	check(t, fresh.Sync(t.Context()))
	counts(t, fresh, n, n+3)

	w.sleep()
	w.step()
	for _, p := range []*program{p, fresh} {
		check(t, p.Sync(t.Context()))
		counts(t, p, n+3, n+3)
		is(t, "the entry", p.DirectoryStanding(n), ledger.Confirmed)
	}
}

// So it does for the evidence tree: whoever comes when the newest checkpoint is
// not confirmed is not told that nothing ever was.
func TestEvidenceUnderQuorum(t *testing.T) {
	w := watch(t)
	w.policy(w.group(2, "w1", "w2", "w3"))
	sender := w.at(w.A, 0, "")
	for i := range 7 {
		if i == 4 {
			w.sleep("w1", "w2")
		}
		_, err := sender.Send(t.Context(), complaint(w.A.Desk, w.B.Desk))
		check(t, err)
		w.step()
	}
	p := w.at(w.B, 0, "")
	check(t, p.Sync(t.Context()))
	if got := p.Watch(); got.Record.Confirmed != 4 || got.Record.Entries != 7 || got.Late {
		t.Errorf("%+v", got)
	}
	letters, err := p.Letters(t.Context(), w.B.Desk)
	check(t, err)
	for i, l := range letters {
		want := ledger.Confirmed
		if i >= 4 {
			want = ledger.Provisional
		}
		is(t, fmt.Sprint("letter ", i), l.Standing, want)
	}
}

// The notebook remembers what counted, and an older one, which does not, finds
// it again.
func TestCountsAgain(t *testing.T) {
	w := watch(t)
	w.policy(w.group(2, "w1", "w2", "w3"))
	w.step()
	dir := t.TempDir()
	check(t, w.at(w.A, 0, dir).Sync(t.Context()))
	n := w.Directory().N()
	w.sleep("w1", "w2", "w3")
	w.rotate(w.B, false)
	w.step()
	check(t, w.at(w.A, 0, dir).Sync(t.Context()))
	p := w.at(w.A, 0, dir)
	counts(t, p, n, n+1) // without asking anybody

	older := readMarks(t, dir)
	for member := range older {
		if member != "dir" && member != "ev" {
			delete(older, member)
		}
	}
	writeMarks(t, dir, older)
	p = w.at(w.A, 0, dir)
	check(t, p.Sync(t.Context()))
	counts(t, p, n, n+1)
}

// A policy that names other witnesses is confirmed by those of before and after
// it together; who was away meanwhile finds that checkpoint.
func TestPolicyChange(t *testing.T) {
	w := watch(t)
	w.policy(w.group(2, "w1", "w2", "w3"))
	w.step()
	n := w.Directory().N()
	early := w.at(w.A, 0, "")
	check(t, early.Sync(t.Context()))

	// The new witnesses alone: an exchange may have led them here.
	w.policy(w.group(2, "w4", "w5", "w6"))
	w.sleep("w1", "w2", "w3")
	w.step()
	check(t, early.Sync(t.Context()))
	counts(t, early, n, n+1)
	fresh := w.at(w.A, 0, "")
	check(t, fresh.Sync(t.Context()))
	counts(t, fresh, n, n+1)

	// Then both, and later the new ones alone again.
	w.sleep()
	w.rotate(w.B, false)
	w.step()
	check(t, early.Sync(t.Context()))
	counts(t, early, n+2, n+2)
	w.rotate(w.B, false)
	w.step()
	for name, p := range map[string]*program{"one that followed": early, "one that was away": fresh} {
		check(t, p.Sync(t.Context()))
		t.Log(name)
		counts(t, p, n+3, n+3)
	}
	// The old ones vouch for nothing any more.
	w.asked = w.group(2, "w1", "w2", "w3")
	w.rotate(w.B, false)
	w.step()
	check(t, early.Sync(t.Context()))
	counts(t, early, n+3, n+4)
}

// As long as no more witnesses change than the quorum can spare, nobody has to
// think of it: those who stay satisfy both policies.
func TestPolicyChangeByOne(t *testing.T) {
	w := watch(t)
	w.policy(w.group(3, "w1", "w2", "w3", "w4"))
	w.step()
	p := w.at(w.A, 0, "")
	check(t, p.Sync(t.Context()))
	w.policy(w.group(3, "w2", "w3", "w4", "w5"))
	w.step()
	n := w.Directory().N()
	check(t, p.Sync(t.Context()))
	counts(t, p, n, n)
	late := w.at(w.A, 0, "")
	check(t, late.Sync(t.Context()))
	counts(t, late, n, n)
}

// A policy that only the exchange wants is no policy.
func TestPolicySwapUnsigned(t *testing.T) {
	w := watch(t)
	w.policy(w.group(2, "w1", "w2", "w3"))
	w.step()
	p := w.at(w.A, 0, "")
	check(t, p.Sync(t.Context()))
	n := w.Directory().N()
	dir := w.Directory()
	_, d := w.Prepare(&directory.Policy{Council: dir.Council(), Delegates: dir.Delegates(), Logs: dir.Logs(), Witnesses: dir.Witnesses(),
		Quorum: directory.Quorum{Dir: directory.QuorumNone, Ev: directory.QuorumNone}}, statement.NewSigningKey(derived("the operator")))
	leaf, err := directory.Leaf(d)
	check(t, err)
	p.net.set(func(path string, body []byte) []byte {
		switch path {
		case "/dir/entries":
			return changed(func(e *wire.Entries) { e.Entries = append(e.Entries, leaf) })(body)
		case "/dir/checkpoint":
			return w.signs(ledger.Dir, func(c *ledger.Checkpoint) { c.Size++ }, "w1", "w2", "w3")(body)
		}
		return body
	})
	lied(t, p.Sync(t.Context()), fmt.Sprintf("directory entry %d breaks the rules", n))
}

// Cosignatures that do not verify, or are of another checkpoint or of nobody the
// policy names, confirm nothing; they are no lie of the exchange either.
func TestForgedCosignatures(t *testing.T) {
	w := watch(t)
	w.policy(w.group(2, "w1", "w2", "w3"))
	w.step()
	n := w.Directory().N()
	w.sleep("w1", "w2", "w3")
	w.rotate(w.B, false)
	w.step()
	parse := func(body []byte) ledger.Checkpoint {
		c, err := ledger.ParseCheckpoint(body, w.signers[ledger.Dir].Verifier())
		check(t, err)
		return c
	}
	forger, err := ledger.NewCosigningKey("w1.example", derived("forger"))
	check(t, err)
	for name, forge := range map[string]func([]byte) []byte{
		"of a stranger": func(b []byte) []byte {
			return slices.Concat(b, w.keys["w5"].Cosign(parse(b), w.Clock.Now()), w.keys["w6"].Cosign(parse(b), w.Clock.Now()))
		},
		"of an earlier tree": func(b []byte) []byte {
			c := parse(b)
			c.Size--
			return slices.Concat(b, w.keys["w1"].Cosign(c, w.Clock.Now()), w.keys["w2"].Cosign(c, w.Clock.Now()))
		},
		"under another key of the same name": func(b []byte) []byte {
			return slices.Concat(b, forger.Cosign(parse(b), w.Clock.Now()), w.keys["w2"].Cosign(parse(b), w.Clock.Now()))
		},
		"of one, twice": func(b []byte) []byte {
			return slices.Concat(b, w.keys["w1"].Cosign(parse(b), w.Clock.Now()), w.keys["w1"].Cosign(parse(b), w.Clock.Now()+5000))
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := w.at(w.A, 0, "")
			p.net.set(answer("/dir/checkpoint", forge))
			check(t, p.Sync(t.Context()))
			counts(t, p, n, n+1)
			is(t, "the directory", p.Watch().Directory.Standing, ledger.Provisional)
		})
	}
	// And the real ones do.
	p := w.at(w.A, 0, "")
	p.net.set(answer("/dir/checkpoint", func(b []byte) []byte {
		return slices.Concat(b, w.keys["w3"].Cosign(parse(b), w.Clock.Now()), w.keys["w2"].Cosign(parse(b), w.Clock.Now()))
	}))
	check(t, p.Sync(t.Context()))
	counts(t, p, n+1, n+1)
}

// Witnesses who were deceived or lie with the exchange change nothing about what
// this program saw itself.
func TestQuorumOverAnotherHistory(t *testing.T) {
	w := watch(t)
	w.policy(w.group(2, "w1", "w2", "w3"))
	w.step()
	var early []byte
	first := w.at(w.A, 0, "")
	first.net.set(answer("/dir/checkpoint", func(b []byte) []byte { early = b; return b }))
	check(t, first.Sync(t.Context()))
	w.rotate(w.B, true)
	w.step()
	for name, tt := range map[string]struct {
		path   string
		change func([]byte) []byte
		what   string
	}{
		"another tree":          {"/dir/checkpoint", w.signs(ledger.Dir, func(c *ledger.Checkpoint) { c.Root[3] ^= 1 }, "w1", "w2", "w3"), "do not give its signed root"},
		"a smaller tree":        {"/dir/checkpoint", func([]byte) []byte { return early }, "became smaller"},
		"another evidence tree": {"/ev/checkpoint", w.signs(ledger.Ev, func(c *ledger.Checkpoint) { c.Size, c.Root = 5, ledger.Checkpoint{}.Root }, "w1", "w2", "w3"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := w.at(w.A, 0, "")
			check(t, p.Sync(t.Context()))
			p.net.set(answer(tt.path, tt.change))
			err := p.Sync(t.Context())
			if tt.what == "" {
				if err == nil {
					t.Error("believed")
				}
				return
			}
			lied(t, err, tt.what)
		})
	}
	// A fork that only the proof of an entry shows.
	w.sleep("w1", "w2", "w3")
	w.rotate(w.B, false)
	w.step()
	p := w.at(w.A, 0, "")
	p.net.set(answer("/dir/proof/", func(b []byte) []byte {
		proof, err := ledger.ParseProof(b)
		check(t, err)
		proof.Checkpoint = w.signs(ledger.Dir, func(c *ledger.Checkpoint) { c.Root[0] ^= 1 }, "w1", "w2")(proof.Checkpoint)
		return proof.Format()
	}))
	lied(t, p.Sync(t.Context()), "two histories")
}
