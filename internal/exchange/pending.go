package exchange

import (
	"context"
	"encoding/hex"
	"slices"

	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
)

// pendingTerm is how long a statement waits for further signatures, in ms.
const pendingTerm = 7 * day

// Pending is a statement that waits: who signed so far, and its exact bytes.
type Pending struct {
	Digest string          `json:"digest"`
	DSSE   *statement.DSSE `json:"dsse"`
	Until  int64           `json:"until"`
}

// PendingAnswer tells a signer whether the statement is complete now, and then
// what was recorded.
type PendingAnswer struct {
	Complete bool           `json:"complete"`
	Entry    *Entry         `json:"entry,omitempty"`
	Item     *evidence.Item `json:"item,omitempty"`
	Signed   []string       `json:"signed"`
}

// PutPending adds the signatures of body to what is held of the same payload.
// When the statement has all it needs it is submitted as usual, under the same
// checks.
func (x *Exchange) PutPending(ctx context.Context, c Caller, digest string, body []byte) (PendingAnswer, error) {
	d, err := x.readPending(c, digest, body)
	if err != nil {
		return PendingAnswer{}, err
	}
	merged, err := x.holdPending(ctx, c, digest, d)
	if err != nil {
		return PendingAnswer{}, err
	}
	answer := PendingAnswer{Signed: signersOf(merged)}
	err = x.tryComplete(ctx, c, digest, merged, &answer)
	if r, ok := AsRefusal(err); ok && r.Code == "signatures" {
		return answer, nil // more must sign
	}
	return answer, err
}

// readPending decodes a statement and verifies the signatures on it, of whom
// one is the caller.
func (x *Exchange) readPending(c Caller, digest string, body []byte) (*statement.DSSE, error) {
	d, err := statement.ParseDSSE(body)
	if err != nil {
		return nil, malformed(err)
	}
	if payloadDigest(d) != digest {
		return nil, refuse(Malformed, "malformed", "the path does not name this statement's payload")
	}
	if len(d.Signatures) == 0 || !slices.Contains(signersOf(d), c.Key) {
		return nil, refuse(Forbidden, "signer", "the statement is not signed by the key that signed the request")
	}
	for _, sig := range d.Signatures {
		key, ok := x.pendingKey(d, sig.KeyID)
		one := &statement.DSSE{Payload: d.Payload, PayloadType: d.PayloadType, Signatures: []statement.Signature{sig}}
		if !ok || one.Verify(key) != nil {
			return nil, refuse(Forbidden, "signer", "a signature is by an unknown key or does not verify")
		}
	}
	return d, x.wanted(d)
}

// wanted refuses a signature that no rule asks for: it would spoil the
// statement for those whose signatures are.
func (x *Exchange) wanted(d *statement.DSSE) error {
	surplus := refuse(Forbidden, "signer", "nobody asked for this signature")
	if d.PayloadType != statement.TypeDirectory {
		if len(d.Signatures) > 2 {
			return surplus
		}
		return nil
	}
	_, _, eligible, err := x.Directory().RequiredSigners(d.Payload)
	if err != nil {
		return directoryRefusal(err)
	}
	for _, id := range signersOf(d) {
		if !slices.Contains(eligible, id) {
			return surplus
		}
	}
	return nil
}

// pendingKey finds a signer's key: in the directory, or, for the keys a
// directory statement itself brings in, among those that must sign it.
func (x *Exchange) pendingKey(d *statement.DSSE, id string) ([]byte, bool) {
	if key, ok := x.Key(id); ok {
		return key, true
	}
	if d.PayloadType != statement.TypeDirectory {
		return nil, false
	}
	groups, err := x.Directory().Requirement(d.Payload)
	if err != nil {
		return nil, false
	}
	for _, g := range groups {
		for _, k := range g.Keys {
			if statement.KeyID(k) == id {
				return k, true
			}
		}
	}
	return nil, false
}

// holdPending merges the signatures with those held, in their own transaction.
func (x *Exchange) holdPending(ctx context.Context, c Caller, digest string, d *statement.DSSE) (*statement.DSSE, error) {
	return submit(ctx, x, c, nil, func(s *section) (*statement.DSSE, error) {
		row, ok, err := s.tx.Pending(s.ctx, digest)
		if err != nil {
			return nil, err
		}
		if !ok || s.now >= row.At+pendingTerm {
			row = PendingRow{Digest: digest, At: s.now}
		} else if d, err = mergeSignatures(row.DSSE, d); err != nil {
			return nil, err
		}
		if err := x.wanted(d); err != nil {
			return nil, err
		}
		if row.DSSE, err = d.Encode(); err != nil {
			return nil, err
		}
		return d, s.tx.PutPending(s.ctx, row)
	})
}

