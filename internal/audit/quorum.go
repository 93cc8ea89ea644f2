package audit

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/odziv/odziv/keys/directory"
)

// cosigner verifies the cosignatures of one witness (C2SP tlog-cosignature,
// Ed25519): 8 bytes of time, then a signature over the time and the checkpoint.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

const algCosignature = 4

// parseCosigner reads a witness's verifier key. A key of algorithm 1 signs the
// checkpoint itself.
func parseCosigner(vkey string) (note.Verifier, error) {
	name, rest, _ := strings.Cut(vkey, "+")
	_, b64, _ := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.Strict().DecodeString(b64)
	if err != nil || len(raw) != 1+ed25519.PublicKeySize || name == "" {
		return nil, fmt.Errorf("%.60q is no verifier key", vkey)
	}
	if raw[0] != algCosignature {
		return note.NewVerifier(vkey)
	}
	sum := sha256.Sum256(append([]byte(name+"\n"), raw...))
	c := &cosigner{name: name, hash: binary.BigEndian.Uint32(sum[:]), key: raw[1:]}
	if want := fmt.Sprintf("%s+%08x+%s", name, c.hash, b64); want != vkey {
		return nil, fmt.Errorf("%.60q is no verifier key", vkey)
	}
	return c, nil
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.hash }

func (c *cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(sig), msg)
	return ed25519.Verify(c.key, []byte(signed), sig[8:])
}

// policy is a C2SP tlog-policy as far as it says who must cosign.
type policy struct {
	witnesses map[string]note.Verifier
	groups    map[string]policyGroup
	quorum    string
}

type policyGroup struct {
	need    int
	members []string
}

// parsePolicy reads the lines witness, group and quorum; log lines are not
// needed here, for the log's key comes from the directory.
func parsePolicy(text string) (*policy, error) {
	p := &policy{witnesses: map[string]note.Verifier{}, groups: map[string]policyGroup{}}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if err := p.line(words); err != nil {
			return nil, fmt.Errorf("policy line %.80q: %w", line, err)
		}
	}
	if p.quorum == "" {
		return nil, fmt.Errorf("policy without a quorum line")
	}
	return p, nil
}

func (p *policy) line(words []string) error {
	switch {
	case words[0] == "log":
		return nil
	case words[0] == "witness" && len(words) >= 3:
		v, err := parseCosigner(words[2])
		if err != nil || p.known(words[1]) {
			return fmt.Errorf("no witness, or its name is taken: %w", err)
		}
		p.witnesses[words[1]] = v
		return nil
	case words[0] == "group" && len(words) >= 4:
		return p.group(words[1], words[2], words[3:])
	case words[0] == "quorum" && len(words) == 2 && p.quorum == "":
		if words[1] != directory.QuorumNone && !p.known(words[1]) {
			return fmt.Errorf("the quorum is not defined before")
		}
		p.quorum = words[1]
		return nil
	}
	return fmt.Errorf("not understood")
}

func (p *policy) known(name string) bool {
	_, w := p.witnesses[name]
	_, g := p.groups[name]
	return w || g
}

func (p *policy) group(name, threshold string, members []string) error {
	need, err := strconv.Atoi(threshold)
	switch threshold {
	case "any":
		need, err = 1, nil
	case "all":
		need, err = len(members), nil
	}
	if err != nil || need < 1 || need > len(members) || p.known(name) {
		return fmt.Errorf("no threshold of its members, or its name is taken")
	}
	for i, m := range members {
		if !p.known(m) || slices.Contains(members[:i], m) {
			return fmt.Errorf("member %.40q is not defined before, or stands twice", m)
		}
	}
	p.groups[name] = policyGroup{need, members}
	return nil
}

// met reports whether the witnesses who cosigned satisfy a name.
func (p *policy) met(name string, cosigned map[string]bool) bool {
	g, ok := p.groups[name]
	if !ok {
		return cosigned[name]
	}
	have := 0
	for _, m := range g.members {
		if p.met(m, cosigned) {
			have++
		}
	}
	return have >= g.need
}

// witnessed says what witnesses did for a checkpoint, under the quorum that the
// directory asks for, and how many of those it names cosigned.
func witnessed(signed []byte, quorum string) (state string, cosigned int, err error) {
	if quorum == directory.QuorumNone {
		return Unwitnessed, 0, nil
	}
	p, err := parsePolicy(quorum)
	if err != nil {
		return "", 0, err
	}
	who := map[string]bool{}
	for name, v := range p.witnesses {
		if _, err := note.Open(signed, note.VerifierList(v)); err == nil {
			who[name] = true
		}
	}
	switch {
	case p.quorum == directory.QuorumNone:
		return Unwitnessed, len(who), nil
	case p.met(p.quorum, who):
		return Witnessed, len(who), nil
	}
	return ShortOf, len(who), nil
}
