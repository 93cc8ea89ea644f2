package directory

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/odziv/odziv/internal/statement"
)

// MaxLeaf bounds a leaf, in bytes: an entry of a C2SP tlog-tiles bundle carries
// its length in 16 bits.
const MaxLeaf = 65535

// Version is the only version of the format.
const Version = 1

// Head is what every statement starts with. [State.Prepare] fills it.
type Head struct {
	At   int64  `json:"at"`   // claimed time of signing, ms since 1970 UTC
	DirN int64  `json:"dirn"` // leaves in the directory that the signers saw
	Prev string `json:"prev"` // hex SHA-256 of the previous leaf about the subject, or ""
	T    string `json:"t"`    // kind of statement
	V    int64  `json:"v"`    // Version
}

func (h *Head) head() *Head { return h }

// A Body is one statement: a pointer to one of the struct types of this package
// that embed [Head], such as *[OfficerEnrol].
type Body interface {
	// Subject is whom or what the statement is about; the statements about one
	// subject form a chain through prev.
	Subject() string

	head() *Head
	kind() string
	// check holds the members against the format, without a directory.
	check() error
	// admit holds the statement against the directory before it and says who
	// must sign.
	admit(v View) ([]Group, error)
	// enact writes its effect. It cannot fail.
	enact(c *change)
}

// bodies makes an empty body for every kind of statement.
var bodies = map[string]func() Body{
	"genesis":            func() Body { return new(Genesis) },
	"policy":             func() Body { return new(Policy) },
	"delegate.revoke":    func() Body { return new(DelegateRevoke) },
	"inst.join":          func() Body { return new(InstJoin) },
	"inst.profile":       func() Body { return new(InstProfile) },
	"inst.root":          func() Body { return new(InstRoot) },
	"inst.registrars":    func() Body { return new(InstRegistrars) },
	"inst.custodians":    func() Body { return new(InstCustodians) },
	"inst.observer":      func() Body { return new(InstObserver) },
	"pack.adopt":         func() Body { return new(PackAdopt) },
	"calendar.day":       func() Body { return new(CalendarDay) },
	"audit.grant":        func() Body { return new(AuditGrant) },
	"officer.enrol":      func() Body { return new(OfficerEnrol) },
	"officer.revoke":     func() Body { return new(OfficerRevoke) },
	"card":               func() Body { return new(Card) },
	"desk.profile":       func() Body { return new(DeskProfile) },
	"desk.members":       func() Body { return new(DeskMembers) },
	"desk.rota":          func() Body { return new(DeskRota) },
	"desk.epoch":         func() Body { return new(DeskEpoch) },
	"desk.epoch.ack":     func() Body { return new(DeskEpochAck) },
	"desk.epoch.dispute": func() Body { return new(DeskEpochDispute) },
}

// Signed is a decoded leaf. Its signatures are not verified yet: that needs the
// directory before it, see [State.Apply].
type Signed struct {
	DSSE    *statement.DSSE
	Body    Body
	Type    string // kind of statement, such as "officer.enrol"
	Subject string
	Head    Head
	Hash    string // hex SHA-256 of the leaf, the prev of its successor
}

// Decode reads a leaf: the canonical JSON of a DSSE of type
// statement.TypeDirectory, at most [MaxLeaf] bytes, around a payload in the one
// canonical spelling of one of the statements. Errors wrap [ErrMalformed].
func Decode(leaf []byte) (*Signed, error) {
	if len(leaf) > MaxLeaf {
		return nil, malformed("leaf of %d bytes, at most %d", len(leaf), MaxLeaf)
	}
	d, err := statement.ParseDSSE(leaf)
	if err != nil {
		return nil, malformed("leaf: %w", err)
	}
	body, err := decodeDSSE(d)
	if err != nil {
		return nil, err
	}
	return &Signed{
		DSSE:    d,
		Body:    body,
		Type:    body.kind(),
		Subject: body.Subject(),
		Head:    *body.head(),
		Hash:    LeafHash(leaf),
	}, nil
}

