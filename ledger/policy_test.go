package ledger_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/ledger"
)

// witness is a cosigner of the tests (C2SP tlog-cosignature).
type witness struct {
	name string
	priv ed25519.PrivateKey
}

func newWitness(name string) witness {
	seed := sha256.Sum256([]byte(name))
	return witness{name, ed25519.NewKeyFromSeed(seed[:])}
}

func (w witness) raw() []byte {
	return append([]byte{4}, w.priv.Public().(ed25519.PublicKey)...)
}

func (w witness) hash() uint32 {
	sum := sha256.Sum256(append([]byte(w.name+"\n"), w.raw()...))
	return binary.BigEndian.Uint32(sum[:])
}

func (w witness) vkey() string {
	return fmt.Sprintf("%s+%08x+%s", w.name, w.hash(), base64.StdEncoding.EncodeToString(w.raw()))
}

// cosign adds a cosignature line to a checkpoint.
func (w witness) cosign(signed []byte, at uint64) []byte {
	text, _, _ := strings.Cut(string(signed), "\n\n")
	msg := fmt.Sprintf("cosignature/v1\ntime %d\n%s\n", at, text)
	sig := binary.BigEndian.AppendUint32(nil, w.hash())
	sig = binary.BigEndian.AppendUint64(sig, at)
	sig = append(sig, ed25519.Sign(w.priv, []byte(msg))...)
	return append(signed, fmt.Sprintf("\u2014 %s %s\n", w.name, base64.StdEncoding.EncodeToString(sig))...)
}

