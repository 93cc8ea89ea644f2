package consent

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
)

var update = flag.Bool("update", false, "write testdata/vectors and the seeds of the fuzz target")

// The vectors (FORMAT.md §7). Payloads are the canonical JSON as a string, so
// that a reader of the file holds exactly the bytes.
type (
	vectorPayload struct {
		Type    string `json:"type"`
		Payload string `json:"payload"`
	}
	vectorVersion struct {
		Idx int64 `json:"idx"`
		At  int64 `json:"at"`
		vectorPayload
	}
	vectorExclusion struct {
		Who      string   `json:"who"`
		Subj     []string `json:"subj"`
		LiftedAt int64    `json:"lifted_at,omitempty"`
	}
	vectorParty struct {
		Desk string `json:"desk"`
		Inst string `json:"inst"`
		Type string `json:"type"`
	}
	vectorRequest struct {
		Kind  string          `json:"kind"`
		Basis messaging.Basis `json:"basis"`
		Case  string          `json:"case"`
		Cats  []string        `json:"cats"`
		Subj  []string        `json:"subj"`
		From  vectorParty     `json:"from"`
		To    []vectorParty   `json:"to"`
	}
	vectorRef struct {
		ID  string `json:"id"`
		Ver int    `json:"ver"`
		Idx int64  `json:"idx"`
	}
	vectorDecision struct {
		Allow bool        `json:"allow"`
		Code  string      `json:"code,omitempty"`
		Desk  string      `json:"desk,omitempty"`
		Used  []vectorRef `json:"used,omitempty"`
	}
	decisionVector struct {
		Name       string            `json:"name"`
		Now        int64             `json:"now"`
		Records    [][]vectorVersion `json:"records"`
		Exclusions []vectorExclusion `json:"exclusions"`
		Links      [][2]string       `json:"links"`
		Request    vectorRequest     `json:"request"`
		Expect     vectorDecision    `json:"expect"`
	}
	transitionVector struct {
		Name   string          `json:"name"`
		Now    int64           `json:"now"`
		Record []vectorVersion `json:"record"`
		Next   vectorPayload   `json:"next"`
		Expect string          `json:"expect"` // "" or the reason
	}
	checkVector struct {
		Name      string        `json:"name"`
		Statement vectorPayload `json:"statement"`
		Member    string        `json:"member"`
		Expect    string        `json:"expect"` // "" or the fault
	}
)

func payloadOf(t testing.TB, s interface {
	Encode() (string, []byte, error)
}) vectorPayload {
	t.Helper()
	typ, payload, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return vectorPayload{typ, string(payload)}
}

