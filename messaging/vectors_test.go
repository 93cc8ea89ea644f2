package messaging

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/statement"
)

var update = flag.Bool("update", false, "write testdata again")

// vector is one file of testdata/vectors: what the bytes claim to be, what
// reading them must give, and the bytes. FORMAT.md describes the files.
type vector struct {
	name, comment, read, expect string
	data                        []byte
}

// Expectations of a vector.
const (
	expectOK        = "ok"
	expectMalformed = "malformed"
	expectSignature = "signature" // well formed, but the signature does not verify
)

func (v vector) encode() []byte {
	return fmt.Appendf(nil, "comment: %s\nread: %s\nkey: %s\nexpect: %s\n\n%s\n", v.comment, v.read, keyOfVectors, v.expect, v.data)
}

// keyOfVectors is the hex of the public key the vectors verify under: that of
// the Ed25519 seed of 32 bytes 0x41.
var keyOfVectors = fmt.Sprintf("%x", []byte(keyA.Public()))

func parseVector(t *testing.T, file string) vector {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, data, ok := bytes.Cut(raw, []byte("\n\n"))
	if !ok {
		t.Fatalf("%s: no empty line", file)
	}
	v := vector{name: strings.TrimSuffix(filepath.Base(file), ".txt"), data: bytes.TrimSuffix(data, []byte("\n"))}
	for line := range strings.Lines(string(head)) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch key {
		case "comment":
			v.comment = value
		case "read":
			v.read = value
		case "expect":
			v.expect = value
		}
	}
	return v
}

// outcome reads a vector as it says and names what happened.
func (v vector) outcome() string {
	var err error
	var verify func() error
	switch v.read {
	case "notice":
		var n *Notice
		if n, err = ParseJSON(v.data); err == nil {
			verify = func() error { return n.Verify(keyA.Public()) }
		}
	case "set":
		var all []*Notice
		if all, err = ParseSet(v.data); err == nil {
			verify = func() error { return all[0].Verify(keyA.Public()) }
		}
	case "statement":
		var d *statement.DSSE
		var s Statement
		if d, err = statement.ParseDSSE(v.data); err == nil {
			s, err = ParseStatement(d)
		}
		verify = func() error { return VerifyStatement(d, s, keyA.Public()) }
	default:
		return "unknown read"
	}
	if err != nil {
		return expectMalformed
	}
	if verify() != nil {
		return expectSignature
	}
	return expectOK
}