func signedEmpty(t *testing.T) []byte {
	t.Helper()
	signed, err := ledger.SignCheckpoint(context.Background(), key, ledger.Checkpoint{Origin: key.Verifier().Name(), Root: ledger.EmptyRoot()})
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestStanding(t *testing.T) {
	a, b, c := newWitness("a.example"), newWitness("b.example"), newWitness("c.example")
	three := fmt.Sprintf("witness a %s\nwitness b %s https://b.example\nwitness c %s\n", a.vkey(), b.vkey(), c.vkey())
	plain := signedEmpty(t)
	one, two := a.cosign(plain[:len(plain):len(plain)], 7), b.cosign(a.cosign(plain[:len(plain):len(plain)], 7), 8)
	bad := []byte(strings.Replace(string(one), "\u2014 a.example ", "\u2014 a.example "+"AAAA", 1))
	for name, tt := range map[string]struct {
		signed []byte
		quorum string
		want   ledger.Standing
		count  int
	}{
		"none asked":                      {two, "none", ledger.Unwitnessed, 0},
		"none asked, in a policy":         {two, three + "quorum none\n", ledger.Unwitnessed, 2},
		"one of one":                      {one, three + "quorum a\n", ledger.Confirmed, 1},
		"another one":                     {one, three + "quorum b\n", ledger.Provisional, 1},
		"nobody":                          {plain, three + "quorum a\n", ledger.Provisional, 0},
		"two of three":                    {two, three + "group g 2 a b c\nquorum g\n", ledger.Confirmed, 2},
		"one where two are asked":         {one, three + "group g 2 a b c\nquorum g\n", ledger.Provisional, 1},
		"any":                             {one, three + "group g any a b c\nquorum g\n", ledger.Confirmed, 1},
		"all":                             {two, three + "group g all a b c\nquorum g\n", ledger.Provisional, 2},
		"groups of groups":                {two, three + "group g any a c\ngroup h all g b\nquorum h\n", ledger.Confirmed, 2},
		"a log line and a comment":        {one, "# policy\n\nlog x\n" + three + "quorum a\n", ledger.Confirmed, 1},
		"a signature that is not a's own": {bad, three + "quorum a\n", ledger.Provisional, 0},
		"the same witness twice":          {a.cosign(one[:len(one):len(one)], 9), three + "group g 2 a b c\nquorum g\n", ledger.Provisional, 1},
	} {
		p, err := ledger.ParsePolicy(tt.quorum)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, count := p.Standing(tt.signed), len(p.Cosigned(tt.signed)); got != tt.want || count != tt.count {
			t.Errorf("%s: %s, %d, want %s, %d", name, got, count, tt.want, tt.count)
		}
	}
}

// A policy that is not understood is an error: nobody must read a quorum into it.
func TestPolicyRefused(t *testing.T) {
	a := newWitness("a.example").vkey()
	for name, text := range map[string]string{
		"empty":                   "",
		"no quorum":               "witness a " + a + "\n",
		"two quorums":             "witness a " + a + "\nquorum a\nquorum a\n",
		"quorum of nobody":        "quorum a\n",
		"group before its member": "group g 1 a\nwitness a " + a + "\nquorum g\n",
		"threshold of zero":       "witness a " + a + "\ngroup g 0 a\nquorum g\n",
		"threshold too high":      "witness a " + a + "\ngroup g 2 a\nquorum g\n",
		"a member twice":          "witness a " + a + "\ngroup g 2 a a\nquorum g\n",
		"a name twice":            "witness a " + a + "\nwitness a " + a + "\nquorum a\n",
		"a group of its own":      "group g 1 g\nquorum g\n",
		"no key":                  "witness a b\nquorum a\n",
		"a wrong key hash":        "witness a a.example+00000000+" + strings.SplitN(a, "+", 3)[2] + "\nquorum a\n",
		"another word":            "witness a " + a + "\nwitnes b " + a + "\nquorum a\n",
	} {
		if _, err := ledger.ParsePolicy(text); err == nil {
			t.Errorf("%s: understood", name)
		}
	}
}

// TestPolicySince: old cosignatures are left out, unless the policy needs them.
func TestPolicySince(t *testing.T) {
	a, b := cosigningKey(t, "a.example"), cosigningKey(t, "b.example")
	signed := signedEmpty(t)
	c, err := ledger.ParseCheckpoint(signed, key.Verifier())
	if err != nil {
		t.Fatal(err)
	}
	with := func(lines ...[]byte) []byte { return slices.Concat(append([][]byte{signed}, lines...)...) }
	policy := func(quorum string) *ledger.Policy {
		p, err := ledger.ParsePolicy(fmt.Sprintf("witness a %s\nwitness b %s\ngroup any 1 a b\ngroup all all a b\nquorum %s\n", a.VerifierKey(), b.VerifierKey(), quorum))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	none, err := ledger.ParsePolicy("none")
	if err != nil {
		t.Fatal(err)
	}
	old, late, oldB := a.Cosign(c, 5_000), a.Cosign(c, 9_000), b.Cosign(c, 8_999)
	for what, tt := range map[string]struct {
		policy    *ledger.Policy
		msg, want []byte
	}{
		"nobody is asked":     {none, with(old), with(old)},
		"no cosignature":      {policy("any"), with(), with()},
		"old, and needed":     {policy("any"), with(old), with(old)},
		"both old, needed":    {policy("any"), with(old, oldB), with(old, oldB)},
		"one old":             {policy("any"), with(late, oldB), with(late)},
		"one old, before":     {policy("any"), with(oldB, late), with(late)},
		"one old, all needed": {policy("all"), with(late, oldB), with(late, oldB)},
		"of no time":          {policy("any"), with(late), with(late)},
		"not a note":          {policy("any"), []byte("x"), []byte("x")},
	} {
		before := slices.Clone(tt.msg)
		if got := tt.policy.Since(tt.msg, 9_000); !bytes.Equal(got, tt.want) || !bytes.Equal(tt.msg, before) {
			t.Errorf("%s:\n%s\nwant\n%s", what, got, tt.want)
		}
	}
}

// Both is met exactly when each of two policies is, whatever they call whom.
func TestBoth(t *testing.T) {
	text := func(q int, of ...string) string {
		var b strings.Builder
		for _, who := range of {
			name, key, _ := strings.Cut(who, "=")
			fmt.Fprintf(&b, "witness %s %s https://%s.example\n", name, newWitness(key+".example").vkey(), key)
		}
		names := []string{}
		for _, who := range of {
			name, _, _ := strings.Cut(who, "=")
			names = append(names, name)
		}
		fmt.Fprintf(&b, "group g %d %s\nquorum g\n", q, strings.Join(names, " "))
		return b.String()
	}
	single := "witness both " + newWitness("a.example").vkey() + " https://a.example\nquorum both\n"
	all := []string{"a", "b", "c", "d", "e"}
	for name, tt := range map[string]struct {
		before, after string
		witnesses     int
	}{
		"one replaced":             {text(2, "x=a", "y=b", "z=c"), text(2, "y=b", "z=c", "w=d"), 4},
		"all replaced, same names": {text(1, "x=a", "y=b"), text(2, "x=c", "y=d"), 4},
		"names exchanged":          {text(2, "x=a", "y=b"), text(1, "x=b", "y=a"), 2},
		"one alone, called both":   {single, text(2, "a=b", "b=c"), 3},
		"the same":                 {single, single, 1},
		"none before":              {"none", text(2, "x=a", "y=b"), 2},
		"none after":               {text(2, "x=a", "y=b"), "none", 2},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := policyOf(t, tt.before), policyOf(t, tt.after)
			both := ledger.Both(before, after)
			if n := len(both.Witnesses()); n != tt.witnesses {
				t.Errorf("%d witnesses, want %d", n, tt.witnesses)
			}
			for chosen := range 1 << len(all) {
				signed := signedEmpty(t)
				for i, key := range all {
					if chosen>>i&1 == 1 {
						signed = newWitness(key+".example").cosign(signed, 1)
					}
				}
				met := func(p *ledger.Policy) bool { return p.Met(p.Cosigned(signed)) }
				if met(both) != (met(before) && met(after)) {
					t.Errorf("cosigned by %05b: both %v, before %v, after %v", chosen, met(both), met(before), met(after))
				}
			}
		})
	}
	if p := ledger.Both(policyOf(t, "none"), policyOf(t, "none")); !p.None() {
		t.Error("nobody and nobody are somebody")
	}
}

func policyOf(t *testing.T, text string) *ledger.Policy {
	t.Helper()
	p, err := ledger.ParsePolicy(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
