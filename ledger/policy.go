package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Standing says how far others vouch for a checkpoint that the log signed.
type Standing string

// The standings. One word each, wherever a person or a program reads it.
const (
	Unwitnessed Standing = "unwitnessed" // nobody is asked to vouch: a second history would not show
	Provisional Standing = "provisional" // fewer cosigned than the policy asks for, so far
	Confirmed   Standing = "confirmed"   // as many cosigned as the policy asks for
)

// noQuorum stands for "nobody is asked", as the whole policy and as its quorum.
const noQuorum = "none"

// Limits of a policy.
const (
	maxPolicy   = 8 << 10 // bytes
	maxPolicies = 128     // witnesses and groups
)

// A Witness is one cosigner that a policy names.
type Witness struct {
	Name     string        // within the policy
	Verifier note.Verifier // a [Cosigner], or a plain Ed25519 key
	VKey     string
	URL      string // where it is asked, "" if the log does not ask it
}

// A Policy says who must cosign a checkpoint (C2SP tlog-policy). It is
// immutable.
type Policy struct {
	witnesses []Witness
	groups    map[string]group
	quorum    string
}

type group struct {
	need    int
	members []string
}

// ParsePolicy reads "none", or the lines witness, group and quorum of a policy.
// Lines of logs are not needed here: which key signs a log is said elsewhere.
func ParsePolicy(text string) (*Policy, error) {
	p := &Policy{groups: map[string]group{}}
	if text == noQuorum {
		p.quorum = noQuorum
		return p, nil
	}
	if len(text) > maxPolicy {
		return nil, fmt.Errorf("ledger: policy of %d bytes, at most %d", len(text), maxPolicy)
	}
	for line := range strings.Lines(text) {
		rest, _, _ := strings.Cut(line, "#")
		words := strings.Fields(rest)
		if len(words) == 0 {
			continue
		}
		if err := p.line(words); err != nil {
			return nil, fmt.Errorf("ledger: policy line %.80q: %w", line, err)
		}
	}
	if p.quorum == "" {
		return nil, errors.New("ledger: policy without a quorum line")
	}
	return p, nil
}

func (p *Policy) line(words []string) error {
	switch {
	case words[0] == "log" && len(words) >= 2:
		return nil
	case words[0] == "witness" && (len(words) == 3 || len(words) == 4):
		return p.addWitness(words[1], words[2], words[3:])
	case words[0] == "group" && len(words) >= 4:
		return p.addGroup(words[1], words[2], words[3:])
	case words[0] == "quorum" && len(words) == 2 && p.quorum == "":
		if words[1] != noQuorum && !p.known(words[1]) {
			return errors.New("the quorum is not defined before")
		}
		p.quorum = words[1]
		return nil
	}
	return errors.New("not understood")
}

func (p *Policy) addWitness(name, vkey string, url []string) error {
	v, err := witnessVerifier(vkey)
	if err != nil {
		return err
	}
	if err := p.free(name); err != nil {
		return err
	}
	w := Witness{Name: name, Verifier: v, VKey: vkey}
	if len(url) > 0 {
		w.URL = url[0]
	}
	p.witnesses = append(p.witnesses, w)
	return nil
}

// witnessVerifier reads the key of a witness. A plain key signs the checkpoint
// itself, without a time.
func witnessVerifier(vkey string) (note.Verifier, error) {
	if c, err := ParseCosignerKey(vkey); err == nil {
		return c, nil
	}
	return ParseVerifierKey(vkey)
}

func (p *Policy) addGroup(name, threshold string, members []string) error {
	need, err := strconv.Atoi(threshold)
	switch threshold {
	case "any":
		need, err = 1, nil
	case "all":
		need, err = len(members), nil
	}
	if err != nil || need < 1 || need > len(members) {
		return fmt.Errorf("%.40q is no threshold of %d members", threshold, len(members))
	}
	if err := p.free(name); err != nil {
		return err
	}
	for i, m := range members {
		if !p.known(m) || slices.Contains(members[:i], m) {
			return fmt.Errorf("member %.40q is not defined before, or stands twice", m)
		}
	}
	p.groups[name] = group{need, members}
	return nil
}

// free wants a name that nothing has yet, and room for it.
func (p *Policy) free(name string) error {
	if name == noQuorum || p.known(name) {
		return fmt.Errorf("the name %.40q is taken", name)
	}
	if len(p.witnesses)+len(p.groups) >= maxPolicies {
		return fmt.Errorf("more than %d witnesses and groups", maxPolicies)
	}
	return nil
}

