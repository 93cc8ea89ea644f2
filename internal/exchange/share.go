package exchange

import (
	"errors"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/keys/directory"
)

// RoleDeskKey is the role that may give past keys of a desk to a new member. It is
// given by enrolling an officer's key again, with two registrars: a desk where
// nobody has it is not stuck, and no single registrar opens its past to anybody.
const RoleDeskKey = "desk-key"

// planShare wants a member of the desk with the role desk-key to give epochs that
// exist to another member of the same desk. The keys of a desk serve nobody else:
// its feed and its blobs are released to its members only. The desk sees it, and
// so does the head of its institution.
func (s *section) planShare(p *plan, b *evidence.DeskShare) error {
	if b.Case != "" {
		return refuse(Malformed, "malformed", "keys of a desk belong to no case")
	}
	if b.By.Desk != b.Desk {
		return refuse(Forbidden, "desk", "only a member of the desk gives its keys")
	}
	if granter, _ := s.dir.OfficerByKey(b.By.Key); !granter.HasRole(RoleDeskKey) {
		return refuse(Forbidden, "sender", "giving past keys needs the role %s", RoleDeskKey).
			hint("two registrars enrol a member of the desk with that role; the present key any member renews")
	}
	to, ok := s.dir.Officer(b.Officer)
	if !ok || !to.ActiveAt(s.now) || !s.dir.IsMember(b.Desk, b.Officer) {
		return refuse(Unprocessable, "grant", "whoever gets the keys must be an active member of the desk").
			hint("two registrars make her a member first")
	}
	for _, e := range b.Epochs {
		if _, ok := s.dir.Epoch(b.Desk, e); !ok {
			return refuse(Unprocessable, "unknown", "the desk has no key %d", e)
		}
	}
	if err := s.sharesHere(b.Pkg); err != nil {
		return err
	}
	if head, ok := s.dir.DeskOfInst(b.By.Inst, "head", s.now); ok {
		p.to = append(p.to, head)
	}
	return nil
}

// sharesHere wants every package that a grant names: a grant of what nobody can
// fetch must not enter.
func (s *section) sharesHere(list []evidence.SharedEpoch) error {
	for _, e := range list {
		if _, ok, err := s.tx.Package(s.ctx, e.SHA256); err != nil || !ok {
			return errors.Join(err, refuse(Conflicting, "package_missing", "the package of key %d is not here", e.E).hint("put it to /v1/packages first"))
		}
	}
	return nil
}

// mayFetch reports whether an officer may have a package that the directory
// names: it is hers, and she still is a member of the desk. What it does not name
// was given by a colleague; its digest stands in the desk's feed and nowhere else.
func mayFetch(dir *directory.State, key, sha256 string) bool {
	w, named := dir.WrappedAs(sha256)
	if !named {
		return true
	}
	if w.Key == "" { // an escrow file goes to custodians alone: see [Exchange.EscrowFile]
		return false
	}
	o, ok := dir.OfficerByKey(key)
	return ok && w.Key == key && dir.IsMember(w.D, o.U)
}
