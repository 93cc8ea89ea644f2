package evidence

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
)

// Who watches the public log sees leaves and nothing else. These tests ask, with
// chi-squared, whether anything in them depends on what they commit to.

const (
	uniformLeaves = 100_000
	tooUnlikely   = 1e-9 // a p-value below it fails
)

// sample is one leaf and the group that an onlooker would like to tell.
type sample struct {
	leaf  []byte
	event int // index in watchedEvents
	size  int // class of the size committed to
}

var watchedEvents = []string{MessageSubmitted, MessageRefused, MessageRetrieved, ConsentGiven, ConsentWithdrawn, ConflictSet, NoticeConsentChange, AccessRead}

// bodySizes are lengths of what PRIV says: nothing to whole statements.
var bodySizes = []int{0, 40, 400, 4000}

// uniformSample commits to many events. Within an event and size the bodies are
// all alike in every second leaf, and all different in the others: neither may
// show.
func uniformSample(t *testing.T, n int) []sample {
	t.Helper()
	samples := make([]sample, n)
	var wg sync.WaitGroup
	const workers = 4
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				s := &samples[i]
				s.event, s.size = i%len(watchedEvents), i/len(watchedEvents)%len(bodySizes)
				meta, priv := eventOf(i, s)
				leaf, _, err := Commit(meta, priv)
				if err != nil {
					t.Error(err)
					return
				}
				s.leaf = leaf
			}
		})
	}
	wg.Wait()
	return samples
}

func eventOf(i int, s *sample) (*Meta, *Priv) {
	fill := "the same words every time "
	if i/(len(watchedEvents)*len(bodySizes))%2 == 1 {
		fill = fmt.Sprintf("words of entry %d ", i)
	}
	body, err := json.Marshal(strings.Repeat(fill, 1+bodySizes[s.size]/len(fill)))
	if err != nil {
		panic(err)
	}
	meta := &Meta{At: 1767225600000, By: System, Dec: Allow, Ev: watchedEvents[s.event], Idx: 7, Obj: "m_aaaaaaaaaaaaaaaaaaaaaaaaaa",
		Obl: []Obligation{}, Prev: -1, To: []string{}, V: 1}
	return meta, &Priv{Data: fmt.Appendf(nil, `{"text":%s}`, body), To: []Delivery{}, V: 1}
}

// Every leaf has 109 bytes and the same frame; what is in the frame tells
// neither the event nor the size of what is committed to.
func TestLeavesTellNothing(t *testing.T) {
	samples := uniformSample(t, uniformLeaves)
	frame := []byte(`{"m":"` + strings.Repeat("?", 44) + `","p":"` + strings.Repeat("?", 44) + `","v":1}`)
	for _, s := range samples {
		if len(s.leaf) != 109 {
			t.Fatalf("a leaf of %d bytes: %s", len(s.leaf), s.leaf)
		}
		got := bytes.Clone(s.leaf)
		copy(got[6:], frame[6:50])
		copy(got[57:], frame[57:101])
		if !bytes.Equal(got, frame) {
			t.Fatalf("another frame: %s", s.leaf)
		}
	}
	if p, where := leastLikely(samples); p < tooUnlikely {
		t.Errorf("%s: p = %g", where, p)
	} else {
		t.Logf("the least likely of all: %s, p = %g", where, p)
	}
}

// The test above can fail: one bit of 512 that depends on the event in one leaf
// of five is found; so is a size that shows in one byte of one leaf in sixteen.
func TestTellingLeavesAreFound(t *testing.T) {
	honest := uniformSample(t, uniformLeaves)
	for name, c := range map[string]struct {
		tell func(i int, s *sample, raw []byte)
		want string
	}{
		"a bit of the event": {func(i int, s *sample, raw []byte) {
			if i%40 < 8 {
				raw[17] = raw[17]&^1 | byte(s.event&1)
			}
		}, "by event"},
		"a byte of the size": {func(i int, s *sample, raw []byte) {
			if i/32%16 == 0 {
				raw[31] = byte(s.size)
			}
		}, "by size"},
		"fewer ones": {func(i int, s *sample, raw []byte) {
			if s.event == 3 {
				raw[i%32] &= 0x7f
			}
		}, "by event"},
	} {
		samples := make([]sample, len(honest))
		for i, s := range honest {
			leaf := bytes.Clone(s.leaf)
			raw := make([]byte, 33)
			if _, err := base64.StdEncoding.Decode(raw, leaf[6:50]); err != nil {
				t.Fatal(err)
			}
			c.tell(i, &s, raw[:32])
			base64.StdEncoding.Encode(leaf[6:50], raw[:32])
			samples[i] = sample{leaf, s.event, s.size}
		}
		if p, where := leastLikely(samples); p >= tooUnlikely || !strings.Contains(where, c.want) {
			t.Errorf("%s: %s, p = %g", name, where, p)
		}
	}
}