func (p *Policy) known(name string) bool {
	_, isGroup := p.groups[name]
	return isGroup || slices.ContainsFunc(p.witnesses, func(w Witness) bool { return w.Name == name })
}

// Both is the policy that is met when two are: between the policy before and the
// one after it stands a checkpoint that both vouch for. Where one of them asks
// nobody it is the other. A key that both name is one witness, with the place
// of the policy after.
func Both(before, after *Policy) *Policy {
	if before.None() {
		return after
	}
	if after.None() {
		return before
	}
	p := &Policy{groups: map[string]group{}}
	quorums := []string{p.take(after), p.take(before)}
	p.quorum = p.unused("both")
	p.groups[p.quorum] = group{len(quorums), quorums}
	return p
}

// take adds the witnesses and groups of another policy and returns what its
// quorum is called here.
func (p *Policy) take(o *Policy) string {
	called := map[string]string{}
	for _, w := range o.witnesses {
		at := slices.IndexFunc(p.witnesses, func(x Witness) bool { return x.VKey == w.VKey })
		if at >= 0 {
			called[w.Name] = p.witnesses[at].Name
			continue
		}
		called[w.Name] = p.unused(w.Name)
		w.Name = called[w.Name]
		p.witnesses = append(p.witnesses, w)
	}
	for name := range o.groups {
		called[name] = p.unused(name)
		p.groups[called[name]] = group{}
	}
	for name, g := range o.groups {
		members := make([]string, len(g.members))
		for i, m := range g.members {
			members[i] = called[m]
		}
		p.groups[called[name]] = group{g.need, members}
	}
	return called[o.quorum]
}

// unused is a name that nothing has yet.
func (p *Policy) unused(name string) string {
	for name == noQuorum || p.known(name) {
		name += "'"
	}
	return name
}

// None reports whether nobody is asked to cosign.
func (p *Policy) None() bool { return p.quorum == noQuorum }

// Witnesses lists who may cosign, in the order of the policy.
func (p *Policy) Witnesses() []Witness { return slices.Clone(p.witnesses) }

// Met reports whether the witnesses that are named satisfy the quorum. With
// nobody asked it is met.
func (p *Policy) Met(names map[string]bool) bool {
	return p.None() || p.met(p.quorum, names)
}

func (p *Policy) met(name string, names map[string]bool) bool {
	g, ok := p.groups[name]
	if !ok {
		return names[name]
	}
	have := 0
	for _, m := range g.members {
		if p.met(m, names) {
			have++
		}
	}
	return have >= g.need
}

// Cosigned names the witnesses of the policy whose signatures under a note
// verify.
func (p *Policy) Cosigned(msg []byte) map[string]bool {
	names := map[string]bool{}
	for _, w := range p.witnesses {
		if n, err := note.Open(msg, note.VerifierList(w.Verifier)); err == nil && checkSpelling(n) == nil {
			names[w.Name] = true
		}
	}
	return names
}

// Since returns a note without the cosignatures that were made before a time, in
// ms since 1970 UTC, where the policy is met without them; else the note as it
// is. Who publishes a tree that is quiet need not tell when it grew last.
func (p *Policy) Since(msg []byte, at int64) []byte {
	since := msg
	for _, w := range p.witnesses {
		if then, ok := CosignedAt(msg, w.Verifier); ok && then < at {
			since = uncosigned(since, w.Verifier)
		}
	}
	if p.Met(p.Cosigned(since)) {
		return since
	}
	return msg
}

// uncosigned returns a note without the signature of v under it.
func uncosigned(msg []byte, v note.Verifier) []byte {
	n, err := note.Open(msg, note.VerifierList(v))
	if err != nil {
		return msg
	}
	lines := msg[len(n.Text)+1:]
	line := fmt.Appendf(nil, "\u2014 %s %s\n", n.Sigs[0].Name, n.Sigs[0].Base64)
	return slices.Concat(msg[:len(n.Text)+1], bytes.Replace(lines, line, nil, 1))
}

// Standing judges a checkpoint whose own signature was verified before.
func (p *Policy) Standing(msg []byte) Standing {
	switch {
	case p.None():
		return Unwitnessed
	case p.Met(p.Cosigned(msg)):
		return Confirmed
	}
	return Provisional
}
