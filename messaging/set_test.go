package messaging

import (
	"bytes"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/statement"
)

// aSet returns n messages of one set; the second acts upon a duty of the first.
func aSet(t testing.TB, n int, change func(i int, c *Core)) *Set {
	t.Helper()
	s := &Set{Msgs: []*statement.DSSE{}, Set: setA, V: 1}
	ids := many("m", n)
	for i := range n {
		c := aCore()
		c.Msg, c.Set = ids[i], setA
		c.Obl = []Act{{Op: OpFulfil, Of: ids[0], Rule: "dismissal-notice", Value: "known"}}
		if change != nil {
			change(i, &c)
		}
		s.Msgs = append(s.Msgs, sign(t, statement.TypeNotice, aPayload(c), keyA))
	}
	return s
}

func TestParseSet(t *testing.T) {
	for n, ok := range map[int]bool{0: false, 1: false, MinSet: true, 3: true, MaxSet: true, MaxSet + 1: false} {
		notices, err := ParseSet(encode(t, aSet(t, n, nil)))
		if (err == nil) != ok {
			t.Errorf("%d messages: %v", n, err)
		}
		if ok && (len(notices) != n || notices[n-1].Core.Msg != many("m", n)[n-1]) {
			t.Errorf("%d messages: not returned in order", n)
		}
	}
}

func TestParseSetRefuses(t *testing.T) {
	second := func(change func(c *Core)) *Set {
		return aSet(t, 2, func(i int, c *Core) {
			if i == 1 {
				change(c)
			}
		})
	}
	wrongID, wrongVersion, another := aSet(t, 2, nil), aSet(t, 2, nil), aSet(t, 2, nil)
	wrongID.Set, wrongVersion.V = msgA, 2
	c := aCore()
	c.Set, c.From.Key = setA, statement.KeyID(keyB.Public())
	another.Msgs[1] = sign(t, statement.TypeNotice, aPayload(c), keyB)
	for name, s := range map[string]*Set{
		"identifier":          wrongID,
		"version":             wrongVersion,
		"another key":         another,
		"of another set":      second(func(c *Core) { c.Set = id("n", 'z') }),
		"of no set":           second(func(c *Core) { c.Set, c.Obl = "", []Act{} }),
		"another desk":        second(func(c *Core) { c.From.Desk, c.To = deskC, c.To[:1] }),
		"another institution": second(func(c *Core) { c.From.Inst = id("i", 'z') }),
		"same message id":     second(func(c *Core) { c.Msg = many("m", 1)[0] }),
		"duty outside":        second(func(c *Core) { c.Obl[0].Of = id("m", 'z') }),
		"malformed message":   second(func(c *Core) { c.Kind = "" }),
	} {
		if _, err := ParseSet(encode(t, s)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestParseSetBytes(t *testing.T) {
	right := encode(t, aSet(t, 2, nil))
	for name, data := range map[string][]byte{
		"null message": bytes.Replace(right, []byte(`"msgs":[`), []byte(`"msgs":[null,`), 1),
		"trailing":     append(bytes.Clone(right), ' '),
		"over limit":   []byte(`{"msgs":"` + strings.Repeat("a", MaxSetSize)),
		"empty":        nil,
	} {
		if _, err := ParseSet(data); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := (&Set{Msgs: []*statement.DSSE{nil, nil}, Set: setA, V: 1}).Parse(); err == nil {
		t.Error("nil messages: accepted")
	}
}