func decodeDSSE(d *statement.DSSE) (Body, error) {
	if d.PayloadType != statement.TypeDirectory {
		return nil, malformed("payload type %q, want %q", clip(d.PayloadType), statement.TypeDirectory)
	}
	return DecodePayload(d.Payload)
}

// DecodePayload reads the payload of a statement that still waits for
// signatures. Errors wrap [ErrMalformed].
func DecodePayload(payload []byte) (Body, error) {
	if len(payload) > statement.MaxSize {
		return nil, malformed("payload of %d bytes, at most %d", len(payload), statement.MaxSize)
	}
	var kind struct {
		T string `json:"t"`
	}
	if err := json.Unmarshal(payload, &kind); err != nil {
		return nil, malformed("payload: %w", err)
	}
	empty, ok := bodies[kind.T]
	if !ok {
		return nil, malformed("t: %q is no kind of directory statement", clip(kind.T))
	}
	body := empty()
	if err := statement.Unmarshal(payload, body); err != nil {
		return nil, malformed("%s: %w", kind.T, err)
	}
	if err := checkBody(body); err != nil {
		return nil, err
	}
	return body, nil
}

// checkBody holds a body against its format.
func checkBody(b Body) error {
	if err := b.head().check(b.kind()); err != nil {
		return malformed("%s: %w", b.kind(), err)
	}
	if err := b.check(); err != nil {
		return malformed("%s: %w", b.kind(), err)
	}
	return nil
}

func (h *Head) check(kind string) error {
	switch {
	case h.T != kind:
		return fmt.Errorf("t: %q, want %q", clip(h.T), kind)
	case h.V != Version:
		return fmt.Errorf("v: %d, this program reads %d", h.V, Version)
	case h.DirN < 0 || (h.DirN == 0) != (kind == "genesis"):
		return fmt.Errorf("dirn: %d, genesis alone has 0", h.DirN)
	case h.Prev != "" && !statement.IsHash(h.Prev):
		return fmt.Errorf("prev: %q is neither a hash nor empty", clip(h.Prev))
	}
	return checkTime("at", h.At)
}

// Payload returns the canonical payload of a statement whose head is complete,
// at most statement.MaxSize bytes. It fills nothing; [State.Prepare] does.
func Payload(b Body) ([]byte, error) {
	if err := checkBody(b); err != nil {
		return nil, err
	}
	payload, err := statement.Marshal(b)
	if err != nil {
		return nil, malformed("%s: %w (an empty list is []T{}, never nil)", b.kind(), err)
	}
	if len(payload) > statement.MaxSize {
		return nil, malformed("%s: payload of %d bytes, at most %d", b.kind(), len(payload), statement.MaxSize)
	}
	return payload, nil
}

// Leaf returns the bytes that a signed statement adds to the ledger.
func Leaf(d *statement.DSSE) ([]byte, error) {
	leaf, err := d.Encode()
	if err != nil {
		return nil, malformed("leaf: %w", err)
	}
	if len(leaf) > MaxLeaf {
		return nil, malformed("leaf of %d bytes, at most %d", len(leaf), MaxLeaf)
	}
	return leaf, nil
}

// LeafHash is the hex SHA-256 of a leaf, as prev names it. (The ledger's own leaf
// hash, RFC 6962, puts a zero byte before.)
func LeafHash(leaf []byte) string {
	sum := sha256.Sum256(leaf)
	return hex.EncodeToString(sum[:])
}

// malformed is fmt.Errorf that wraps ErrMalformed too.
func malformed(format string, args ...any) error { return ruled(ErrMalformed, format, args...) }

// ruled is fmt.Errorf that also names the rule that failed.
func ruled(rule error, format string, args ...any) error {
	return fmt.Errorf("directory: %w: %w", rule, fmt.Errorf(format, args...))
}
