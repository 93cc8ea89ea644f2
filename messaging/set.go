package messaging

import (
	"errors"
	"fmt"

	"github.com/odziv/odziv/internal/statement"
)

// Set is one act that needs several bases: 2 to 16 messages of one sender,
// accepted together or not at all, in this order.
type Set struct {
	Msgs []*statement.DSSE `json:"msgs"`
	Set  string            `json:"set"`
	V    int               `json:"v"`
}

// ParseSet reads the canonical JSON of a set strictly, and each of its
// messages as [Parse] does. It verifies no signature.
func ParseSet(data []byte) ([]*Notice, error) {
	if len(data) > MaxSetSize {
		return nil, fmt.Errorf("messaging: set of %d bytes, at most %d", len(data), MaxSetSize)
	}
	var s Set
	if err := statement.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("messaging: set: %w", err)
	}
	return s.Parse()
}

// Parse reads each message and checks what binds them: one set identifier, one
// sender (desk, institution and key), distinct message identifiers, and no act
// upon a duty of a message outside the set.
func (s *Set) Parse() ([]*Notice, error) {
	if s.V != 1 {
		return nil, fmt.Errorf("messaging: set: v: %d is not a version this program knows", s.V)
	}
	if err := statement.CheckID("set", s.Set, statement.Set); err != nil {
		return nil, fmt.Errorf("messaging: set: %w", err)
	}
	if len(s.Msgs) < MinSet || len(s.Msgs) > MaxSet {
		return nil, fmt.Errorf("messaging: set: %d messages, not %d to %d", len(s.Msgs), MinSet, MaxSet)
	}
	notices := make([]*Notice, 0, len(s.Msgs))
	for i, d := range s.Msgs {
		n, err := Parse(d)
		if err != nil {
			return nil, fmt.Errorf("messaging: set: message %d: %w", i, err)
		}
		notices = append(notices, n)
	}
	if err := bindSet(s.Set, notices); err != nil {
		return nil, fmt.Errorf("messaging: set: %w", err)
	}
	return notices, nil
}

func bindSet(set string, notices []*Notice) error {
	members := make(map[string]bool, len(notices))
	for i, n := range notices {
		if n.Core.Set != set {
			return fmt.Errorf("message %d: core.set names another set", i)
		}
		if n.Core.From != notices[0].Core.From {
			return fmt.Errorf("message %d: another sender", i)
		}
		if members[n.Core.Msg] {
			return fmt.Errorf("message %d: core.msg used twice", i)
		}
		members[n.Core.Msg] = true
	}
	for _, n := range notices {
		for _, a := range n.Core.Obl {
			if a.Of != "" && !members[a.Of] {
				return errors.New("core.obl.of: a message outside the set")
			}
		}
	}
	return nil
}
