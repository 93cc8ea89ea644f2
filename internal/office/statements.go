package office

import (
	"cmp"
	"context"
	"slices"

	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/messaging"
)

func sortByIndex(items []FeedItem) {
	slices.SortFunc(items, func(a, b FeedItem) int { return cmp.Compare(a.Idx, b.Idx) })
}

// Link says that several case handles are one matter of this institution.
func (o *Office) Link(ctx context.Context, desk, packFamily string, cases []string) (evidence.Item, error) {
	pack, err := o.Pack(packFamily)
	if err != nil {
		return evidence.Item{}, err
	}
	slices.Sort(cases)
	return o.put(ctx, messaging.EvCaseLink, func(id string) any {
		return &messaging.CaseLink{Head: o.head(desk, messaging.EvCaseLink, id, "", pack), Cases: cases}
	})
}

// Attest records an act off the system: a letter by post with proof of service,
// a visit, a paper filed before go-live. The head of a is filled in here, save
// Case and Occurred.
func (o *Office) Attest(ctx context.Context, desk, packFamily string, a messaging.Attested) (evidence.Item, error) {
	pack, err := o.Pack(packFamily)
	if err != nil {
		return evidence.Item{}, err
	}
	occurred, cas := a.Occurred, a.Case
	a.Subj = orEmpty(a.Subj)
	if a.Facts == nil {
		a.Facts = map[string]string{}
	}
	if a.Obl == nil {
		a.Obl = []messaging.Act{}
	}
	return o.put(ctx, messaging.EvAttested, func(id string) any {
		a.Head = o.head(desk, messaging.EvAttested, id, cas, pack)
		a.Occurred = occurred
		for i := range a.Obl {
			if a.Obl[i].Of == "self" {
				a.Obl[i].Of = id
			}
		}
		return &a
	})
}

// Grant lets a representative's desk read a case within a scope. It waits for
// the sponsor's signature.
func (o *Office) Grant(ctx context.Context, desk, packFamily string, g evidence.Grant) (Waiting, error) {
	pack, err := o.Pack(packFamily)
	if err != nil {
		return Waiting{}, err
	}
	cas := g.Case
	g.Head = o.head(desk, evidence.RepGrant, newStatementID(), cas, pack)
	d, err := o.sign(ctx, evidence.RepGrant, &g)
	if err != nil {
		return Waiting{}, err
	}
	return o.wait(ctx, d)
}

// EndGrant ends a grant before its time.
func (o *Office) EndGrant(ctx context.Context, desk, packFamily, grant, reason string) (evidence.Item, error) {
	pack, err := o.Pack(packFamily)
	if err != nil {
		return evidence.Item{}, err
	}
	return o.put(ctx, evidence.RepEnd, func(id string) any {
		return &evidence.GrantEnd{Head: o.head(desk, evidence.RepEnd, id, "", pack), Grant: grant, Reason: reason}
	})
}

// Exclude records a conflict of interest. It takes effect at once, on old
// consents too.
func (o *Office) Exclude(ctx context.Context, desk, packFamily string, c consent.ConflictSet) (evidence.Item, error) {
	pack, err := o.Pack(packFamily)
	if err != nil {
		return evidence.Item{}, err
	}
	cas := c.Case
	return o.put(ctx, consent.EventConflictSet, func(id string) any {
		c.Head = o.head(desk, consent.EventConflictSet, id, cas, pack)
		return &c
	})
}

// Issue records the digest of a document made from the record.
func (o *Office) Issue(ctx context.Context, desk, packFamily, kind, sha256 string) (evidence.Item, error) {
	pack, err := o.Pack(packFamily)
	if err != nil {
		return evidence.Item{}, err
	}
	return o.put(ctx, evidence.DocumentIssued, func(id string) any {
		return &evidence.Document{Head: o.head(desk, evidence.DocumentIssued, id, "", pack), Kind: kind, SHA256: sha256}
	})
}
