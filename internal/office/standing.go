package office

import (
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// StandingOf says how far others vouch for an entry of the evidence tree that
// this program verified to stand in it, "" for one that it did not.
func (o *Office) StandingOf(idx int64) ledger.Standing {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, ok := o.Notebook.verifiedLeaf(idx); !ok {
		return ""
	}
	return o.standingOf(idx)
}

// DeskStanding says how far others vouch for what the directory says of a desk:
// its members, their keys and its own.
func (o *Office) DeskStanding(desk string) ledger.Standing {
	o.mu.Lock()
	r := o.held
	o.mu.Unlock()
	if !sameDesk(r.state.View, r.state.At(r.vouched), desk) {
		return ledger.Provisional
	}
	return countedStanding(r)
}

// countedStanding is the standing of what counts of a directory.
func countedStanding(r replica) ledger.Standing {
	n := max(1, r.vouched)
	if asked(between(r.charters, n, n), ledger.Dir) {
		return ledger.Confirmed
	}
	return ledger.Unwitnessed
}

// sameDesk reports whether two views agree on who acts and reads for a desk.
func sameDesk(a, b directory.View, desk string) bool {
	x, ok := a.Desk(desk)
	y, also := b.Desk(desk)
	if !ok || !also || x.Fn != y.Fn || x.NB != y.NB || x.NA != y.NA || len(x.Members) != len(y.Members) {
		return false
	}
	for i, u := range x.Members {
		p, _ := a.Officer(u)
		q, _ := b.Officer(u)
		if y.Members[i] != u || p.KeyID != q.KeyID || p.RevokedN != q.RevokedN || p.EnrolledN != q.EnrolledN {
			return false
		}
	}
	e, _ := a.ActiveEpoch(desk)
	f, _ := b.ActiveEpoch(desk)
	return e.E == f.E && e.RK == f.RK
}
