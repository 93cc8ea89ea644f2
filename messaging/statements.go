package messaging

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"

	"github.com/odziv/odziv/internal/statement"
)

// Events of the statements this package defines. The payload type of each is
// [statement.TypeOfEvent] of its event.
const (
	EvRetrieved     = "message.retrieved"
	EvDecrypted     = "message.decrypted"
	EvDecryptFailed = "message.decrypt_failed"
	EvFactMismatch  = "fact.mismatch"
	EvAttested      = "attested"
	EvCaseLink      = "case.link"
)

// Statement is a signed statement about messages: one of the types below.
type Statement interface {
	// Header is what every evidence statement carries.
	Header() *statement.Head
	// Check refuses a malformed member.
	Check() error
}

// Retrieved is signed by an officer of a recipient desk before the server
// releases any blob of the message.
type Retrieved struct {
	statement.Head
	Desk string `json:"desk"`
	Env  string `json:"env"` // hex SHA-256 of the canonical DSSE
	Msg  string `json:"msg"`
}

// Decrypted proves that the desk opened the body: only then is Secret known.
type Decrypted struct {
	statement.Head
	Desk   string `json:"desk"`
	Msg    string `json:"msg"`
	Secret []byte `json:"secret"` // s_d, 32 bytes; see AckSecret
}

// DecryptFailed says that the desk could not open what the sender signed.
type DecryptFailed struct {
	statement.Head
	Code string `json:"code"` // one of the Fail constants
	Desk string `json:"desk"`
	Msg  string `json:"msg"`
}

// FactMismatch says that what the sender made visible differs from what the
// recipient computed from the body: fact codes, and rules declared or not.
type FactMismatch struct {
	statement.Head
	Desk  string   `json:"desk"`
	Facts []string `json:"facts"`
	Msg   string   `json:"msg"`
	Rules []string `json:"rules"`
}

// CaseLink says that several case handles are one matter to its signer.
type CaseLink struct {
	statement.Head
	Cases []string `json:"cases"`
}

// Codes of [DecryptFailed]: what in the sealed message does not hold.
const (
	FailDigest     = "digest"     // ciphertext differs from the signed length or digest
	FailHeader     = "header"     // not an age header within bounds, or its MAC is wrong
	FailStanzas    = "stanzas"    // not exactly one stanza of the one type per recipient
	FailKey        = "key"        // no stanza opens with the epoch key the message names
	FailPayload    = "payload"    // truncated or altered after the header, or wrongly padded
	FailManifest   = "manifest"   // not a well-formed manifest
	FailCore       = "core"       // the sealed core is not the signed core
	FailAck        = "ack"        // a commitment in core.to does not follow from rs
	FailAttachment = "attachment" // an attachment is not what the manifest says
)

func isFailure(code string) bool {
	switch code {
	case FailDigest, FailHeader, FailStanzas, FailKey, FailPayload, FailManifest, FailCore, FailAck, FailAttachment:
		return true
	}
	return false
}

// Header implements [Statement].
func (s *Retrieved) Header() *statement.Head     { return &s.Head }
func (s *Decrypted) Header() *statement.Head     { return &s.Head }
func (s *DecryptFailed) Header() *statement.Head { return &s.Head }
func (s *FactMismatch) Header() *statement.Head  { return &s.Head }
func (s *Attested) Header() *statement.Head      { return &s.Head }
func (s *CaseLink) Header() *statement.Head      { return &s.Head }

// Check implements [Statement].
func (s *Retrieved) Check() error {
	if !statement.IsHash(s.Env) {
		return fmt.Errorf("env: not the hex of 32 bytes")
	}
	return checkReceipt(&s.Head, EvRetrieved, s.Msg, s.Desk)
}

// Check implements [Statement]. Whether Secret is the right one shows
// [Core.CheckAck].
func (s *Decrypted) Check() error {
	if len(s.Secret) != sha256.Size {
		return fmt.Errorf("secret: %d bytes, want %d", len(s.Secret), sha256.Size)
	}
	return checkReceipt(&s.Head, EvDecrypted, s.Msg, s.Desk)
}

// Check implements [Statement].
func (s *DecryptFailed) Check() error {
	if !isFailure(s.Code) {
		return fmt.Errorf("code: not a known failure")
	}
	return checkReceipt(&s.Head, EvDecryptFailed, s.Msg, s.Desk)
}

// Check implements [Statement].
func (s *FactMismatch) Check() error {
	if len(s.Facts) > MaxFacts || len(s.Rules) > MaxActs || len(s.Facts)+len(s.Rules) == 0 {
		return fmt.Errorf("facts, rules: none, or more than %d and %d", MaxFacts, MaxActs)
	}
	if err := distinctCodes("facts", s.Facts); err != nil {
		return err
	}
	if err := distinctCodes("rules", s.Rules); err != nil {
		return err
	}
	return checkReceipt(&s.Head, EvFactMismatch, s.Msg, s.Desk)
}

// Check implements [Statement].
func (s *CaseLink) Check() error {
	if len(s.Cases) < 2 || len(s.Cases) > MaxCases {
		return fmt.Errorf("cases: %d, not 2 to %d", len(s.Cases), MaxCases)
	}
	if err := distinctIDs("cases", s.Cases, statement.Case); err != nil {
		return err
	}
	return checkHead(&s.Head, EvCaseLink)
}

// checkReceipt is what the statements of a recipient desk share: its own
// officer signs for it.
func checkReceipt(h *statement.Head, ev, msg, desk string) error {
	if err := statement.CheckID("msg", msg, statement.Message); err != nil {
		return err
	}
	if desk != h.By.Desk {
		return fmt.Errorf("desk: not the desk the signer acts for")
	}
	return checkHead(h, ev)
}

func checkHead(h *statement.Head, ev string) error {
	if h.Ev != ev {
		return fmt.Errorf("ev: not %s", ev)
	}
	return h.Check(statement.Other)
}

// ParseStatement reads a statement of this package strictly; its payload type
// tells which. It demands exactly one signature, whose key id is by.key, and
// verifies none: see [VerifyStatement].
func ParseStatement(d *statement.DSSE) (Statement, error) {
	if d == nil {
		return nil, fmt.Errorf("messaging: no statement")
	}
	ev, _ := statement.EventOfType(d.PayloadType)
	s := blank(ev)
	if s == nil {
		return nil, fmt.Errorf("messaging: not a payload type of this package")
	}
	if err := decode(d, statement.TypeOfEvent(ev), s); err != nil {
		return nil, fmt.Errorf("messaging: %s: %w", ev, err)
	}
	if err := s.Check(); err != nil {
		return nil, fmt.Errorf("messaging: %s: %w", ev, err)
	}
	if err := signedOnceBy(d, s.Header().By.Key); err != nil {
		return nil, fmt.Errorf("messaging: %s: %w", ev, err)
	}
	return s, nil
}

// blank returns an empty statement of the event, or nil.
func blank(ev string) Statement {
	switch ev {
	case EvRetrieved:
		return new(Retrieved)
	case EvDecrypted:
		return new(Decrypted)
	case EvDecryptFailed:
		return new(DecryptFailed)
	case EvFactMismatch:
		return new(FactMismatch)
	case EvAttested:
		return new(Attested)
	case EvCaseLink:
		return new(CaseLink)
	}
	return nil
}

// VerifyStatement checks the one signature of a parsed statement under the
// signer's public key. The error wraps [statement.ErrSignature].
func VerifyStatement(d *statement.DSSE, s Statement, signer ed25519.PublicKey) error {
	return verify(d, s.Header().By.Key, signer)
}
