package evidence

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/odziv/odziv/internal/statement"
)

// vectors is testdata/leaves.json.
type vectors struct {
	Items     []struct{ Name, Item, Leaf, Hash string }
	Metas     []struct{ Name, Meta string }
	Histories []struct {
		Indexes []int64
		Count   int64
		SHA256  string
	}
}

func loadVectors(t testing.TB) (v vectors) {
	t.Helper()
	data, err := os.ReadFile("testdata/leaves.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Items) == 0 || len(v.Metas) == 0 || len(v.Histories) < 3 {
		t.Fatal("vectors are gone")
	}
	return v
}

// From the bytes of a feed item follow the leaf and its hash in the tree.
func TestVectors(t *testing.T) {
	for _, c := range loadVectors(t).Items {
		var item Item
		if err := statement.Unmarshal([]byte(c.Item), &item); err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		o, err := item.Opening()
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := o.Leaf()
		if err != nil || string(leaf) != c.Leaf || len(leaf) != 109 {
			t.Errorf("%s: leaf %s, %v", c.Name, leaf, err)
		}
		if hash := tlog.RecordHash([]byte(c.Leaf)); hex.EncodeToString(hash[:]) != c.Hash {
			t.Errorf("%s: hash %x", c.Name, hash)
		}
		meta, priv, err := o.Check([]byte(c.Leaf), item.Idx)
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		var data ConsentChangeData
		if err := statement.Unmarshal(priv.Data, &data); err != nil || data.Ver != 2 || meta.Ev != NoticeConsentChange {
			t.Errorf("%s: %+v, %v", c.Name, data, err)
		}
		again, err := statement.Marshal(ItemOf(item.Idx, item.N, o))
		if err != nil || string(again) != c.Item {
			t.Errorf("%s: written again\n%s\n%v", c.Name, again, err)
		}
	}
}

func TestMetaVectors(t *testing.T) {
	for _, c := range loadVectors(t).Metas {
		o := Opening{Meta: []byte(c.Meta), Priv: []byte(`{"to":[],"v":1}`)}
		meta, _, err := o.Decode()
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		again, err := statement.Marshal(meta)
		if err != nil || string(again) != c.Meta {
			t.Errorf("%s: written again\n%s\n%v", c.Name, again, err)
		}
	}
}

func TestHistoryOf(t *testing.T) {
	for _, c := range loadVectors(t).Histories {
		if got := HistoryOf(c.Indexes); got != (History{Count: c.Count, SHA256: c.SHA256}) {
			t.Errorf("%v: %+v", c.Indexes, got)
		}
	}
}

// id is an identifier that a test needs but does not look at.
func id(prefix string) string { return statement.FormatID(prefix, make([]byte, 16)) }

func drawMeta(t *rapid.T) *Meta {
	m := &Meta{
		At: rapid.Int64Range(1, 1<<45).Draw(t, "at"), By: System, Dec: Allow, DirN: rapid.Int64Range(0, 1<<30).Draw(t, "dirn"),
		Ev: NoticeOwed, Idx: rapid.Int64Range(0, 1<<40).Draw(t, "idx"), Obj: id(statement.Obligation),
		Obl: []Obligation{}, Prev: -1, To: []string{}, V: 1,
	}
	for range rapid.IntRange(0, 3).Draw(t, "obligations") {
		m.Obl = append(m.Obl, Obligation{EE: "person", O: id(statement.Obligation), Op: "open", OR: id(statement.Institution), Rule: "registration"})
	}
	return m
}

func drawPriv(t *rapid.T) *Priv {
	p := &Priv{To: []Delivery{}, V: 1}
	if rapid.Bool().Draw(t, "stmt") {
		p.Stmt = &statement.DSSE{Payload: rapid.SliceOfN(rapid.Byte(), 1, 50).Draw(t, "payload"), PayloadType: "t", Signatures: []statement.Signature{}}
	} else {
		p.Data = json.RawMessage(`{"due":1,"level":0}`)
	}
	for n := range rapid.Int64Range(0, 3).Draw(t, "desks") {
		p.To = append(p.To, Delivery{Desk: id(statement.Desk), N: n + 1})
	}
	return p
}