func (p vectorPayload) parse(t testing.TB) *Statement {
	t.Helper()
	s, err := Parse(&statement.DSSE{Payload: []byte(p.Payload), PayloadType: p.Type})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func versionsOf(t testing.TB, r *Record) []vectorVersion {
	out := []vectorVersion{}
	for _, v := range r.Versions {
		out = append(out, vectorVersion{v.Idx, v.At, payloadOf(t, &v.S)})
	}
	return out
}

func recordFrom(t testing.TB, versions []vectorVersion) *Record {
	t.Helper()
	r := &Record{}
	for _, v := range versions {
		s := v.parse(t)
		if r.ID == "" {
			r.ID = s.ID
		}
		if err := r.Append(Recorded(s, v.Idx, v.At)); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (q vectorRequest) request() Request {
	req := Request{Kind: q.Kind, Basis: q.Basis, Case: q.Case, Cats: q.Cats, Subj: q.Subj, From: Party(q.From)}
	for _, p := range q.To {
		req.To = append(req.To, Party(p))
	}
	return req
}

func requestVector(req Request) vectorRequest {
	q := vectorRequest{req.Kind, req.Basis, req.Case, append([]string{}, req.Cats...), append([]string{}, req.Subj...), vectorParty(req.From), []vectorParty{}}
	for _, p := range req.To {
		q.To = append(q.To, vectorParty(p))
	}
	return q
}

func decisionOf(d Decision) vectorDecision {
	v := vectorDecision{Allow: d.Allow, Code: d.Code, Desk: d.Desk}
	for _, r := range d.Used {
		v.Used = append(v.Used, vectorRef(r))
	}
	return v
}

func makeDecisions(t testing.TB) []decisionVector {
	cases, others := decideCases(t)
	var out []decisionVector
	for _, c := range cases {
		if len(c.record.Versions) == 0 {
			continue // a record without a version exists in no ledger
		}
		b, req := c.scene(others)
		v := decisionVector{Name: c.name, Now: c.now, Records: [][]vectorVersion{versionsOf(t, c.record)},
			Exclusions: []vectorExclusion{}, Links: append([][2]string{}, b.links...), Request: requestVector(req)}
		for _, r := range others {
			if slices.ContainsFunc(req.Basis.Consents, func(k messaging.ConsentRef) bool { return k.ID == r.ID }) {
				v.Records = append(v.Records, versionsOf(t, r))
			}
		}
		for _, x := range b.exclusions {
			v.Exclusions = append(v.Exclusions, vectorExclusion{x.Who, x.Subj, x.LiftedAt})
		}
		d, err := Decide(b, testPack(), req, c.now)
		if err != nil {
			t.Fatal(err)
		}
		v.Expect = decisionOf(d)
		out = append(out, v)
	}
	return out
}

func makeTransitions(t testing.TB) []transitionVector {
	var out []transitionVector
	for _, c := range nextCases() {
		if _, _, err := c.next.Encode(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		out = append(out, transitionVector{c.name, c.now, versionsOf(t, recordOf(t, c.first)), payloadOf(t, c.next), c.reason})
	}
	return out
}

func makeChecks(t testing.TB) []checkVector {
	var out []checkVector
	for _, c := range checkCases(t) {
		out = append(out, checkVector{c.name, payloadOf(t, with(c.base, c.change)), c.member, c.reason})
	}
	return out
}

// golden compares v with a file of testdata/vectors, or writes it.
func golden(t *testing.T, name string, v any) {
	t.Helper()
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "vectors", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, buf.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(buf.Bytes(), want) {
		t.Errorf("%s differs from what the program makes; if the format changed on purpose, run go test ./consent -update and read the difference", path)
	}
}

func load[T any](t *testing.T, name string) T {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "vectors", name))
	if err != nil {
		t.Fatal(err)
	}
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVectorsAreCurrent(t *testing.T) {
	golden(t, "decisions.json", makeDecisions(t))
	golden(t, "transitions.json", makeTransitions(t))
	golden(t, "checks.json", makeChecks(t))
	golden(t, "s11.json", makeS11(t))
}

// Run from the files alone, as a stranger would.
func TestDecisionVectors(t *testing.T) {
	vectors := load[[]decisionVector](t, "decisions.json")
	for _, v := range vectors {
		b := book()
		for _, r := range v.Records {
			record := recordFrom(t, r)
			b.records[record.ID] = record
		}
		for _, x := range v.Exclusions {
			b.exclusions = append(b.exclusions, Exclusion{Who: x.Who, Subj: x.Subj, LiftedAt: x.LiftedAt})
		}
		b.links = v.Links
		d, err := Decide(b, testPack(), v.Request.request(), v.Now)
		if err != nil || !reflect.DeepEqual(decisionOf(d), v.Expect) {
			t.Errorf("%s: %+v, %v, want %+v", v.Name, decisionOf(d), err, v.Expect)
		}
	}
	if len(vectors) < 60 {
		t.Errorf("%d vectors", len(vectors))
	}
}

func TestTransitionVectors(t *testing.T) {
	vectors := load[[]transitionVector](t, "transitions.json")
	for _, v := range vectors {
		err := recordFrom(t, v.Record).Next(testPack(), v.Next.parse(t), v.Now)
		var refused *TransitionError
		got := ""
		if errors.As(err, &refused) {
			got = refused.Reason
		} else if err != nil {
			got = err.Error()
		}
		if got != v.Expect {
			t.Errorf("%s: %q, want %q", v.Name, got, v.Expect)
		}
	}
	if len(vectors) < 40 {
		t.Errorf("%d vectors", len(vectors))
	}
}

func TestCheckVectors(t *testing.T) {
	vectors := load[[]checkVector](t, "checks.json")
	for _, v := range vectors {
		checkFault(t, v.Name, v.Statement.parse(t).Check(testPack()), v.Member, v.Expect)
	}
	if len(vectors) < 40 {
		t.Errorf("%d vectors", len(vectors))
	}
}

// The second verifier is written from FORMAT.md and shares no line with this
// package.
func TestSecondVerifier(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatal("python3 is not installed: apt-get install python3 tzdata, or run ./test.sh as root")
	}
	if err := exec.Command(python, "-c", "import tomllib, zoneinfo; zoneinfo.ZoneInfo('Europe/Belgrade')").Run(); err != nil {
		t.Fatal("python3 is older than 3.11 or has no time zones: apt-get install python3 tzdata")
	}
	out, err := exec.Command(python, filepath.Join("testdata", "second.py"), "testdata").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// seeds of the fuzz target: a payload of each kind, and what lies just beyond.
func seeds(t testing.TB) map[string]vectorPayload {
	out := map[string]vectorPayload{}
	for _, act := range Acts() {
		out["consent-"+string(act)] = payloadOf(t, with(given(), func(s *Statement) { s.Ev = act.Event() }))
	}
	out["conflict-set"] = payloadOf(t, conflictSet())
	out["conflict-lifted"] = payloadOf(t, conflictLifted())
	typ := statement.TypeOfEvent(Given.Event())
	out["empty"] = vectorPayload{typ, ""}
	out["null"] = vectorPayload{typ, "null"}
	out["object"] = vectorPayload{typ, "{}"}
	out["wrong-type"] = vectorPayload{statement.TypeNotice, out["consent-given"].Payload}
	return out
}

func TestSeeds(t *testing.T) {
	dir := filepath.Join("testdata", "fuzz", "FuzzParse")
	all := seeds(t)
	for name, p := range all {
		body := fmt.Sprintf("go test fuzz v1\nstring(%q)\n[]byte(%q)\n", p.Type, p.Payload)
		path := filepath.Join(dir, name)
		if *update {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if have, err := os.ReadFile(path); err != nil || string(have) != body {
			t.Errorf("seed %s is missing or old: %v", name, err)
		}
	}
	if len(all) < 10 {
		t.Errorf("%d seeds", len(all))
	}
}

// Whatever Parse accepts it spells back byte for byte, and no rule panics on it.
func FuzzParse(f *testing.F) {
	f.Fuzz(func(t *testing.T, typ string, payload []byte) {
		d := &statement.DSSE{Payload: payload, PayloadType: typ}
		if s, err := Parse(d); err == nil {
			sameBytes(t, s, d)
			_ = s.Check(testPack())
			_ = (&Record{ID: s.ID}).Next(testPack(), s, s.At)
			_, _ = MayRecord(testPack(), s, swcA, []string{"member"}, true, nil)
			_ = CheckConflict(book(), s, s.At)
		}
		if c, err := ParseConflictSet(d); err == nil {
			sameBytes(t, c, d)
			_ = c.Check(testPack())
		}
		if c, err := ParseConflictLifted(d); err == nil {
			sameBytes(t, c, d)
			_ = c.Check(testPack())
		}
	})
}

func sameBytes(t *testing.T, s interface {
	Encode() (string, []byte, error)
}, d *statement.DSSE) {
	typ, payload, err := s.Encode()
	if err != nil || typ != d.PayloadType || !bytes.Equal(payload, d.Payload) {
		t.Errorf("accepted %s %s, spelled back %s %s (%v)", d.PayloadType, d.Payload, typ, payload, err)
	}
}