func mergeSignatures(held []byte, d *statement.DSSE) (*statement.DSSE, error) {
	merged, err := statement.ParseDSSE(held)
	if err != nil {
		return nil, err
	}
	have := signersOf(merged)
	for _, sig := range d.Signatures {
		if !slices.Contains(have, sig.KeyID) {
			merged.Signatures = append(merged.Signatures, sig)
		}
	}
	if len(merged.Signatures) > statement.MaxSignatures {
		return nil, refuse(TooLarge, "signatures", "more signatures than any statement needs")
	}
	return merged, nil
}

// tryComplete submits the statement if nothing is missing.
func (x *Exchange) tryComplete(ctx context.Context, c Caller, digest string, d *statement.DSSE, answer *PendingAnswer) error {
	c.Nonce += "+" // a second write within the same request
	body, err := d.Encode()
	if err != nil {
		return err
	}
	if d.PayloadType == statement.TypeDirectory {
		entry, err := x.SubmitDirectory(ctx, c, digest, body)
		if err != nil {
			return err
		}
		answer.Complete, answer.Entry = true, &entry
	} else {
		item, err := x.submitByType(ctx, c, d, body)
		if err != nil {
			return err
		}
		answer.Complete, answer.Item = true, &item
	}
	c.Nonce += "+"
	_, err = submit(ctx, x, c, nil, func(s *section) (bool, error) { return true, s.tx.DropPending(s.ctx, digest) })
	return err
}

func (x *Exchange) submitByType(ctx context.Context, c Caller, d *statement.DSSE, body []byte) (evidence.Item, error) {
	event, _ := statement.EventOfType(d.PayloadType)
	if isConsent(event) {
		st, err := consent.Parse(d)
		if err != nil {
			return evidence.Item{}, malformed(err)
		}
		return x.SubmitConsent(ctx, c, st.ID, st.Ver, body)
	}
	a, err := readAct(d)
	if err != nil {
		return evidence.Item{}, malformed(err)
	}
	return x.SubmitStatement(ctx, c, a.head.ID, body)
}

// PendingFor lists what waits and concerns a desk: what its members signed or
// might sign. Without a desk it lists what the caller's own key signed or may
// sign: registrars, delegates and roots act for none.
func (x *Exchange) PendingFor(ctx context.Context, c Caller, desk string) ([]Pending, error) {
	if err := x.mayAsk(c, desk); err != nil {
		return nil, err
	}
	waiting := []Pending{}
	now := x.Clock.Now()
	err := x.Store.Read(ctx, func(v View) error {
		rows, err := v.PendingAll(ctx)
		if err != nil {
			return err
		}
		for _, row := range rows {
			d, err := statement.ParseDSSE(row.DSSE)
			if err != nil {
				return err
			}
			if now < row.At+pendingTerm && x.concerns(d, c.Key, desk) {
				waiting = append(waiting, Pending{Digest: row.Digest, DSSE: d, Until: row.At + pendingTerm})
			}
		}
		return nil
	})
	return waiting, err
}

func (x *Exchange) mayAsk(c Caller, desk string) error {
	if desk != "" {
		return x.mayAct(c, desk)
	}
	_, err := x.mayCall(c)
	return err
}

// concerns reports whether a waiting statement is this desk's business.
func (x *Exchange) concerns(d *statement.DSSE, key, desk string) bool {
	if slices.Contains(signersOf(d), key) {
		return true
	}
	dir := x.Directory()
	if d.PayloadType == statement.TypeDirectory {
		_, _, eligible, err := dir.RequiredSigners(d.Payload)
		return err == nil && slices.Contains(eligible, key)
	}
	if desk == "" {
		return false
	}
	inst := dir.InstOfDesk(desk)
	if g, err := evidence.ParseGrant(d); err == nil {
		return dir.InstOfDesk(g.Desk) == inst || g.By.Inst == inst
	}
	if st, err := consent.Parse(d); err == nil {
		return st.By.Inst == inst || slices.Contains(st.From, inst)
	}
	a, err := readAct(d)
	return err == nil && a.head.By.Inst == inst
}

func signersOf(d *statement.DSSE) []string {
	ids := make([]string, 0, len(d.Signatures))
	for _, s := range d.Signatures {
		ids = append(ids, s.KeyID)
	}
	return ids
}

func payloadDigest(d *statement.DSSE) string {
	sum := d.Digest()
	return hex.EncodeToString(sum[:])
}