// leastLikely compares the leaves of different groups: bit by bit, byte by byte
// and symbol by symbol, at each place and over all places.
func leastLikely(samples []sample) (least float64, where string) {
	least = 1
	for name, of := range map[string]struct {
		groups int
		group  func(s *sample) int
	}{
		"by event": {len(watchedEvents), func(s *sample) int { return s.event }},
		"by size":  {len(bodySizes), func(s *sample) int { return s.size }},
	} {
		for what, seen := range map[string]*counts{"bits": countBits(samples, of.groups, of.group),
			"bytes": countBytes(samples, of.groups, of.group), "symbols": countSymbols(samples, of.groups, of.group)} {
			for place := range seen.at {
				if p := independent(seen.at[place]); p < least {
					least, where = p, fmt.Sprintf("%s at place %d %s", what, place, name)
				}
			}
			if p := independent(seen.all); p < least {
				least, where = p, fmt.Sprintf("%s %s", what, name)
			}
		}
	}
	return least, where
}

// counts is how often each group had each value, at each place and in all.
type counts struct {
	at  [][][]float64
	all [][]float64
}

func newCounts(places, groups, values int) *counts {
	table := func() [][]float64 {
		rows := make([][]float64, groups)
		for g := range rows {
			rows[g] = make([]float64, values)
		}
		return rows
	}
	c := &counts{all: table()}
	for range places {
		c.at = append(c.at, table())
	}
	return c
}

func (c *counts) see(place, group int, value byte) {
	c.at[place][group][value]++
	c.all[group][value]++
}

// decoded is both commitments of a leaf.
func decoded(leaf, raw []byte) []byte {
	m, _ := base64.StdEncoding.Decode(raw, leaf[6:50])
	base64.StdEncoding.Decode(raw[m:], leaf[57:101])
	return raw[:2*KeySize]
}

func countBits(samples []sample, groups int, group func(*sample) int) *counts {
	c := newCounts(2*KeySize*8, groups, 2)
	raw := make([]byte, 66)
	for i := range samples {
		for place, b := range decoded(samples[i].leaf, raw) {
			for bit := range 8 {
				c.see(8*place+bit, group(&samples[i]), b>>bit&1)
			}
		}
	}
	return c
}

func countBytes(samples []sample, groups int, group func(*sample) int) *counts {
	c := newCounts(2*KeySize, groups, 256)
	raw := make([]byte, 66)
	for i := range samples {
		for place, b := range decoded(samples[i].leaf, raw) {
			c.see(place, group(&samples[i]), b)
		}
	}
	return c
}

func countSymbols(samples []sample, groups int, group func(*sample) int) *counts {
	c := newCounts(88, groups, 128)
	for i := range samples {
		s := &samples[i]
		for place := range 44 {
			c.see(place, group(s), s.leaf[6+place])
			c.see(44+place, group(s), s.leaf[57+place])
		}
	}
	return c
}

// independent is the probability of a table at least as uneven as this one if
// the rows are drawn alike: Pearson's chi-squared test of homogeneity. Values
// that nothing has do not count.
func independent(table [][]float64) float64 {
	rows, columns := make([]float64, len(table)), make([]float64, len(table[0]))
	total := 0.0
	for r := range table {
		for c, n := range table[r] {
			rows[r] += n
			columns[c] += n
			total += n
		}
	}
	used, stat := 0, 0.0
	for c := range columns {
		if columns[c] == 0 {
			continue
		}
		used++
		for r := range rows {
			expected := rows[r] * columns[c] / total
			stat += (table[r][c] - expected) * (table[r][c] - expected) / expected
		}
	}
	if used < 2 {
		return 1
	}
	return chiSquared(stat, float64((used-1)*(len(rows)-1)))
}

// chiSquared is the upper tail of the chi-squared distribution: Q(df/2, x/2),
// the regularized incomplete gamma function, by its series or its continued
// fraction (Abramowitz and Stegun 6.5.29, 6.5.31; Lentz's method).
func chiSquared(x, df float64) float64 {
	a, x := df/2, x/2
	if x <= 0 {
		return 1
	}
	logGamma, _ := math.Lgamma(a)
	front := math.Exp(a*math.Log(x) - x - logGamma)
	if x < a+1 {
		term := 1 / a
		sum := term
		for n := a + 1; term > sum*1e-16; n++ {
			term *= x / n
			sum += term
		}
		return 1 - front*sum
	}
	b := x + 1 - a
	c := 1e300
	d := 1 / b
	h := d
	for i := 1.0; i < 1e5; i++ {
		b += 2
		an := -i * (i - a)
		d = 1 / (an*d + b)
		c = b + an/c
		h *= c * d
		if math.Abs(c*d-1) < 1e-15 {
			break
		}
	}
	return front * h
}

// Known values of the distribution.
func TestChiSquared(t *testing.T) {
	for _, c := range []struct{ x, df, p float64 }{
		{3.841459, 1, 0.05}, {6.634897, 1, 0.01}, {10.827566, 1, 0.001}, {18.307038, 10, 0.05}, {29.588298, 10, 0.001},
		{124.342113, 100, 0.05}, {293.247835, 255, 0.05}, {0, 5, 1}, {4.351460, 5, 0.5}, {99.334129, 100, 0.5},
	} {
		if p := chiSquared(c.x, c.df); math.Abs(p-c.p) > 1e-6 {
			t.Errorf("x = %g, df = %g: p = %g, want %g", c.x, c.df, p, c.p)
		}
	}
	if p := chiSquared(2400, 1785); p > 1e-18 || p <= 0 {
		t.Errorf("p = %g", p)
	}
}
