package consent

import (
	"fmt"

	"github.com/odziv/odziv/internal/statement"
)

// Limits of one statement, in members of an array (FORMAT.md §1).
const (
	MaxParties  = 32 // from, to and onward, each
	MaxPurposes = 16
	MaxCats     = 16
	MaxTold     = 16
)

// maxVer bounds a version number far beyond any record.
const maxVer = 1 << 20

// Statement is the payload of every signed consent.<act>: a head (its ID is the
// consent's, k_…) and the whole record as it stands from this version on.
type Statement struct {
	statement.Head
	Age        string   `json:"age"` // age band
	Cats       []string `json:"cats"`
	Channel    string   `json:"channel"`
	Doc        string   `json:"doc,omitempty"`  // hex SHA-256 of the paper or recording
	Form       string   `json:"form,omitempty"` // absent only where nothing was answered
	From       []string `json:"from"`           // institutions that may send under it
	Grantor    Grantor  `json:"grantor"`
	Interp     string   `json:"interp"`
	Lang       string   `json:"lang"`
	Method     string   `json:"method,omitempty"` // as form
	NA         int64    `json:"na"`               // valid until, exclusive; ms
	NB         int64    `json:"nb"`               // valid from, inclusive; ms
	Onward     []string `json:"onward"`           // to whom recipients may pass on
	Opinion    string   `json:"opinion,omitempty"`
	Prev       int      `json:"prev"` // version before, 0 for the first
	Purposes   []string `json:"purposes"`
	Subj       string   `json:"subj"` // the person, p_…
	Text       Text     `json:"text"`
	To         []string `json:"to"` // institutions and desks that may receive
	Told       []string `json:"told"`
	Understood bool     `json:"understood"`
	Ver        int      `json:"ver"`
}

// Grantor is who decides: the person (relation "self") or another.
type Grantor struct {
	H   string `json:"h"`
	Rel string `json:"rel"`
}

// Self is the relation of a person who decides alone.
const Self = "self"

// Text names the explanation that was read to the person.
type Text struct {
	SHA256 string `json:"sha256"`
	Ver    int    `json:"ver"`
}

// Act returns what s records. It is "" for a statement that [Parse] would refuse.
func (s *Statement) Act() Act {
	a, _ := ActOf(s.Ev)
	return a
}

// Moment is when the person acted, as far as the recorder claims: occurred, or
// at. In ms.
func (s *Statement) Moment() int64 {
	if s.Occurred != 0 {
		return s.Occurred
	}
	return s.At
}

// Parse decodes the payload of a signed consent statement. It is strict about
// every byte and verifies no signature; [Statement.Check] holds it against a
// rule pack.
func Parse(d *statement.DSSE) (*Statement, error) {
	var s Statement
	if err := decode(d, &s); err != nil {
		return nil, fmt.Errorf("consent: %w", err)
	}
	if _, ok := ActOf(s.Ev); !ok {
		return nil, fmt.Errorf("consent: ev: not a consent statement")
	}
	if err := sameEvent(d, s.Ev); err != nil {
		return nil, fmt.Errorf("consent: %w", err)
	}
	if err := s.shape(); err != nil {
		return nil, fmt.Errorf("consent: %w", err)
	}
	return &s, nil
}

// Encode returns the payload and its type, ready to be signed. It refuses what
// [Parse] would refuse.
func (s *Statement) Encode() (payloadType string, payload []byte, err error) {
	if _, ok := ActOf(s.Ev); !ok {
		return "", nil, fmt.Errorf("consent: ev: not a consent statement")
	}
	if err := s.shape(); err != nil {
		return "", nil, fmt.Errorf("consent: %w", err)
	}
	return encode(s.Ev, s)
}

func encode(event string, v any) (string, []byte, error) {
	payload, err := statement.Marshal(v)
	if err != nil {
		return "", nil, fmt.Errorf("consent: %w", err)
	}
	return statement.TypeOfEvent(event), payload, nil
}

func decode(d *statement.DSSE, v any) error {
	if d == nil {
		return fmt.Errorf("no statement")
	}
	if len(d.Payload) > statement.MaxSize {
		return fmt.Errorf("payload of %d bytes, at most %d", len(d.Payload), statement.MaxSize)
	}
	return statement.Unmarshal(d.Payload, v)
}

// sameEvent holds the payload's event against the type that was signed over, so
// that one signature cannot serve two statements.
func sameEvent(d *statement.DSSE, ev string) error {
	event, ok := statement.EventOfType(d.PayloadType)
	if !ok || event != ev {
		return fmt.Errorf("ev: payload and payload type disagree")
	}
	return nil
}
