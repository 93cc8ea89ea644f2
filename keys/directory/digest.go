package directory

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"strings"

	"github.com/odziv/odziv/internal/statement"
)

// Digest is the hex SHA-256 of [View.Dump]: two replays of the same leaves have
// the same, whatever program made them.
func (v View) Digest() (string, error) {
	dump, err := v.Dump()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(dump)
	return hex.EncodeToString(sum[:]), nil
}

// Dump writes out what the directory holds as canonical JSON (FORMAT.md, State
// dump). It is O(N); for comparing replays, not for serving.
func (v View) Dump() ([]byte, error) {
	c := v.charter()
	out, err := statement.Marshal(dump{
		Cards:  collect(v.facts.cards.all("", v.n), func(_ string, b *Card) dumpCard { return dumpCard{b.C, b.Of} }),
		Chains: collect(v.facts.chains.all("", v.n), func(s string, l link) dumpChain { return dumpChain{l.hash, s} }),
		Charter: dumpCharter{
			Council: Council{c.council.K, list(c.council.Keys)}, Delegates: list(v.Delegates()), Demo: c.demo,
			Genesis: c.genesis, Logs: c.logs, Name: c.name, Quorum: c.quorum, Witnesses: list(c.witnesses),
		},
		Days:     collect(v.facts.days.all("", v.n), dumpedDay),
		Desks:    collect(v.facts.desks.all("", v.n), dumpedDesk),
		Epochs:   collect(v.facts.epochs.all("", v.n), dumpedEpoch),
		Grants:   v.dumpedGrants(),
		Insts:    collect(v.facts.insts.all("", v.n), dumpedInst),
		N:        v.n,
		Officers: collect(v.facts.officers.all("", v.n), dumpedOfficer),
		Packs:    v.dumpedPacks(),
		Rotas:    collect(v.facts.rotas.all("", v.n), dumpedRota),
		V:        Version,
	})
	if err != nil {
		return nil, fmt.Errorf("directory: dump: %w", err)
	}
	return out, nil
}

type dump struct {
	Cards    []dumpCard    `json:"cards"`
	Chains   []dumpChain   `json:"chains"`
	Charter  dumpCharter   `json:"charter"`
	Days     []dumpDay     `json:"days"`
	Desks    []dumpDesk    `json:"desks"`
	Epochs   []dumpEpoch   `json:"epochs"`
	Grants   []dumpGrant   `json:"grants"`
	Insts    []dumpInst    `json:"insts"`
	N        int64         `json:"n"`
	Officers []dumpOfficer `json:"officers"`
	Packs    []dumpPack    `json:"packs"`
	Rotas    []dumpRota    `json:"rotas"`
	V        int64         `json:"v"`
}

