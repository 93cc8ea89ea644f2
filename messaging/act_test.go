package messaging

import (
	"fmt"
	"testing"
)

// TestActMembers runs every operation with every combination of members and
// compares with the table of FORMAT.md, spelled a second time.
func TestActMembers(t *testing.T) {
	target := Act{ID: obligationA}
	want := map[string]Act{
		OpDeclare:  {Rule: "rule"},
		OpAck:      target,
		OpInterim:  with(target, Act{Value: "known"}),
		OpFulfil:   with(target, Act{Value: "known"}),
		OpExtend:   with(target, Act{Due: 1, Reason: "reason"}),
		OpSuspend:  with(target, Act{Until: 1, Reason: "reason"}),
		OpDispute:  with(target, Act{Reason: "reason"}),
		OpWaive:    with(target, Act{Reason: "reason"}),
		OpCancel:   with(target, Act{Reason: "reason"}),
		OpTransfer: with(target, Act{To: deskB}),
		"reopen":   {},
		"":         {},
	}
	for op, right := range want {
		right.Op = op
		accepted := 0
		for bits := range 1 << 8 {
			a := actOf(op, bits)
			err := a.check("m")
			if err == nil {
				accepted++
			}
			ofRight := a == right || a == ofForm(right)
			if known := op != "reopen" && op != ""; (err == nil) != (known && ofRight) {
				t.Errorf("%+v: %v", a, err)
			}
		}
		if wantAccepted := map[bool]int{true: 1, false: 2}[op == OpDeclare]; op != "" && op != "reopen" && accepted != wantAccepted {
			t.Errorf("%s: %d combinations accepted, want %d", op, accepted, wantAccepted)
		}
	}
}

func with(a, b Act) Act {
	b.ID = a.ID
	return b
}

// ofForm is the same act on a duty named by its trigger.
func ofForm(a Act) Act {
	if a.ID == "" {
		return a
	}
	a.ID, a.Of, a.Rule = "", msgA, "rule"
	return a
}

// actOf sets the members whose bits are set.
func actOf(op string, bits int) Act {
	a := Act{Op: op}
	for i, set := range []func(){
		func() { a.ID = obligationA },
		func() { a.Of = msgA },
		func() { a.Rule = "rule" },
		func() { a.Due = 1 },
		func() { a.Reason = "reason" },
		func() { a.Until = 1 },
		func() { a.Value = "known" },
		func() { a.To = deskB },
	} {
		if bits&(1<<i) != 0 {
			set()
		}
	}
	return a
}

func TestActValues(t *testing.T) {
	for _, a := range []Act{
		{Op: OpDeclare, Rule: "Rule"},
		{Op: OpAck, ID: msgA},
		{Op: OpAck, Of: obligationA, Rule: "rule"},
		{Op: OpAck, Of: msgA, Rule: "ru_le"},
		{Op: OpFulfil, ID: obligationA, Value: "no_data"},
		{Op: OpExtend, ID: obligationA, Due: -1, Reason: "reason"},
		{Op: OpSuspend, ID: obligationA, Until: -1, Reason: "reason"},
		{Op: OpWaive, ID: obligationA, Reason: "a reason"},
		{Op: OpTransfer, ID: obligationA, To: id("i", 'i')},
	} {
		t.Run(fmt.Sprint(a.Op), func(t *testing.T) {
			if a.check("m") == nil {
				t.Errorf("accepts %+v", a)
			}
		})
	}
}
