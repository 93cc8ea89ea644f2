package consent

import (
	"fmt"
	"slices"
	"strings"

	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/messaging"
)

// Book is what is on record. The caller answers under the lock under which the
// message will be stored, so that no withdrawal comes between. An error is a
// failure of storage, never a "no".
type Book interface {
	// Record returns the consent with this ID; false if there is none.
	Record(id string) (*Record, bool, error)
	// Excluded reports whether who (a person or a desk) is excluded for subj.
	Excluded(who, subj string, now int64) (bool, error)
	// Same reports whether two case handles are equal or linked.
	Same(caseA, caseB string) (bool, error)
}

// Party is a desk, its institution and the type it counts as.
type Party struct {
	Desk string
	Inst string
	Type string
}

// Request is what is asked of [Decide] about one message. To leaves out the
// sender's own copy. Its limits are those of a parsed message.
type Request struct {
	Kind  string
	Basis messaging.Basis
	Case  string
	Cats  []string
	Subj  []string
	From  Party
	To    []Party
}

// Ref names a version and its leaf.
type Ref struct {
	ID  string
	Ver int
	Idx int64
}

// Decision is the answer: to permit, or to refuse with exactly one code.
// Desk is the recipient it fails for (of several the one with the lowest ID),
// Detail names identifiers and codes for the sender. Used lists the consents
// relied on, by ID, when Allow is set.
type Decision struct {
	Allow  bool
	Code   string
	Desk   string
	Detail string
	Used   []Ref
}

// Codes of a refusal. The consent codes stand in the order in which conditions
// are tested: a later one is nearer to being allowed.
const (
	CodeBasis    = "basis"
	CodeExcluded = "excluded"

	CodeSubject   = "consent_subject"
	CodeVersion   = "consent_version"
	CodeStatus    = "consent_status"
	CodeCase      = "consent_case"
	CodeSender    = "consent_sender"
	CodeRecipient = "consent_recipient"
	CodePurpose   = "consent_purpose"
	CodeCategory  = "consent_category"
	CodeTime      = "consent_time"
	CodeGrantor   = "consent_grantor"
)

// Codes lists every code a refusal can carry.
func Codes() []string {
	return append([]string{CodeBasis, CodeExcluded}, stages[:]...)
}

// Decide answers whether a message may go at now (ms): the matrix, what the
// basis must name, excluded recipients, and for the basis consent the
// predicate. An error is a failure of the book, or a request beyond the limits.
func Decide(book Book, pack *rules.Pack, req Request, now int64) (Decision, error) {
	d, err := DecideBasis(book, pack, req, now)
	if err != nil || !d.Allow || !NeedsConsent(pack, req.Basis.Code) {
		return d, err
	}
	return DecideConsent(book, req, now)
}

// NeedsConsent reports whether messages on this basis stand on consents, so
// that [DecideConsent] must be asked as well.
func NeedsConsent(pack *rules.Pack, basis string) bool {
	b, ok := pack.Basis(basis)
	return ok && b.Consent
}

// DecideBasis is the first half of [Decide]: the matrix, what the basis must
// name, and excluded recipients.
func DecideBasis(book Book, pack *rules.Pack, req Request, now int64) (Decision, error) {
	if err := req.bounded(); err != nil {
		return Decision{}, err
	}
	to := byDesk(req.To)
	basis, known := pack.Basis(req.Basis.Code)
	if !known {
		return refused(CodeBasis, first(to), "the pack does not know this basis"), nil
	}
	for _, t := range to {
		if !slices.Contains(pack.Allowed(req.Kind, req.From.Type, t.Type), basis.Code) {
			return refused(CodeBasis, t.Desk, fmt.Sprintf("%s: %s to %s is not permitted on %s", req.Kind, req.From.Type, t.Type, basis.Code)), nil
		}
	}
	if missing := incomplete(pack, basis, req.Basis); missing != "" {
		return refused(CodeBasis, first(to), missing), nil
	}
	for _, t := range to {
		for _, s := range sorted(req.Subj) {
			out, err := book.Excluded(t.Desk, s, now)
			if err != nil {
				return Decision{}, fmt.Errorf("consent: exclusions: %w", err)
			}
			if out {
				return refused(CodeExcluded, t.Desk, s), nil
			}
		}
	}
	return Decision{Allow: true}, nil
}

// incomplete says what a basis fails to name, or names without ground.
func incomplete(pack *rules.Pack, rule *rules.Basis, b messaging.Basis) string {
	switch {
	case rule.Ref && strings.TrimSpace(b.Ref) == "":
		return "ref is required"
	case rule.Necessity && b.Necessity == "":
		return "necessity is required"
	case !rule.Consent && len(b.Consents) > 0:
		return "consents belong to a basis of consent alone"
	}
	if _, ok := pack.ReasonFor(b.Necessity, "necessity"); b.Necessity != "" && !ok {
		return "necessity is not a reason of the pack"
	}
	return ""
}

func (r *Request) bounded() error {
	switch {
	case len(r.To) > messaging.MaxRecipients:
		return fmt.Errorf("consent: %d recipients, at most %d", len(r.To), messaging.MaxRecipients)
	case len(r.Subj) > messaging.MaxSubjects:
		return fmt.Errorf("consent: %d persons, at most %d", len(r.Subj), messaging.MaxSubjects)
	case len(r.Cats) > messaging.MaxCategories:
		return fmt.Errorf("consent: %d categories, at most %d", len(r.Cats), messaging.MaxCategories)
	case len(r.Basis.Consents) > messaging.MaxConsents:
		return fmt.Errorf("consent: %d consents, at most %d", len(r.Basis.Consents), messaging.MaxConsents)
	}
	return nil
}

func refused(code, desk, detail string) Decision {
	return Decision{Code: code, Desk: desk, Detail: detail}
}

func byDesk(to []Party) []Party {
	out := slices.Clone(to)
	slices.SortFunc(out, func(a, b Party) int { return strings.Compare(a.Desk, b.Desk) })
	return out
}

func sorted(values []string) []string {
	out := slices.Clone(values)
	slices.Sort(out)
	return out
}

func first(to []Party) string {
	if len(to) == 0 {
		return ""
	}
	return to[0].Desk
}