type (
	dumpCard struct {
		C  []byte `json:"c"`
		Of string `json:"of"`
	}
	dumpChain struct {
		Hash    string `json:"hash"`
		Subject string `json:"subject"`
	}
	dumpCharter struct {
		Council   Council    `json:"council"`
		Delegates []Delegate `json:"delegates"`
		Demo      bool       `json:"demo"`
		Genesis   string     `json:"genesis"`
		Logs      Logs       `json:"logs"`
		Name      string     `json:"name"`
		Quorum    Quorum     `json:"quorum"`
		Witnesses []Witness  `json:"witnesses"`
	}
	dumpDay struct {
		Day
		Zone string `json:"zone"`
	}
	dumpDesk struct {
		D       string   `json:"d"`
		Fn      string   `json:"fn"`
		I       string   `json:"i"`
		Members []string `json:"members"`
		NA      int64    `json:"na"`
		NB      int64    `json:"nb"`
	}
	dumpEpoch struct {
		Acks     []string  `json:"acks"`
		At       int64     `json:"at"`
		By       string    `json:"by"`
		D        string    `json:"d"`
		Disputed bool      `json:"disputed"`
		E        int64     `json:"e"`
		Esc      []Escrow  `json:"esc"`
		N        int64     `json:"n"`
		Pkg      []Package `json:"pkg"`
		RK       string    `json:"rk"`
	}
	dumpGrant struct {
		D     string `json:"d"`
		From  int64  `json:"from"`
		Scope string `json:"scope"`
		To    int64  `json:"to"`
	}
	dumpInst struct {
		Custodians  Custodians          `json:"custodians"`
		Emergency   bool                `json:"emergency"`
		EscalatesTo string              `json:"escalates_to"`
		I           string              `json:"i"`
		Level       string              `json:"level"`
		NA          int64               `json:"na"`
		NB          int64               `json:"nb"`
		Observer    []ed25519.PublicKey `json:"observer"` // none or one
		Pred        string              `json:"pred"`
		Registrars  []ed25519.PublicKey `json:"registrars"`
		Root        Root                `json:"root"`
		Territory   []string            `json:"territory"`
		Type        string              `json:"type"`
	}
	dumpOfficer struct {
		Ed          ed25519.PublicKey `json:"ed"`
		I           string            `json:"i"`
		Key         string            `json:"key"`
		NA          int64             `json:"na"`
		NB          int64             `json:"nb"`
		Rcp         string            `json:"rcp"`
		RevokedAt   int64             `json:"revoked_at"` // 0: not revoked
		RevokedFrom int64             `json:"revoked_from"`
		Roles       []string          `json:"roles"`
		U           string            `json:"u"`
	}
	dumpPack struct {
		From int64  `json:"from"`
		Hash string `json:"hash"`
		ID   string `json:"id"`
	}
	dumpRota struct {
		Contacts []Contact `json:"contacts"`
		D        string    `json:"d"`
		From     int64     `json:"from"`
		To       int64     `json:"to"`
	}
)

// list is s, or an empty list for nil, which JSON would call null.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func collect[T, D any](facts iter.Seq2[string, T], one func(key string, fact T) D) []D {
	out := []D{}
	for key, fact := range facts {
		out = append(out, one(key, fact))
	}
	return out
}

func dumpedDay(key string, day Day) dumpDay {
	zone, _, _ := strings.Cut(key, " ")
	return dumpDay{day, zone}
}

func dumpedDesk(_ string, d Desk) dumpDesk {
	return dumpDesk{d.D, d.Fn, d.Inst, list(d.Members), d.NA, d.NB}
}

func dumpedEpoch(_ string, e Epoch) dumpEpoch {
	return dumpEpoch{e.Acks, e.At, e.By, e.D, e.Disputed, e.E, e.Esc, e.DirN, e.Pkg, e.RK}
}

func dumpedInst(_ string, i Institution) dumpInst {
	observer := []ed25519.PublicKey{}
	if i.Observer != nil {
		observer = append(observer, i.Observer)
	}
	return dumpInst{
		Custodians{i.Custodians.K, i.Custodians.Keys, list(i.Custodians.Rcps)}, i.Emergency, i.EscalatesTo, i.I, i.Level, i.NA, i.NB,
		observer, i.Pred, list(i.Registrars), i.Root, list(i.Territory), i.Type,
	}
}

func dumpedOfficer(_ string, o Officer) dumpOfficer {
	return dumpOfficer{o.Key, o.Inst, o.KeyID, o.NA, o.NB, o.Rcp, o.RevokedAt, o.RevokedFrom, o.Roles, o.U}
}

func dumpedRota(_ string, r *DeskRota) dumpRota { return dumpRota{r.Contacts, r.D, r.From, r.To} }

func (v View) dumpedGrants() []dumpGrant {
	out := []dumpGrant{}
	for _, grants := range v.facts.grants.all("", v.n) {
		for _, g := range grants {
			out = append(out, dumpGrant{g.D, g.From, g.Scope, g.To})
		}
	}
	return out
}

func (v View) dumpedPacks() []dumpPack {
	out := []dumpPack{}
	for _, p := range v.Packs() {
		out = append(out, dumpPack{p.From, p.Hash, p.ID})
	}
	return out
}
