package audit_test

import (
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/audit"
	"github.com/odziv/odziv/internal/audit/audittest"
	"github.com/odziv/odziv/internal/audit/second"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/ledger"
)

// mutator changes one place of a JSON value at random.
type mutator struct {
	*rand.Rand
	pool [][]byte // values of the same file, to put in other places
}

// other is a copy of some value.
func (m *mutator) other() (v any) {
	if err := json.Unmarshal(m.pool[m.IntN(len(m.pool))], &v); err != nil {
		panic(err)
	}
	return v
}

func (m *mutator) collect(v any) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	m.pool = append(m.pool, data)
	switch v := v.(type) {
	case map[string]any:
		for _, name := range names(v) {
			m.collect(v[name])
		}
	case []any:
		for _, x := range v {
			m.collect(x)
		}
	}
}

func names(v map[string]any) []string {
	var list []string
	for name := range v {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// change goes down to a random place and returns the value with that place
// changed.
func (m *mutator) change(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if len(v) > 0 && m.IntN(8) > 0 {
			name := names(v)[m.IntN(len(v))]
			v[name] = m.change(v[name])
			return v
		}
		return m.object(v)
	case []any:
		if len(v) > 0 && m.IntN(5) > 0 {
			i := m.IntN(len(v))
			v[i] = m.change(v[i])
			return v
		}
		return m.list(v)
	}
	return m.scalar(v)
}

func (m *mutator) object(v map[string]any) any {
	all := names(v)
	switch {
	case len(all) == 0 || m.IntN(3) == 0:
		v[[]string{"x", "demo", "v", "Idx", "due"}[m.IntN(5)]] = m.other()
	case m.IntN(2) == 0:
		delete(v, all[m.IntN(len(all))])
	default:
		old := all[m.IntN(len(all))]
		v[strings.ToUpper(old)] = v[old]
		delete(v, old)
	}
	return v
}

func (m *mutator) list(v []any) any {
	switch {
	case len(v) == 0 || m.IntN(4) == 0:
		return append(v, m.other())
	case m.IntN(3) == 0:
		return slices.Delete(v, m.IntN(len(v)), len(v))
	case m.IntN(2) == 0:
		i, j := m.IntN(len(v)), m.IntN(len(v))
		v[i], v[j] = v[j], v[i]
		return v
	}
	return append(v, v[m.IntN(len(v))])
}

func (m *mutator) scalar(v any) any {
	switch v := v.(type) {
	case float64:
		return []any{v + 1, v - 1, -v, v * 2, 0.0, v + 0.5, float64(1 << 53), "1", nil}[m.IntN(9)]
	case string:
		return m.text(v)
	case bool:
		return []any{!v, "true", nil}[m.IntN(3)]
	}
	return m.other()
}

func (m *mutator) text(v string) any {
	if raw, err := base64.StdEncoding.DecodeString(v); err == nil && len(raw) > 80 && m.IntN(3) > 0 {
		var inner any // a payload: change what is in it
		if json.Unmarshal(raw, &inner) == nil {
			again, err := statement.Marshal(m.change(inner))
			if err == nil {
				return base64.StdEncoding.EncodeToString(again)
			}
		}
	}
	lines := strings.SplitAfter(v, "\n")
	switch m.IntN(7) {
	case 0:
		return ""
	case 1:
		return v + []string{" ", "\n", "=", "ž", "\u0000", "A", "\r"}[m.IntN(7)]
	case 2:
		return strings.ToUpper(v)
	case 3: // a line of a proof
		i, j := m.IntN(len(lines)), m.IntN(len(lines))
		lines[i], lines[j] = lines[j], lines[i]
		return strings.Join(lines, "")
	case 4:
		return strings.Join(slices.Delete(lines, m.IntN(len(lines)), len(lines)), "")
	case 5:
		return m.other()
	}
	b := []byte(v)
	if len(b) == 0 {
		return "x"
	}
	b[m.IntN(len(b))] ^= byte(1 << m.IntN(7))
	return string(b)
}

// mutated is a file with one place changed, mostly in canonical form.
func (m *mutator) mutated(t testing.TB, file []byte) []byte {
	t.Helper()
	var v any
	if err := json.Unmarshal(file, &v); err != nil {
		t.Fatal(err)
	}
	m.pool = nil
	m.collect([]any{nil, "", 0, true, map[string]any{}})
	m.collect(v)
	v = m.change(v)
	if data, err := statement.Marshal(v); err == nil && m.IntN(20) > 0 {
		return data
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	data, err := statement.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Two verifiers, one page: whatever is changed in a file, both let it pass or
// neither does.
func TestSecondAgreesOnMutations(t *testing.T) {
	w := watched(t)
	at := w.Meta(audittest.StoryEnd).At
	receipt, err := audit.BuildReceipt([]audit.Pieces{pieces(w, audittest.Given), pieces(w, audittest.Narrowed), pieces(w, audittest.Withdrawn)}, chainOf(w))
	if err != nil {
		t.Fatal(err)
	}
	files := [][]byte{vector(t, "evidence.json"), vector(t, "silence.json"), receipt,
		under(t, w, func(p []byte) []byte { return cosigned(t, p, at, "a", "b", "c") })}
	passed := 0
	for i := range rounds(300) {
		m := &mutator{Rand: rand.New(rand.NewPCG(uint64(i), 77))}
		file := m.mutated(t, files[i%len(files)])
		var err error
		if i%len(files) == 2 {
			_, err = verifyReceipt(t, file, audit.Trust{})
		} else {
			_, err = verifyEvidence(t, file, audit.Trust{})
		}
		if err == nil {
			passed++
		}
		if t.Failed() {
			t.Fatalf("round %d: %s", i, file)
		}
	}
	t.Logf("%d of the changed files verify", passed)
}

// The same for what an exchange commits to: a story whose last entry has one
// place of META or PRIV changed, under a leaf, a tree and a checkpoint that fit.
func TestSecondAgreesOnLies(t *testing.T) {
	passed, agreed := 0, 0
	for i := range rounds(80) {
		m := &mutator{Rand: rand.New(rand.NewPCG(uint64(i), 78))}
		w := audittest.New(t, false)
		w.Story()
		d := concern(w, nil)
		w.Derive(d)
		if m.IntN(3) == 0 { // the message, signed as it then is
			payload, err := statement.Marshal(json.RawMessage(m.mutated(t, d.Priv.Stmt.Payload)))
			if err != nil {
				continue // nobody can sign what has no one spelling
			}
			d.Priv.Stmt = w.Sign(d.Priv.Stmt.PayloadType, json.RawMessage(payload), audittest.Officer("A", 1))
			d.Reseal()
		}
		meta, priv := marshal(t, d.Meta), marshal(t, d.Priv)
		switch m.IntN(3) {
		case 0:
			meta = m.mutated(t, meta)
		case 1:
			priv = m.mutated(t, priv)
		}
		w.Commit(d, meta, priv)
		w.Publish()
		_, found, err := verify(t, bundleOf(t, w, audit.Options{}), audit.Trust{})
		if !failed(found, err) {
			passed++
		}
		if !ruled(found) {
			agreed++
		}
		if t.Failed() {
			t.Fatalf("round %d: %s\n%s", i, meta, priv)
		}
	}
	if agreed < rounds(80)/2 {
		t.Errorf("only %d lies were for both verifiers", agreed)
	}
	t.Logf("%d of the changed entries verify, %d were put to both", passed, agreed)
}

// A bundle with a file changed, lost, renamed or added.
func TestSecondAgreesOnBundles(t *testing.T) {
	bundle := vector(t, "bundle.zip")
	for i := range rounds(60) {
		m := &mutator{Rand: rand.New(rand.NewPCG(uint64(i), 79))}
		files := unzip(t, bundle)
		n := m.IntN(len(files))
		f := &files[n]
		switch m.IntN(6) {
		case 0:
			files = slices.Delete(files, n, n+1)
		case 1:
			f.name = []string{"x", "ev/tile/0/000", "openings/000001.jsonl", "packs/xx-demo@1.toml", "dir/tile/1/000.p/1"}[m.IntN(5)]
		case 2:
			f.data = append(f.data, []string{"\n", "x", "\x00\x01x"}[m.IntN(3)]...)
		case 3:
			if lines := strings.Split(string(f.data), "\n"); strings.HasPrefix(f.name, "openings/") {
				k := m.IntN(len(lines) - 1)
				lines[k] = string(m.mutated(t, []byte(lines[k])))
				f.data = []byte(strings.Join(lines, "\n"))
			} else {
				f.data = f.data[:m.IntN(len(f.data))]
			}
		case 4:
			if f.name == "bundle.json" {
				f.data = m.mutated(t, f.data)
				break
			}
			fallthrough
		default:
			f.data[m.IntN(len(f.data))] ^= byte(1 << m.IntN(8))
		}
		verify(t, rezip(t, files), audit.Trust{})
		if t.Failed() {
			t.Fatalf("round %d: %s", i, f.name)
		}
	}
}

// Bundles of two times show one history to both, and a fork to neither.
func TestSecondCompares(t *testing.T) {
	w := audittest.New(t, false)
	w.Story()
	w.Publish()
	small := bundleOf(t, w, audit.Options{})
	w.Fill(260)
	w.Publish()
	large := bundleOf(t, w, audit.Options{})
	fork := audittest.New(t, false)
	fork.Fill(12)
	fork.Publish()
	for _, c := range []struct {
		other []byte
		same  bool
	}{{small, true}, {large, true}, {bundleOf(t, fork, audit.Options{}), false}} {
		v := python.Ask(t, second.Case{Data: large, Other: c.other})
		if !v.OK || v.Facts.Same[ledger.Ev.String()] != c.same || !v.Facts.Same[ledger.Dir.String()] {
			t.Errorf("%+v", v)
		}
	}
}
