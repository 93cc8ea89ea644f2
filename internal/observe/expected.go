package observe

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/transparency"
)

// ErrNoSigner says that the observer's key is not at hand to sign with.
var ErrNoSigner = errors.New("the observer's key is not at hand")

// observerChange is the statement that no list of expected changes names: officers
// look at a change of the observer themselves.
const observerChange = "inst.observer"

// Expected is a list of the statements about the institution that somebody
// accepted here, signed, for the programs of its officers: they need not look at
// these changes themselves. It names the newest if there are more than
// [transparency.MaxExpected].
func (o *Observer) Expected(ctx context.Context, by statement.Signer) ([]byte, error) {
	if by == nil {
		return nil, ErrNoSigner
	}
	a, _, err := o.readAccepted()
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	changes := slices.Clone(o.changes)
	o.mu.Unlock()
	x := transparency.ExpectedList{At: o.Clock(), Genesis: o.Genesis, I: o.Inst}
	for _, c := range changes {
		if a.has(c) && c.Type != observerChange {
			x.Entries = append(x.Entries, transparency.LookedAt{Idx: c.Idx, SHA256: c.Hash})
		}
	}
	return x.Sign(ctx, by)
}

// serveExpected answers officers' programs with the list. It names indexes and
// hashes of entries, which members of the directory have anyway.
func (o *Observer) serveExpected(w http.ResponseWriter, r *http.Request) {
	list, err := o.Expected(r.Context(), o.Signer)
	if err != nil {
		o.Log.Error("the list of expected changes could not be made", "err", err.Error())
		http.Error(w, "not now", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(list) // whoever went away asks again
}
