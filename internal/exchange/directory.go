package exchange

import (
	"context"
	"errors"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// Entry is the answer to a directory statement: where it stands.
type Entry struct {
	Idx int64 `json:"idx"`
}

// SubmitDirectory appends a complete directory statement, or refuses it. The
// same bytes again give the same answer.
func (x *Exchange) SubmitDirectory(ctx context.Context, c Caller, digest string, body []byte) (Entry, error) {
	d, err := x.readDirectory(digest, body)
	if err != nil {
		return Entry{}, err
	}
	if err := x.knownDesk(ctx, d); err != nil {
		return Entry{}, err
	}
	return submit(ctx, x, c, nil, func(s *section) (Entry, error) { return s.appendDirectory(digest, d) })
}

func (x *Exchange) readDirectory(digest string, body []byte) (*statement.DSSE, error) {
	d, err := statement.ParseDSSE(body)
	if err != nil {
		return nil, malformed(err)
	}
	if d.PayloadType != statement.TypeDirectory || payloadDigest(d) != digest {
		return nil, refuse(Malformed, "malformed", "the path does not name this statement's payload")
	}
	return d, nil
}

// knownDesk wants packages, escrow files and key of an epoch to be here first: a
// statement nobody can use must not enter.
func (x *Exchange) knownDesk(ctx context.Context, d *statement.DSSE) error {
	body, err := directory.DecodePayload(d.Payload)
	if err != nil {
		return malformed(err)
	}
	epoch, ok := body.(*directory.DeskEpoch)
	if !ok {
		return nil
	}
	return x.Store.Read(ctx, func(v View) error {
		if _, ok, err := v.RecipientKey(ctx, epoch.RK); err != nil || !ok {
			return errors.Join(err, refuse(Conflicting, "key_missing", "the epoch's key is not here").hint("put it to /v1/keys first"))
		}
		for _, p := range epoch.Pkg {
			if _, ok, err := v.Package(ctx, p.SHA256); err != nil || !ok {
				return errors.Join(err, refuse(Conflicting, "package_missing", "a package of the epoch is not here").hint("put it to /v1/packages first"))
			}
		}
		for _, f := range epoch.Esc {
			if _, ok, err := v.Package(ctx, f.SHA256); err != nil || !ok {
				return errors.Join(err, refuse(Conflicting, "package_missing", "an escrow file of the epoch is not here").hint("put it to /v1/packages first"))
			}
		}
		return nil
	})
}

// appendDirectory applies a statement and appends it to the directory tree.
func (s *section) appendDirectory(digest string, d *statement.DSSE) (Entry, error) {
	have, ok, err := s.tx.Statement(s.ctx, dirKey(digest))
	if err != nil {
		return Entry{}, err
	}
	if ok {
		return Entry{Idx: have.Idx}, nil
	}
	leaf, err := directory.Leaf(d)
	if err != nil {
		return Entry{}, malformed(err)
	}
	if err := s.checkAge(leaf); err != nil {
		return Entry{}, err
	}
	after, err := s.dir.Apply(leaf)
	if err != nil {
		return Entry{}, directoryRefusal(err)
	}
	if err := s.x.signable(s.dir, after); err != nil {
		return Entry{}, err
	}
	idx, err := s.log[ledger.Dir].Append(leaf)
	if err != nil {
		return Entry{}, err
	}
	s.dir = after
	return Entry{Idx: idx}, s.tx.PutStatement(s.ctx, StatementRow{ID: dirKey(digest), Digest: digest, Idx: idx})
}

// checkAge refuses a statement that was signed longer ago than one may wait for
// signatures: nobody expects it any more.
func (s *section) checkAge(leaf []byte) error {
	signed, err := directory.Decode(leaf)
	if err != nil {
		return directoryRefusal(err)
	}
	if at := signed.Head.At; at < s.now-pendingTerm || at > s.now+createdWindow {
		return refuse(Unprocessable, "created", "the statement's time is too far from the exchange's").
			hint("prepare and sign it again")
	}
	return nil
}

// dirKey is the natural id of a directory statement.
func dirKey(digest string) string { return "dir/" + digest }

// directoryRefusal says which rule of the directory a statement breaks.
func directoryRefusal(err error) error {
	for _, r := range []struct {
		is    error
		class Class
		code  string
		hint  string
	}{
		{directory.ErrSigners, Forbidden, "signatures", "let the others sign: put it to /v1/pending"},
		{directory.ErrPrev, Conflicting, "prev", "synchronise the directory, prepare and sign again"},
		{directory.ErrDirn, Conflicting, "prev", "synchronise the directory, prepare and sign again"},
		{directory.ErrUnknown, Unprocessable, "unknown", "check the ids it names"},
		{directory.ErrConflict, Conflicting, "conflict", "synchronise the directory and look at: odziv directory"},
		{directory.ErrForeign, Forbidden, "foreign", "an institution speaks for itself only"},
		{directory.ErrCover, Unprocessable, "cover", "wrap the key for exactly the desk's active members"},
		{directory.ErrMalformed, Malformed, "malformed", "see keys/directory/FORMAT.md"},
	} {
		if errors.Is(err, r.is) {
			return refuse(r.class, r.code, "%v", err).hint("%s", r.hint)
		}
	}
	return err
}
