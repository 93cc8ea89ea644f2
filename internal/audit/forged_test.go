package audit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/audit"
	"github.com/odziv/odziv/internal/audit/audittest"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// Any byte of an evidence file or receipt.
func TestEveryByteOfAFile(t *testing.T) {
	w := story(t)
	receipt, err := audit.BuildReceipt([]audit.Pieces{pieces(w, audittest.Given), pieces(w, audittest.Narrowed)}, chainOf(w))
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	for name, file := range map[string][]byte{"signed": evidenceOf(t, w, audittest.Concern), "silence": evidenceOf(t, w, audittest.Silence), "receipt": receipt} {
		check := func(data []byte) error {
			if name == "receipt" {
				_, err := verifyReceipt(t, data, audit.Trust{})
				return err
			}
			_, err := verifyEvidence(t, data, audit.Trust{})
			return err
		}
		if err := check(file); err != nil {
			t.Fatal(name, err)
		}
		for range rounds(100) {
			altered := bytes.Clone(file)
			at := r.IntN(len(file))
			altered[at] ^= byte(1 + r.IntN(255))
			if err := check(altered); !errors.Is(err, audit.ErrVerify) && !errors.Is(err, audit.ErrFormat) {
				t.Fatalf("%s: byte %d: %v", name, at, err)
			}
		}
		for _, cut := range []int{0, 1, len(file) / 2, len(file) - 1} {
			if check(file[:cut]) == nil || check(append(bytes.Clone(file), '\n')) == nil {
				t.Errorf("%s: cut at %d", name, cut)
			}
		}
	}
}

// shape is an evidence file taken apart.
type shape struct {
	Dir     []entry         `json:"dir"`
	Idx     int64           `json:"idx"`
	Opening json.RawMessage `json:"opening"`
	Proof   string          `json:"proof"`
	Type    string          `json:"type"`
	V       int             `json:"v"`
}

type entry struct {
	Idx   int64           `json:"idx"`
	Leaf  json.RawMessage `json:"leaf"`
	Proof string          `json:"proof"`
}

