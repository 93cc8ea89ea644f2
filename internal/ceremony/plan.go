package ceremony

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// Most of each, as the directory takes them.
const (
	MaxCouncil   = 9
	MaxDelegates = 32
	MaxWitnesses = 32
)

// Plan is what a council lays down in a genesis, as far as it is known: the
// answers given so far, or a plan file that was written beforehand.
type Plan struct {
	V         int       `json:"v"`
	Name      string    `json:"name"`
	Demo      bool      `json:"demo,omitempty"`
	Members   int       `json:"members"` // of the council
	K         int       `json:"k"`       // of them decide
	Council   []Seat    `json:"council"`
	Logs      LogKeys   `json:"logs"`
	Witnesses []Watcher `json:"witnesses"`
	Quorum    int       `json:"quorum"`  // witnesses that must confirm; 0 for none
	Watched   bool      `json:"watched"` // the questions about witnesses were answered
	Seats     int       `json:"seats"`   // of delegates
	Delegates []Seat    `json:"delegates"`
}

// LogKeys are the verifier keys that odzivd init printed.
type LogKeys struct {
	Dir string `json:"dir"`
	Ev  string `json:"ev"`
}

// Seat is one key of the council or of a delegate. Fingerprint is what somebody
// read on the owner's paper: without it nobody compared the key.
type Seat struct {
	Inst        string `json:"inst,omitempty"` // of a delegate
	Key         string `json:"key"`            // base64, or in a plan file the path of a key.json
	Fingerprint string `json:"fingerprint"`
}

// Watcher is one witness. URL, where the log asks it, may be empty.
type Watcher struct {
	Operator string `json:"operator"`
	VKey     string `json:"vkey"`
	URL      string `json:"url,omitempty"`
}

// Public is the key of a seat.
func (s Seat) Public() (ed25519.PublicKey, error) {
	key, err := base64.StdEncoding.Strict().DecodeString(s.Key)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%w: %.44q", ErrNoKey, s.Key)
	}
	return key, nil
}

// compared wants the fingerprint of a seat to be that of its key.
func (s Seat) compared(who string) (ed25519.PublicKey, error) {
	key, err := s.Public()
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", who, err)
	case s.Fingerprint == "":
		return nil, fmt.Errorf("%s: its fingerprint was not compared with paper", who)
	case !Compared(s.Fingerprint, Digest(key)):
		return nil, fmt.Errorf("%s: %w", who, ErrFingerprint)
	}
	return key, nil
}

// ErrFingerprint says that the key of a file is not the one on its owner's paper.
var ErrFingerprint = errors.New("the fingerprint on paper is not that of the key: the file was mixed up or exchanged")

// ErrTwice says that one person would sit twice.
var ErrTwice = errors.New("this key has a seat already: every seat is another person's")

// Free refuses a key that has a seat.
func (p *Plan) Free(key ed25519.PublicKey) error {
	for _, s := range slices.Concat(p.Council, p.Delegates) {
		if taken, err := s.Public(); err == nil && bytes.Equal(taken, key) {
			return ErrTwice
		}
	}
	return nil
}

// CheckCouncil holds the numbers of the council against the rules.
func (p *Plan) CheckCouncil() error {
	switch {
	case p.Members < 1 || p.Members > MaxCouncil:
		return fmt.Errorf("%d members of the council, want 1 to %d", p.Members, MaxCouncil)
	case p.K < 1 || p.K > p.Members:
		return fmt.Errorf("%d of %d cannot decide", p.K, p.Members)
	case p.K < 2 && !p.Demo:
		return errors.New("one alone would decide: that is for demonstrations; let at least two decide")
	}
	return nil
}

// CheckLogs holds the keys of the logs against their format.
func (l LogKeys) CheckLogs() error {
	for _, one := range []struct{ name, vkey string }{{"dir", l.Dir}, {"ev", l.Ev}} {
		if _, err := ledger.ParseVerifierKey(one.vkey); err != nil {
			return fmt.Errorf("%s: %w: copy it from what odzivd init printed", one.name, err)
		}
	}
	if l.Dir == l.Ev {
		return errors.New("the two logs have one key: each has its own")
	}
	return nil
}

// Policy is the C2SP tlog-policy of the witnesses: any Quorum of them.
func (p *Plan) Policy() (string, error) {
	if p.Quorum == 0 {
		return directory.QuorumNone, nil
	}
	return PolicyText(p.Witnesses, p.Quorum)
}

// PolicyText writes a C2SP tlog-policy that any need of some witnesses satisfy.
func PolicyText(witnesses []Watcher, need int) (string, error) {
	if need < 1 || need > len(witnesses) {
		return "", fmt.Errorf("%d of %d witnesses cannot be a quorum", need, len(witnesses))
	}
	var text, names strings.Builder
	for i, w := range witnesses {
		if strings.ContainsFunc(w.URL+w.VKey, func(r rune) bool { return r <= ' ' || r == '#' }) {
			return "", fmt.Errorf("witness %d: a key or address with a blank in it", i+1)
		}
		fmt.Fprintf(&text, "%s\n", strings.TrimRight(fmt.Sprintf("witness w%d %s %s", i+1, w.VKey, w.URL), " "))
		fmt.Fprintf(&names, " w%d", i+1)
	}
	policy := fmt.Sprintf("%sgroup all %d%s\nquorum all\n", &text, need, &names)
	_, err := ledger.ParsePolicy(policy)
	return policy, err
}

// Genesis is the statement that a complete plan lays down. at is when, ms.
func (p *Plan) Genesis(at int64) (*directory.Genesis, error) {
	if err := p.CheckCouncil(); err != nil {
		return nil, err
	}
	if len(p.Council) != p.Members {
		return nil, fmt.Errorf("%d keys of %d members of the council", len(p.Council), p.Members)
	}
	if err := p.Logs.CheckLogs(); err != nil {
		return nil, err
	}
	policy, err := p.Policy()
	if err != nil {
		return nil, err
	}
	b := &directory.Genesis{
		Head:    directory.Head{At: at, T: "genesis", V: directory.Version},
		Council: directory.Council{K: p.K}, Delegates: []directory.Delegate{}, Demo: p.Demo,
		Logs: directory.Logs(p.Logs), Name: p.Name, Quorum: directory.Quorum{Dir: policy, Ev: policy}, Witnesses: []directory.Witness{},
	}
	for i, s := range p.Council {
		key, err := s.compared(fmt.Sprintf("council member %d", i+1))
		if err != nil {
			return nil, err
		}
		b.Council.Keys = append(b.Council.Keys, key)
	}
	for i, s := range p.Delegates {
		key, err := s.compared(fmt.Sprintf("delegate %d", i+1))
		if err != nil {
			return nil, err
		}
		if !statement.IsID(s.Inst, statement.Institution) {
			return nil, fmt.Errorf("delegate %d: %.40q is no institution's id", i+1, s.Inst)
		}
		b.Delegates = append(b.Delegates, directory.Delegate{I: s.Inst, Key: key})
	}
	for _, w := range p.Witnesses {
		b.Witnesses = append(b.Witnesses, directory.Witness{Operator: w.Operator, VKey: w.VKey})
	}
	_, err = directory.Payload(b)
	return b, err
}
