package apitest

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

const (
	hour = 60 * 60 * 1000
	year = 365 * 24 * hour
)

// A Party is an institution with one desk of two officers.
type Party struct {
	Inst, Desk, Type string
	Officers         [2]statement.SigningKey
	Users            [2]string
	Identities       [2]*age.HybridIdentity // of the officers
	Key              *age.HybridIdentity    // of the desk, epoch 1
	RK               string
	Root             statement.SigningKey
	Registrars       [2]statement.SigningKey
}

func seed(label string) []byte {
	sum := sha256.Sum256([]byte("odziv/apitest/" + label))
	return sum[:]
}

func signer(label string) statement.SigningKey { return statement.NewSigningKey(seed(label)) }

func id(prefix, label string) string { return statement.FormatID(prefix, seed(prefix + label)[:16]) }

func publics(keys ...statement.SigningKey) []ed25519.PublicKey {
	out := []ed25519.PublicKey{}
	for _, k := range keys {
		out = append(out, k.Public())
	}
	return out
}

func (w *World) newSigners() {
	for _, log := range ledger.Logs {
		origin := host + "/" + log.String()
		w.signers[log] = must(w, func() (*ledger.SigningKey, error) { return ledger.NewSigningKey(origin, seed(origin)) })
	}
}

func (w *World) vkey(log ledger.Log) string {
	return must(w, func() (string, error) {
		return ledger.VerifierKey(host+"/"+log.String(), ed25519.NewKeyFromSeed(seed(host+"/"+log.String())).Public().(ed25519.PublicKey))
	})
}

func (w *World) genesis() []byte {
	g := &directory.Genesis{
		Name: "test", Demo: true, Council: directory.Council{K: 1, Keys: publics(w.Council)},
		Delegates: []directory.Delegate{{I: id("i", "A"), Key: w.Delegates[0].Public()}, {I: id("i", "B"), Key: w.Delegates[1].Public()}},
		Logs:      directory.Logs{Dir: w.vkey(ledger.Dir), Ev: w.vkey(ledger.Ev)}, Witnesses: []directory.Witness{},
		Quorum: directory.Quorum{Dir: directory.QuorumNone, Ev: directory.QuorumNone},
	}
	payload := must(w, func() ([]byte, error) { return directory.New().Prepare(g, Begin-hour) })
	return must(w, func() ([]byte, error) { return directory.Leaf(w.sign(payload, w.Council)) })
}

func (w *World) sign(payload []byte, by ...statement.SigningKey) *statement.DSSE {
	signers := make([]statement.Signer, 0, len(by))
	for _, k := range by {
		signers = append(signers, k)
	}
	return must(w, func() (*statement.DSSE, error) {
		return statement.Sign(context.Background(), statement.TypeDirectory, payload, signers...)
	})
}

// Prepare makes a directory statement for the present directory, signed by some.
func (w *World) Prepare(body directory.Body, by ...statement.SigningKey) (digest string, d *statement.DSSE) {
	w.t.Helper()
	payload := must(w, func() ([]byte, error) { return w.Directory().Prepare(body, w.Clock.Now()) })
	d = w.sign(payload, by...)
	sum := d.Digest()
	return hex.EncodeToString(sum[:]), d
}

// Enter records a directory statement.
func (w *World) Enter(body directory.Body, by ...statement.SigningKey) {
	w.t.Helper()
	digest, d := w.Prepare(body, by...)
	raw := must(w, d.Encode)
	_, err := w.X.SubmitDirectory(context.Background(), w.caller(), digest, raw)
	w.check(err)
}

func (w *World) caller() exchange.Caller {
	return exchange.Caller{Key: statement.KeyID(w.Council.Public()), Nonce: statement.NewID("x")}
}

func (w *World) fillDirectory() {
	w.A = w.join("A", "swc", "legal")
	w.B = w.join("B", "ppo-higher", "registry")
	w.Enter(&directory.PackAdopt{ID: w.Pack.ID(), Hash: w.Pack.Hash(), From: Begin - hour}, w.Delegates[:]...)
}

// join admits an institution with a desk that others can write to.
func (w *World) join(name, typ, fn string) *Party {
	root := signer(name + "/root")
	p := &Party{Inst: id("i", name), Desk: id("d", name), Type: typ, Root: root}
	for i := range p.Officers {
		p.Officers[i] = signer(fmt.Sprint(name, "/officer/", i))
		p.Registrars[i] = signer(fmt.Sprint(name, "/registrar/", i))
		p.Users[i] = id("u", fmt.Sprint(name, i))
	}
	w.Enter(&directory.InstJoin{I: p.Inst, Root: directory.Root{K: 1, Keys: publics(root)}}, w.Delegates[0], w.Delegates[1], root)
	w.Enter(&directory.InstProfile{I: p.Inst, Type: typ, Level: "local", Territory: []string{}, NB: Begin - hour, NA: Begin + year}, w.Delegates[:]...)
	w.Enter(&directory.InstRegistrars{I: p.Inst, Keys: publics(p.Registrars[:]...)}, root)
	for i, k := range p.Officers {
		p.Identities[i] = w.identity()
		w.Enter(&directory.OfficerEnrol{U: p.Users[i], I: p.Inst, Key: statement.KeyID(k.Public()), Ed: k.Public(),
			Rcp: p.Identities[i].Recipient().String(), Roles: []string{"member", "head"}, NB: Begin - hour, NA: Begin + year}, p.Registrars[:]...)
	}
	w.Enter(&directory.DeskProfile{D: p.Desk, I: p.Inst, Fn: fn, NB: Begin - hour, NA: Begin + year}, p.Registrars[0])
	w.Enter(&directory.DeskMembers{D: p.Desk, Members: p.Users[:]}, p.Registrars[:]...)
	w.giveKey(p)
	return p
}

func (w *World) identity() *age.HybridIdentity { return must(w, age.GenerateHybridIdentity) }

// giveKey makes epoch 1 of a desk. Its packages are no age files: nobody here
// opens them.
func (w *World) giveKey(p *Party) {
	ctx := context.Background()
	p.Key = w.identity()
	text := p.Key.Recipient().String()
	p.RK = directory.RecipientHash(text)
	w.check(w.X.PutKey(ctx, w.caller(), p.RK, text))
	epoch := &directory.DeskEpoch{D: p.Desk, E: 1, Esc: []directory.Escrow{}, RK: p.RK, Why: "first"}
	for _, k := range p.Officers {
		data := []byte("package of " + statement.KeyID(k.Public()))
		sum := sha256.Sum256(data)
		w.check(w.X.PutPackage(ctx, w.caller(), hex.EncodeToString(sum[:]), data))
		epoch.Pkg = append(epoch.Pkg, directory.Package{Key: statement.KeyID(k.Public()), SHA256: hex.EncodeToString(sum[:])})
	}
	w.Enter(epoch, p.Officers[0])
	w.Enter(&directory.DeskEpochAck{D: p.Desk, E: 1}, p.Officers[1])
}

// Revoke ends the key of an officer.
func (w *World) Revoke(p *Party, officer int) {
	w.t.Helper()
	key := statement.KeyID(p.Officers[officer].Public())
	w.Enter(&directory.OfficerRevoke{U: p.Users[officer], Key: key, From: w.Clock.Now(), Reason: "device-lost"}, p.Registrars[0])
}