// What was committed opens, at its place; and no byte of leaf, META, PRIV or a
// key can change without being noticed.
func TestCommitCheckTamper(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		meta, priv := drawMeta(t), drawPriv(t)
		leaf, o, err := Commit(meta, priv)
		if err != nil || len(leaf) != 109 {
			t.Fatalf("%s, %v", leaf, err)
		}
		gotMeta, gotPriv, err := o.Check(leaf, meta.Idx)
		if err != nil {
			t.Fatal(err)
		}
		if !same(meta, gotMeta) || !same(priv, gotPriv) {
			t.Fatalf("%+v %+v", gotMeta, gotPriv)
		}
		if _, _, err := o.Check(leaf, meta.Idx+1); !errors.Is(err, ErrOpening) {
			t.Fatalf("at another index: %v", err)
		}
		parts := map[string][]byte{"leaf": leaf, "meta": o.Meta, "priv": o.Priv, "rm": o.RM, "rp": o.RP}
		part := parts[rapid.SampledFrom([]string{"leaf", "meta", "priv", "rm", "rp"}).Draw(t, "part")]
		part[rapid.IntRange(0, len(part)-1).Draw(t, "byte")] ^= byte(1 << rapid.IntRange(0, 7).Draw(t, "bit"))
		if _, _, err := o.Check(leaf, meta.Idx); !errors.Is(err, ErrOpening) {
			t.Fatalf("one bit changed: %v", err)
		}
	})
}