// reshaped is an evidence file with one part exchanged, in its one spelling.
func reshaped(t testing.TB, file []byte, change func(s *shape)) []byte {
	t.Helper()
	var s shape
	if err := statement.Unmarshal(file, &s); err != nil {
		t.Fatal(err)
	}
	change(&s)
	out, err := statement.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func kind(t *testing.T, e entry) string {
	signed, err := directory.Decode(e.Leaf)
	if err != nil {
		t.Fatal(err)
	}
	return signed.Type
}

func TestForgedFiles(t *testing.T) {
	w := story(t)
	file := evidenceOf(t, w, audittest.Concern)
	other := evidenceOf(t, w, audittest.Answer)
	drop := func(types ...string) func(s *shape) {
		return func(s *shape) {
			s.Dir = slices.DeleteFunc(s.Dir, func(e entry) bool { return slices.Contains(types, kind(t, e)) })
		}
	}
	from := func(other []byte) (s shape) {
		if err := statement.Unmarshal(other, &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	for name, c := range map[string]struct {
		change func(s *shape)
		want   string
	}{
		"no genesis":                     {drop("genesis"), "genesis"},
		"no joining":                     {drop("inst.join"), "joining is not shown"},
		"no registrars":                  {drop("inst.registrars"), "none of those who may"},
		"no enrolment":                   {drop("officer.enrol"), "enrolment of"},
		"no desk":                        {drop("desk.profile", "desk.members"), "is not in the key chain"},
		"no members":                     {drop("desk.members"), "is not a member"},
		"no profile of the desk":         {drop("desk.profile"), "profile is not shown"},
		"somebody else's chain":          {func(s *shape) { s.Dir = from(other).Dir }, "enrolment of"},
		"another opening":                {func(s *shape) { s.Opening = from(other).Opening }, "ev entry 1"},
		"another proof":                  {func(s *shape) { s.Proof = from(other).Proof }, "its proof is of entry 4"},
		"another entry's index":          {func(s *shape) { s.Idx = 4 }, "its proof is of entry 1"},
		"another entry, proof and all":   {func(s *shape) { o := from(other); s.Opening, s.Proof, s.Idx = o.Opening, o.Proof, 1 }, "its proof is of entry 4"},
		"out of order":                   {func(s *shape) { s.Dir[1], s.Dir[2] = s.Dir[2], s.Dir[1] }, "dir entry"},
		"an entry twice":                 {func(s *shape) { s.Dir = append(s.Dir, s.Dir[len(s.Dir)-1]) }, "stands after entry"},
		"a directory entry renumbered":   {func(s *shape) { s.Dir[len(s.Dir)-1].Idx++ }, "dir entry"},
		"the proof of a directory entry": {func(s *shape) { s.Dir[3].Proof = s.Dir[2].Proof }, "dir entry"},
		"no chain at all":                {func(s *shape) { s.Dir = []entry{} }, "directory entries"},
		"a statement of the calendar in the chain": {func(s *shape) {
			s.Dir = append(s.Dir, entry{Idx: 28, Leaf: w.Leaves[28], Proof: string(w.Proof(ledger.Dir, 28))})
		}, "no part of a key chain"},
		"another version": {func(s *shape) { s.V = 2 }, "v 2"},
	} {
		_, err := verifyEvidence(t, reshaped(t, file, c.change), audit.Trust{Genesis: w.Genesis()})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := verifyEvidence(t, reshaped(t, file, func(*shape) {}), audit.Trust{Genesis: w.Genesis()}); err != nil {
		t.Error("unchanged:", err)
	}
}

// A file in which whoever runs the log put a statement of the
// directory that nobody entitled signed: the tree proves that it is there, the
// chain that it means nothing.
func TestChainNobodySigned(t *testing.T) {
	enrol := func(key, u, i string) *directory.OfficerEnrol {
		pub := audittest.Key(key).Public()
		return &directory.OfficerEnrol{U: audittest.ID("u", u), I: audittest.ID("i", i), Key: statement.KeyID(pub), Ed: pub,
			Rcp: audittest.Recipient(0), Roles: []string{"member"}, NB: audittest.Start, NA: audittest.Start + audittest.Day*900}
	}
	members := &directory.DeskMembers{D: audittest.ID("d", "A"), Members: []string{audittest.ID("u", audittest.Officer("A", 1)), audittest.ID("u", "rogue")}}
	for name, c := range map[string]struct {
		body    directory.Body
		signers []string
		want    string
	}{
		"one registrar":              {enrol(audittest.Stranger, "rogue", "A"), []string{"A/registrar/1"}, "1 signatures of the registrars, want 2"},
		"another house's registrars": {enrol(audittest.Stranger, "rogue", "A"), []string{"B/registrar/1", "B/registrar/2"}, "none of those who may"},
		"nobody":                     {enrol(audittest.Stranger, "rogue", "A"), nil, "0 signatures"},
		"a taken key":                {enrol(audittest.Officer("A", 1), "rogue", "A"), []string{"A/registrar/1", "A/registrar/2"}, "another officer"},
		"a desk's members":           {members, []string{"A/registrar/1"}, "1 signatures of the registrars, want 2"},
		"registrars":                 {&directory.InstRegistrars{I: audittest.ID("i", "A"), Keys: audittest.Keys("x", "y")}, []string{"A/root/1"}, "want 2"},
		"a root":                     {&directory.InstRoot{I: audittest.ID("i", "A"), K: 1, Keys: audittest.Keys("x")}, []string{"x"}, "signatures of the root keys, want 2"},
		"an institution":             {&directory.InstJoin{I: audittest.ID("i", "Z"), Root: directory.Root{K: 1, Keys: audittest.Keys("x")}}, []string{"x", "delegate/1"}, "want 2"},
		"an institution again":       {&directory.InstJoin{I: audittest.ID("i", "A"), Root: directory.Root{K: 1, Keys: audittest.Keys("x")}}, []string{"x", "delegate/1", "delegate/2"}, "joined before"},
		"a profile":                  {&directory.InstProfile{I: audittest.ID("i", "A"), Type: "magistrate", Level: "x", Territory: []string{}, NB: 1, NA: 2}, []string{"delegate/1"}, "want 2"},
		"a policy":                   {w0policy("x"), []string{"council/1"}, "signatures of the council, want 2"},
		"a policy of a new council":  {w0policy("y"), []string{"council/1", "council/2"}, "signatures of the new council"},
		"a delegate's end":           {&directory.DelegateRevoke{Key: statement.KeyID(audittest.Key("delegate/1").Public()), Reason: "left"}, []string{"A/root/1"}, "none of those who may"},
		"a revocation":               {&directory.OfficerRevoke{U: audittest.ID("u", audittest.Officer("A", 1)), Key: statement.KeyID(audittest.Key(audittest.Officer("A", 1)).Public()), From: 1, Reason: "x"}, []string{"B/registrar/1"}, "none of those who may"},
		"a desk":                     {&directory.DeskProfile{D: audittest.ID("d", "A"), I: audittest.ID("i", "B"), Fn: "case", NB: 1, NA: 2}, []string{"B/registrar/1"}, "another institution"},
		"a representative's desk":    {&directory.DeskProfile{D: audittest.ID("d", "R"), I: audittest.ID("i", "A"), Fn: "rep", NB: 1, NA: 2}, []string{"A/registrar/1"}, "want 2"},
		"a second genesis":           {&directory.Genesis{Name: "x", Council: directory.Council{K: 1, Keys: audittest.Keys("x")}, Delegates: []directory.Delegate{}, Logs: directory.Logs{Dir: audittest.LogKey(ledger.Dir), Ev: audittest.LogKey(ledger.Ev)}, Quorum: directory.Quorum{Dir: "none", Ev: "none"}, Witnesses: []directory.Witness{}}, []string{"x"}, "genesis is entry 0"},
	} {
		w := audittest.New(t, false)
		w.Story()
		idx := w.Smuggle(c.body, c.signers...)
		w.Publish()
		file := evidenceOf(t, w, audittest.Concern)
		altered := reshaped(t, file, func(s *shape) {
			s.Dir = append(s.Dir, entry{Idx: idx, Leaf: w.Leaves[idx], Proof: string(w.Proof(ledger.Dir, idx))})
		})
		if _, err := verifyEvidence(t, altered, audit.Trust{Genesis: w.Genesis()}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// w0policy replaces the council, or only the quorum if the label is "x".
func w0policy(label string) *directory.Policy {
	council := directory.Council{K: 2, Keys: audittest.Keys("council/1", "council/2")}
	if label != "x" {
		council = directory.Council{K: 1, Keys: audittest.Keys(label)}
	}
	return &directory.Policy{Council: council, Delegates: []directory.Delegate{}, Witnesses: []directory.Witness{},
		Logs:   directory.Logs{Dir: audittest.LogKey(ledger.Dir), Ev: audittest.LogKey(ledger.Ev)},
		Quorum: directory.Quorum{Dir: "none", Ev: "none"}}
}
