package office

import (
	"context"
	"encoding/hex"

	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
)

// Waiting is what became of a statement: on record, or waiting for a second
// signature under Digest.
type Waiting struct {
	Item   *evidence.Item
	Digest string
	DSSE   *statement.DSSE
}

// RecordConsent signs a consent act and submits it. The head of st is filled in
// here; everything else is the recorder's. Where the pack wants a second
// person, the statement waits for them.
func (o *Office) RecordConsent(ctx context.Context, desk, packFamily string, act consent.Act, st consent.Statement) (Waiting, error) {
	if err := o.Sync(ctx); err != nil {
		return Waiting{}, err
	}
	pack, err := o.Pack(packFamily)
	if err != nil {
		return Waiting{}, err
	}
	if st.ID == "" {
		st.ID = statement.NewID(statement.Consent)
	}
	occurred := st.Occurred
	st.Head = o.head(desk, act.Event(), st.ID, st.Case, pack)
	st.Occurred = occurred
	if err := st.Check(pack); err != nil {
		return Waiting{}, &Refused{Code: "consent", Detail: err.Error()}
	}
	payloadType, payload, err := st.Encode()
	if err != nil {
		return Waiting{}, err
	}
	d, err := statement.Sign(ctx, payloadType, payload, o.Keys.Signer())
	if err != nil {
		return Waiting{}, err
	}
	raw, err := d.Encode()
	if err != nil {
		return Waiting{}, err
	}
	item, err := o.Client.PutConsent(ctx, st.ID, st.Ver, raw)
	if IsCode(err, "signatures") {
		return o.wait(ctx, d)
	}
	if err == nil {
		o.wrote(item)
	}
	return Waiting{Item: &item, DSSE: d}, err
}

// wait leaves a statement for the second person.
func (o *Office) wait(ctx context.Context, d *statement.DSSE) (Waiting, error) {
	sum := d.Digest()
	digest := hex.EncodeToString(sum[:])
	answer, err := o.putPending(ctx, digest, d)
	if err != nil {
		return Waiting{}, err
	}
	return Waiting{Item: answer.Item, Digest: digest, DSSE: d}, nil
}

// Pending lists what waits for a second signature and concerns the desk.
func (o *Office) Pending(ctx context.Context, desk string) ([]wire.Pending, error) {
	return o.Client.Pending(ctx, desk)
}

// Cosign adds this officer's signature to a waiting statement. The officer has
// read it: the caller shows d before.
func (o *Office) Cosign(ctx context.Context, d *statement.DSSE) (wire.PendingAnswer, error) {
	signed := *d
	signed.Signatures = append([]statement.Signature{}, d.Signatures...)
	if err := signed.AddSignature(ctx, o.Keys.Signer()); err != nil {
		return wire.PendingAnswer{}, err
	}
	sum := signed.Digest()
	return o.putPending(ctx, hex.EncodeToString(sum[:]), &signed)
}

func (o *Office) putPending(ctx context.Context, digest string, d *statement.DSSE) (wire.PendingAnswer, error) {
	raw, err := d.Encode()
	if err != nil {
		return wire.PendingAnswer{}, err
	}
	answer, err := o.Client.PutPending(ctx, digest, raw)
	if err == nil && answer.Item != nil {
		o.wrote(*answer.Item)
	}
	if err == nil && answer.Entry != nil {
		o.laid(answer.Entry.Idx, digest)
	}
	return answer, err
}

// Records gathers the consent records that a desk's feed, and the time before a
// grant, let it see.
func (o *Office) Records(ctx context.Context, desk string) ([]*consent.Record, error) {
	items, err := o.Seen(ctx, desk)
	if err != nil {
		return nil, err
	}
	byID := map[string]*consent.Record{}
	var order []*consent.Record
	for _, f := range items {
		if f.M == nil || f.P.Stmt == nil {
			continue
		}
		st, err := consent.Parse(f.P.Stmt)
		if err != nil {
			continue // another kind of statement
		}
		r, ok := byID[st.ID]
		if !ok {
			r = &consent.Record{ID: st.ID}
			byID[st.ID] = r
			order = append(order, r)
		}
		r.Versions = append(r.Versions, consent.Recorded(st, f.Idx, f.M.At))
	}
	return order, nil
}

// Seen is everything a desk may read of the record: its feed, and for a
// representative also what each grant handed over. In ledger order.
func (o *Office) Seen(ctx context.Context, desk string) ([]FeedItem, error) {
	items, err := o.Feed(ctx, desk, 0)
	if err != nil {
		return nil, err
	}
	have := map[int64]bool{}
	for _, f := range items {
		have[f.Idx] = true
	}
	for _, f := range items {
		if f.M == nil || f.M.Ev != evidence.RepGrant {
			continue
		}
		grant, err := evidence.ParseGrant(f.P.Stmt)
		if err != nil || grant.Desk != desk {
			continue
		}
		before, err := o.GrantFeed(ctx, desk, grant.ID, f.P.Hist)
		if IsCode(err, "grant_ended") {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, b := range before {
			if !have[b.Idx] {
				have[b.Idx] = true
				items = append(items, b)
			}
		}
	}
	sortByIndex(items)
	return items, nil
}