func same(a, b any) bool {
	x, errX := statement.Marshal(a)
	y, errY := statement.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// The same event twice makes two leaves that nobody can match, and META and
// PRIV lie under different keys.
func TestCommitHides(t *testing.T) {
	meta := &Meta{At: 1, By: System, Dec: Allow, Ev: Silence, Obj: "x", Obl: []Obligation{}, To: []string{}, V: 1}
	priv := &Priv{To: []Delivery{}, V: 1}
	a, oa, err := Commit(meta, priv)
	if err != nil {
		t.Fatal(err)
	}
	b, ob, err := Commit(meta, priv)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(a, b) || bytes.Equal(oa.RM, ob.RM) || bytes.Equal(oa.RP, ob.RP) || bytes.Equal(oa.RM, oa.RP) {
		t.Error("keys repeat")
	}
	if !bytes.Equal(oa.Meta, ob.Meta) || len(oa.RM) != KeySize {
		t.Error("the same event is spelled differently")
	}
	oa.Meta, oa.Priv = oa.Priv, oa.Meta
	if _, _, err := oa.Check(a, 0); !errors.Is(err, ErrOpening) {
		t.Errorf("META and PRIV exchanged: %v", err)
	}
}

func TestCommitRefuses(t *testing.T) {
	whole := func() (*Meta, *Priv) {
		return &Meta{At: 1, By: System, Dec: Allow, Ev: Silence, Obj: "x", Obl: []Obligation{}, To: []string{}, V: 1}, &Priv{To: []Delivery{}, V: 1}
	}
	for name, change := range map[string]func(*Meta, *Priv){
		"nil to in META":  func(m *Meta, _ *Priv) { m.To = nil },
		"nil obl in META": func(m *Meta, _ *Priv) { m.Obl = nil },
		"nil to in PRIV":  func(_ *Meta, p *Priv) { p.To = nil },
		"data not JSON":   func(_ *Meta, p *Priv) { p.Data = json.RawMessage(`{`) },
		"data with null":  func(_ *Meta, p *Priv) { p.Data = json.RawMessage(`{"a":null}`) },
		"META too long":   func(m *Meta, _ *Priv) { m.Obj = strings.Repeat("x", MaxObject) },
		"PRIV too long":   func(_ *Meta, p *Priv) { p.Case = strings.Repeat("x", MaxObject) },
	} {
		m, p := whole()
		change(m, p)
		if leaf, _, err := Commit(m, p); err == nil || leaf != nil {
			t.Errorf("%s: %s, %v", name, leaf, err)
		}
	}
	m, p := whole()
	if _, _, err := Commit(m, p); err != nil {
		t.Error(err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	const meta = `{"at":1,"by":"system","dec":"allow","dirn":0,"ev":"silence","idx":0,"obj":"x","obl":[],"prev":-1,"to":[],"v":1}`
	const priv = `{"to":[],"v":1}`
	for name, o := range map[string]Opening{
		"no META":                {Priv: []byte(priv)},
		"no PRIV":                {Meta: []byte(meta)},
		"unknown member":         {Meta: []byte(strings.Replace(meta, `"v":1`, `"v":1,"x":1`, 1)), Priv: []byte(priv)},
		"unknown member in PRIV": {Meta: []byte(meta), Priv: []byte(`{"to":[],"v":1,"x":1}`)},
		"other version of META":  {Meta: []byte(strings.Replace(meta, `"v":1`, `"v":2`, 1)), Priv: []byte(priv)},
		"other version of PRIV":  {Meta: []byte(meta), Priv: []byte(`{"to":[],"v":2}`)},
		"not canonical":          {Meta: []byte(meta + " "), Priv: []byte(priv)},
		"PRIV not canonical":     {Meta: []byte(meta), Priv: []byte(`{"v":1,"to":[]}`)},
		"META too long":          {Meta: make([]byte, MaxObject+1), Priv: []byte(priv)},
		"PRIV too long":          {Meta: []byte(meta), Priv: make([]byte, MaxObject+1)},
		"null statement":         {Meta: []byte(meta), Priv: []byte(`{"stmt":null,"to":[],"v":1}`)},
	} {
		if _, _, err := o.Decode(); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if _, _, err := (&Opening{Meta: []byte(meta), Priv: []byte(priv)}).Decode(); err != nil {
		t.Error(err)
	}
}

func TestLeafNeedsBothKeys(t *testing.T) {
	key := make([]byte, KeySize)
	for name, o := range map[string]Opening{
		"no keys": {}, "no rp": {RM: key}, "no rm": {RP: key},
		"short": {RM: key[1:], RP: key}, "long": {RM: key, RP: append(key, 0)},
	} {
		if leaf, err := o.Leaf(); err == nil {
			t.Errorf("%s: %s", name, leaf)
		}
		if _, _, err := o.Check([]byte("{}"), 0); err == nil {
			t.Errorf("%s: checks", name)
		}
	}
}

func TestItemWithoutOpening(t *testing.T) {
	erased := int64(9)
	for name, i := range map[string]Item{
		"erased": {Erased: &erased, Idx: 3, N: 1}, "held": {Held: &Held{Reason: "secrecy", Until: 5}, Idx: 3, N: 1}, "empty": {},
		"erased, and yet open": {Erased: &erased, Meta: json.RawMessage(`{}`)},
	} {
		if _, err := i.Opening(); !errors.Is(err, ErrNoOpening) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, text := range []string{`{"erased":9,"idx":3,"n":1}`, `{"held":{"reason":"secrecy","until":5},"idx":3,"n":1}`} {
		var i Item
		if err := statement.Unmarshal([]byte(text), &i); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// FuzzDecode: what is accepted as META and PRIV is written back byte for byte,
// and its leaf opens it.
func FuzzDecode(f *testing.F) {
	v := loadVectors(f)
	for _, c := range v.Items {
		var item Item
		if err := statement.Unmarshal([]byte(c.Item), &item); err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(item.Meta), []byte(item.Priv))
	}
	for _, c := range v.Metas {
		f.Add([]byte(c.Meta), []byte(`{"stmt":{"payload":"","payloadType":"","signatures":[]},"to":[{"desk":"d","n":1}],"v":1}`))
	}
	f.Fuzz(func(t *testing.T, meta, priv []byte) {
		o := Opening{Meta: meta, Priv: priv, RM: make([]byte, KeySize), RP: make([]byte, KeySize)}
		m, p, err := o.Decode()
		if err != nil {
			return
		}
		if again, err := statement.Marshal(m); err != nil || !bytes.Equal(again, meta) {
			t.Fatalf("%q is written back as %q, %v", meta, again, err)
		}
		if again, err := statement.Marshal(p); err != nil || !bytes.Equal(again, priv) {
			t.Fatalf("%q is written back as %q, %v", priv, again, err)
		}
		leaf, err := o.Leaf()
		if err != nil || len(leaf) != 109 {
			t.Fatal(leaf, err)
		}
		if _, _, err := o.Check(leaf, m.Idx); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzItem: what is accepted as a feed item is written back byte for byte.
func FuzzItem(f *testing.F) {
	for _, c := range loadVectors(f).Items {
		f.Add([]byte(c.Item))
	}
	f.Add([]byte(`{"erased":9,"idx":3,"n":1}`))
	f.Add([]byte(`{"held":{"reason":"secrecy","until":5},"idx":3,"n":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var i Item
		if statement.Unmarshal(data, &i) != nil {
			return
		}
		if again, err := statement.Marshal(i); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%q is written back as %q, %v", data, again, err)
		}
		if o, err := i.Opening(); err == nil {
			_, _, _ = o.Decode()
			_, _ = o.Leaf()
		}
	})
}