func TestVectors(t *testing.T) {
	generated := vectors(t)
	if *update {
		for _, v := range generated {
			if err := os.WriteFile(filepath.Join("testdata", "vectors", v.name+".txt"), v.encode(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	files, err := filepath.Glob("testdata/vectors/*.txt")
	if err != nil || len(files) != len(generated) {
		t.Fatalf("%d files (%v), %d vectors: run with -update", len(files), err, len(generated))
	}
	want := make(map[string]vector)
	for _, v := range generated {
		want[v.name] = v
	}
	for _, file := range files {
		v := parseVector(t, file)
		if got := v.outcome(); got != v.expect {
			t.Errorf("%s: %s, want %s", v.name, got, v.expect)
		}
		if w := want[v.name]; !bytes.Equal(v.data, w.data) || v.expect != w.expect {
			t.Errorf("%s: the file is not what the program makes", v.name)
		}
	}
}

// vectors makes every vector. Ed25519 is deterministic, so they never change
// unless the format does.
func vectors(t *testing.T) []vector {
	var vs []vector
	add := func(name, comment, read, expect string, data []byte) {
		vs = append(vs, vector{name, comment, read, expect, data})
	}
	notice := func(payload string) []byte {
		return encode(t, signBytes(t, statement.TypeNotice, []byte(payload), keyA))
	}
	right := string(encode(t, aPayload(aCore())))
	add("notice-ok", "a complaint to one desk, with the sender's own copy", "notice", expectOK, notice(right))

	full := aCore()
	full.Basis = Basis{Code: "consent", Consents: consents(2), Necessity: "assistance", Purpose: "assistance", Ref: "284(2)"}
	full.Hold, full.Occurred, full.Re, full.Set = &Hold{Reason: "secrecy", Until: full.Created + 1}, full.Created, msgB, setA
	full.Dir.Stale, full.Parts, full.Urg = true, parts(2), Immediate
	full.Obl = everyAct()
	add("notice-every-member", "every optional member and every operation", "notice", expectOK, encode(t, sign(t, statement.TypeNotice, aPayload(full), keyA)))

	caseless := aCore()
	caseless.Case, caseless.Subj = "", []string{}
	add("notice-caseless", "a broadcast has neither case nor subj", "notice", expectOK, encode(t, sign(t, statement.TypeNotice, aPayload(caseless), keyA)))

	forged := signBytes(t, statement.TypeNotice, []byte(right), keyA)
	forged.Signatures[0].Sig[63] ^= 1
	add("notice-forged", "one bit of the signature changed", "notice", expectSignature, encode(t, forged))
	moved := signBytes(t, statement.TypeOfEvent(EvRetrieved), []byte(right), keyA)
	moved.PayloadType = statement.TypeNotice
	add("notice-other-type", "signed as another payload type", "notice", expectSignature, encode(t, moved))
	add("notice-two-signatures", "a message carries exactly one", "notice", expectMalformed, encode(t, signBytes(t, statement.TypeNotice, []byte(right), keyA, keyB)))
	for _, e := range []struct{ name, comment, old, new string }{
		{"case-variant", "msg spelled Msg", `"msg":`, `"Msg":`},
		{"duplicate", "kind given twice", `"kind":"complaint"`, `"kind":"complaint","kind":"complaint"`},
		{"null", "parts is null", `"parts":[]`, `"parts":null`},
		{"absent", "parts is absent", `"parts":[],`, ``},
		{"unknown", "a member nobody knows", `"kind":`, `"kid":"x","kind":`},
		{"unordered", "v before urg", `"urg":"R","v":1}`, `"v":1,"urg":"R"}`},
		{"float", "created with a fraction", `"created":1772441999100`, `"created":1772441999100.0`},
		{"too-large", "created is 2^53", `"created":1772441999100`, `"created":9007199254740992`},
		{"escape", "a letter escaped without need", `"complaint"`, `"\u0063omplaint"`},
		{"trailing", "bytes after the object", `"v":1},"v":1}`, `"v":1},"v":1} `},
		{"self-elsewhere", "role self for another desk", `"role":"to"`, `"role":"self"`},
		{"persons-no-case", "subj without case", `"case":"` + id("c", 'c') + `",`, ``},
	} {
		if strings.Count(right, e.old) == 0 {
			t.Fatalf("%s: nothing to change", e.name)
		}
		add("notice-"+e.name, e.comment, "notice", expectMalformed, notice(strings.Replace(right, e.old, e.new, 1)))
	}
	add("set-ok", "two messages, the second fulfils a duty the first opened", "set", expectOK, encode(t, aSet(t, 2, nil)))
	add("set-of-one", "a set has at least two", "set", expectMalformed, encode(t, aSet(t, 1, nil)))
	for _, ev := range allEvents {
		s := aStatement(ev)
		s.Header().By.Key = statement.KeyID(keyA.Public())
		add("statement-"+strings.NewReplacer(".", "-", "_", "-").Replace(ev), ev, "statement", expectOK, encode(t, sign(t, statement.TypeOfEvent(ev), s, keyA)))
		add("statement-"+strings.NewReplacer(".", "-", "_", "-").Replace(ev)+"-other-type", ev+" signed as another event's payload type", "statement", expectMalformed,
			encode(t, sign(t, statement.TypeOfEvent(otherEvent(ev)), s, keyA)))
	}
	return vs
}

func otherEvent(ev string) string {
	if ev == EvRetrieved {
		return EvDecrypted
	}
	return EvRetrieved
}

// everyAct performs each operation once, half of them by id.
func everyAct() []Act {
	byRule := func(rule string) Act { return Act{Of: msgA, Rule: rule} }
	acts := []Act{
		{Op: OpDeclare}, {Op: OpAck}, {Op: OpInterim, Value: "known"}, {Op: OpFulfil, Value: "none-to-report"},
		{Op: OpExtend, Due: 1773097200000, Reason: "workload"}, {Op: OpSuspend, Until: 1773097200000, Reason: "waiting"},
		{Op: OpDispute, Reason: "not-ours"}, {Op: OpWaive, Reason: "settled"}, {Op: OpTransfer, To: deskC}, {Op: OpCancel, Reason: "mistaken"},
	}
	for i := range acts {
		switch {
		case acts[i].Op == OpDeclare:
			acts[i].Rule = "report-to-center"
		case i%2 == 0:
			acts[i].ID = obligationA
		default:
			t := byRule("registration")
			acts[i].Of, acts[i].Rule = t.Of, t.Rule
		}
	}
	return acts
}
