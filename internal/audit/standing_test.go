package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/audit"
	"github.com/odziv/odziv/internal/audit/audittest"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// watcher is a witness of the tests.
func watcher(t testing.TB, label string) *ledger.CosigningKey {
	t.Helper()
	k, err := ledger.NewCosigningKey(label+".example", audittest.Seed("witness/"+label))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// twoOfThree is a policy of the witnesses a, b and c.
func twoOfThree(t testing.TB) string {
	text := ""
	for _, label := range []string{"a", "b", "c"} {
		text += "witness " + label + " " + watcher(t, label).VerifierKey() + "\n"
	}
	return text + "group two 2 a b c\nquorum two\n"
}

// cosigned adds lines of witnesses to a signed checkpoint, or to a proof that
// ends with one; at is in ms.
func cosigned(t testing.TB, signed []byte, at int64, labels ...string) []byte {
	t.Helper()
	text := checkpointText(signed)
	lines := strings.Split(text, "\n")
	var c ledger.Checkpoint
	if _, err := fmt.Sscan(lines[1], &c.Size); err != nil {
		t.Fatal(err)
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil {
		t.Fatal(err)
	}
	c.Origin, c.Root = lines[0], [32]byte(root)
	out := bytes.Clone(signed)
	for _, l := range labels {
		out = append(out, watcher(t, l).Cosign(c, at)...)
	}
	return out
}

func checkpointText(signed []byte) string {
	parts := strings.Split(string(signed), "\n\n")
	return parts[len(parts)-2] + "\n"
}

// watched is a ledger whose directory asks for two of three witnesses, and whose
// last entry was accepted under it.
func watched(t testing.TB) *audittest.World {
	t.Helper()
	logs := directory.Logs{Dir: audittest.LogKey(ledger.Dir), Ev: audittest.LogKey(ledger.Ev)}
	w := audittest.New(t, false)
	w.Story()
	w.Publish()
	w.Directory(&directory.Policy{Council: directory.Council{K: 2, Keys: audittest.Keys("council/1", "council/2")},
		Delegates: []directory.Delegate{{I: audittest.ID("i", "A"), Key: audittest.Keys("delegate/1")[0]}, {I: audittest.ID("i", "B"), Key: audittest.Keys("delegate/2")[0]}},
		Logs:      logs, Quorum: directory.Quorum{Dir: twoOfThree(t), Ev: twoOfThree(t)},
		Witnesses: []directory.Witness{{Operator: "university", VKey: watcher(t, "a").VerifierKey()}}}, "council/1", "council/2")
	told(nil, nil)(w)
	w.Publish()
	return w
}

// under is the evidence file of the last entry with more lines under its
// checkpoint.
func under(t testing.TB, w *audittest.World, change func(proof []byte) []byte) []byte {
	t.Helper()
	file := evidenceOf(t, w, audittest.StoryEnd)
	return reshaped(t, file, func(s *shape) { s.Proof = string(change([]byte(s.Proof))) })
}

const sec = 1000

// keyID is the key id of signed-note over algorithm and key.
func keyID(name string, raw []byte) uint32 {
	sum := sha256.Sum256(append([]byte(name+"\n"), raw...))
	return binary.BigEndian.Uint32(sum[:])
}

func TestStandings(t *testing.T) {
	w := watched(t)
	at := w.Meta(audittest.StoryEnd).At
	for name, c := range map[string]struct {
		cosign func(proof []byte) []byte
		want   ledger.Standing
		who    string
		first  int64
		last   int64
		doubt  string
		says   string
	}{
		"nobody": {func(p []byte) []byte { return p }, ledger.Provisional, "", 0, 0, "", "0 of 3 that the directory names"},
		"one":    {func(p []byte) []byte { return cosigned(t, p, at+sec, "a") }, ledger.Provisional, "a university", at + sec, at + sec, "", "Treat it as provisional"},
		"two": {func(p []byte) []byte { return cosigned(t, cosigned(t, p, at+2*sec, "c"), at+4*sec, "a") }, ledger.Confirmed, "a university, c", at + 2*sec, at + 4*sec, "",
			"Confirmed: as many witnesses"},
		"a stranger":       {func(p []byte) []byte { return cosigned(t, p, at, "x", "y") }, ledger.Provisional, "", 0, 0, "", "0 of 3"},
		"one twice":        {func(p []byte) []byte { return cosigned(t, p, at+sec, "b", "b") }, ledger.Provisional, "b", at + sec, at + sec, "", "1 of 3"},
		"one line spoiled": {func(p []byte) []byte { p = cosigned(t, p, at, "a", "b"); p[len(p)-9] ^= 1; return p }, ledger.Provisional, "a university", at, at, "", "1 of 3"},
		"before the entry": {func(p []byte) []byte { return cosigned(t, p, at-6*60*sec, "a", "b") }, ledger.Confirmed, "a university, b", at - 360*sec, at - 360*sec, audit.TimeAfter, "TIMES CONTRADICT"},
		"clocks that differ": {func(p []byte) []byte { return cosigned(t, p, at-4*60*sec, "a", "b") }, ledger.Confirmed, "a university, b", at - 240*sec, at - 240*sec, "",
			"the first on"},
		"long after": {func(p []byte) []byte { return cosigned(t, p, at+2*audittest.Hour, "a", "b") }, ledger.Confirmed, "a university, b", at + 2*audittest.Hour, at + 2*audittest.Hour, audit.TimeBefore,
			"only the word of the exchange"},
	} {
		r, err := verifyEvidence(t, under(t, w, c.cosign), audit.Trust{Genesis: w.Genesis()})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		it := r.Items[0]
		var who []string
		for _, s := range it.Cosigned {
			who = append(who, strings.TrimSpace(s.Name+" "+s.Operator))
		}
		if it.Standing != c.want || strings.Join(who, ", ") != c.who || it.First != c.first || it.Last != c.last || it.TimeDoubt != c.doubt || it.Asked != 3 {
			t.Errorf("%s: %+v", name, it)
		}
		if !strings.Contains(text(r), c.says) {
			t.Errorf("%s: %q is not said in\n%s", name, c.says, text(r))
		}
	}
}

// A witness with a plain key counts and has no time.
func TestPlainWitness(t *testing.T) {
	priv := ed25519.NewKeyFromSeed(audittest.Seed("witness/plain"))
	vkey, err := ledger.VerifierKey("plain.example", priv.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	w := underPolicy(t, directory.Logs{Dir: audittest.LogKey(ledger.Dir), Ev: audittest.LogKey(ledger.Ev)}, "witness p "+vkey+"\nquorum p\n")
	file := under(t, w, func(proof []byte) []byte {
		id, err := base64.StdEncoding.DecodeString(strings.SplitN(vkey, "+", 3)[2])
		if err != nil {
			t.Fatal(err)
		}
		sig := binary.BigEndian.AppendUint32(nil, keyID("plain.example", id))
		sig = append(sig, ed25519.Sign(priv, []byte(checkpointText(proof)))...)
		return fmt.Appendf(proof, "\u2014 plain.example %s\n", base64.StdEncoding.EncodeToString(sig))
	})
	r, err := verifyEvidence(t, file, audit.Trust{})
	if err != nil || r.Items[0].Standing != ledger.Confirmed || r.Items[0].First != 0 || len(r.Items[0].Cosigned) != 1 || r.Items[0].Cosigned[0].At != 0 {
		t.Errorf("%+v, %v", r.Items, err)
	}
}

// watchedBundle is a bundle whose checkpoints witnesses cosigned.
func watchedBundle(t testing.TB, w *audittest.World, at int64, labels ...string) []byte {
	bundle := bundleOf(t, w, audit.Options{Made: w.At})
	for _, log := range ledger.Logs {
		bundle = alter(t, bundle, log.String()+"/checkpoint", func(d []byte) []byte { return cosigned(t, d, at, labels...) })
	}
	return bundle
}

func TestStandingOfABundle(t *testing.T) {
	w := watched(t)
	r := sound(t, watchedBundle(t, w, w.At+sec, "a", "c"))
	if c := r.Bundle; c.SeenDir.Standing != ledger.Confirmed || c.SeenEv.Standing != ledger.Confirmed || len(c.SeenEv.Cosigned) != 2 || c.TimeDoubt != "" {
		t.Errorf("%+v", c)
	}
	if said := text(r); !strings.Contains(said, "2 of 3 that the directory names: a (university) 2026-") || !strings.Contains(said, "Confirmed: ") {
		t.Error(said)
	}
	if r = sound(t, watchedBundle(t, w, w.At-audittest.Day, "a", "c")); r.Bundle.TimeDoubt != audit.TimeAfter || !strings.Contains(text(r), "TIMES CONTRADICT") {
		t.Errorf("%+v", r.Bundle)
	}
	if r = sound(t, watchedBundle(t, w, w.At+90*audittest.Day, "a")); r.Bundle.TimeDoubt != "" || r.Bundle.SeenEv.Standing != ledger.Provisional {
		t.Errorf("%+v", r.Bundle)
	}
}

// The policy beside a checkpoint is the directory's, and other programs can
// read it.
func TestPolicyOfABundle(t *testing.T) {
	w := watched(t)
	bundle := bundleOf(t, w, audit.Options{})
	for _, log := range ledger.Logs {
		files := unzip(t, bundle)
		i := slices.IndexFunc(files, func(f file) bool { return f.name == log.String()+"/policy" })
		if want := "log " + audittest.LogKey(log) + "\n" + twoOfThree(t); i < 0 || string(files[i].data) != want {
			t.Fatalf("%s: %q", log, files[i].data)
		}
		p, err := audit.ParsePolicy(string(files[i].data))
		if err != nil {
			t.Fatal(err)
		}
		if _, found, err := verify(t, bundle, audit.Trust{Policy: p}); err != nil || len(found) == 0 || !strings.Contains(fmt.Sprint(found), "/checkpoint") {
			t.Error(found, err)
		}
		altered := alter(t, bundle, log.String()+"/policy", func(d []byte) []byte { return bytes.Replace(d, []byte("two 2"), []byte("two 1"), 1) })
		if _, found, err := verify(t, altered, audit.Trust{}); err != nil || len(found) != 1 || !strings.Contains(found[0].What, "not the policy of the directory") {
			t.Error(found, err)
		}
		gone := alter(t, bundle, log.String()+"/policy", func([]byte) []byte { return nil })
		if _, found, err := verify(t, gone, audit.Trust{}); err != nil || len(found) != 1 || found[0].File != log.String()+"/policy" {
			t.Error(found, err)
		}
	}
}

// A policy that the verifier brings along must be satisfied.
func TestPolicyGiven(t *testing.T) {
	w := watched(t)
	parse := func(text string) *audit.Policy {
		p, err := audit.ParsePolicy(text)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	onlyB := "witness b " + watcher(t, "b").VerifierKey() + "\nquorum b\n"
	logs := "log " + audittest.LogKey(ledger.Ev) + "\nlog " + audittest.LogKey(ledger.Dir) + " https://x.example # ours\n"
	otherLog := "log " + strings.Replace(audittest.LogKey(ledger.Ev), "exchange", "exchangf", 1) + "\n"
	at := w.Meta(audittest.StoryEnd).At
	for name, c := range map[string]struct {
		policy  string
		labels  []string
		refused string
	}{
		"nobody asked":            {"quorum none\n", nil, ""},
		"none":                    {"none", nil, ""},
		"asked and there":         {onlyB, []string{"b"}, ""},
		"asked and not there":     {onlyB, []string{"a", "c"}, "asks for more cosignatures: 0 of its 1"},
		"with the logs":           {logs + onlyB, []string{"b"}, ""},
		"another log":             {otherLog + onlyB, []string{"b"}, "does not name the key of this log"},
		"another log, none asked": {otherLog + "quorum none\n", nil, "does not name the key of this log"},
	} {
		trust := audit.Trust{Policy: parse(c.policy)}
		file := under(t, w, func(p []byte) []byte { return cosigned(t, p, at, c.labels...) })
		if _, err := verifyEvidence(t, file, trust); !says(err, c.refused) {
			t.Errorf("%s: evidence file: %v", name, err)
		}
		_, found, err := verify(t, watchedBundle(t, w, at, c.labels...), trust)
		if err != nil || (len(found) == 2) != (c.refused != "") || len(found) > 0 && !strings.Contains(found[0].What, c.refused) {
			t.Errorf("%s: bundle: %v, %v", name, found, err)
		}
		proof := cosigned(t, w.Proof(ledger.Ev, 5), at, c.labels...)
		if _, err := audit.VerifyProof(proof, leafAt(t, w, 5), audittest.LogKey(ledger.Ev), trust); !says(err, c.refused) {
			t.Errorf("%s: proof: %v", name, err)
		}
	}
	if _, err := audit.ParsePolicy("witness b\n"); err == nil {
		t.Error("half a policy was understood")
	}
	// The key of the log may come from the policy.
	r, err := audit.VerifyProof(w.Proof(ledger.Ev, 5), leafAt(t, w, 5), "", audit.Trust{Policy: parse(logs + "quorum none\n")})
	if err != nil || r.Items[0].Standing != ledger.Unwitnessed {
		t.Error(r, err)
	}
}

// says reports whether an error says something, or there is none if nothing is
// to be said.
func says(err error, want string) bool {
	if want == "" {
		return err == nil
	}
	return err != nil && strings.Contains(err.Error(), want)
}
