package messaging

import (
	"cmp"
	"fmt"

	"github.com/odziv/odziv/internal/statement"
)

// checkActs bounds the acts and demands that a duty named by its trigger (of)
// is one of this message or of the set it belongs to.
func (c *Core) checkActs() error {
	if err := checkActs("core.obl", c.Obl, statement.Message); err != nil {
		return err
	}
	for i, a := range c.Obl {
		if a.Of != "" && a.Of != c.Msg && c.Set == "" {
			return fmt.Errorf("core.obl[%d].of: another message, but no set", i)
		}
	}
	return nil
}

func checkActs(member string, acts []Act, trigger string) error {
	if len(acts) > MaxActs {
		return fmt.Errorf("%s: %d, at most %d", member, len(acts), MaxActs)
	}
	seen := make(map[Act]bool, len(acts))
	for i, a := range acts {
		if err := a.check(trigger); err != nil {
			return fmt.Errorf("%s[%d]: %w", member, i, err)
		}
		if seen[a] {
			return fmt.Errorf("%s[%d]: the same act twice", member, i)
		}
		seen[a] = true
	}
	return nil
}

// actMembers says which members an operation requires; it forbids the others.
type actMembers struct{ target, due, reason, to, until, value bool }

// membersOf is PROTOCOL A.1's ACT, one row per operation.
func membersOf(op string) (m actMembers, known bool) {
	switch op {
	case OpDeclare:
		return actMembers{}, true
	case OpAck:
		return actMembers{target: true}, true
	case OpInterim, OpFulfil:
		return actMembers{target: true, value: true}, true
	case OpExtend:
		return actMembers{target: true, due: true, reason: true}, true
	case OpSuspend:
		return actMembers{target: true, until: true, reason: true}, true
	case OpDispute, OpWaive, OpCancel:
		return actMembers{target: true, reason: true}, true
	case OpTransfer:
		return actMembers{target: true, to: true}, true
	}
	return actMembers{}, false
}

// check refuses an act with a member too many or too few. The trigger is the
// identifier prefix that of may carry.
func (a Act) check(trigger string) error {
	m, known := membersOf(a.Op)
	if !known {
		return fmt.Errorf("op: unknown")
	}
	given := actMembers{m.target, a.Due != 0, a.Reason != "", a.To != "", a.Until != 0, a.Value != ""}
	if given != m {
		return fmt.Errorf("%s: a member is missing or does not belong to it", a.Op)
	}
	if a.Due < 0 || a.Until < 0 {
		return fmt.Errorf("%s: due or until is out of range", a.Op)
	}
	return cmp.Or(
		a.checkTarget(m.target, trigger),
		optionalCode("reason", a.Reason),
		optionalID("to", a.To, statement.Desk),
		optionalCode("value", a.Value),
	)
}

// checkTarget wants id alone, or of with rule; a declaration has a rule alone.
func (a Act) checkTarget(wanted bool, trigger string) error {
	switch {
	case !wanted && a.ID == "" && a.Of == "":
		return statement.CheckCode("rule", a.Rule)
	case wanted && a.ID != "" && a.Of == "" && a.Rule == "":
		return statement.CheckID("id", a.ID, statement.Obligation)
	case wanted && a.ID == "" && a.Of != "":
		return cmp.Or(statement.CheckID("of", a.Of, trigger), statement.CheckCode("rule", a.Rule))
	}
	return fmt.Errorf("%s: the target is either id, or of with rule", a.Op)
}
