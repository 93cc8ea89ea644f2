// Package messaging implements the visible half of the Odziv message format,
// specified in FORMAT.md: what the exchange may see of a message, its CORE,
// the acts on obligations it performs, the signed payload around them, and the
// signed statements about messages (receipts, attested acts, linked cases).
//
// A message is one DSSE statement (internal/statement) whose payload names the
// sealed body by digest. Everything a rule may read is in [Core]; everything
// else is sealed and belongs to messaging/envelope. This package opens nothing.
package messaging

// Core is the visible part of a message. It stands byte for byte both in the
// signed payload and in the sealed manifest, so that neither can be moved to
// another message.
type Core struct {
	Basis    Basis             `json:"basis"`
	Case     string            `json:"case,omitempty"` // absent for a caseless kind
	Cats     []string          `json:"cats"`           // data categories the body holds
	Created  int64             `json:"created"`        // ms, server-corrected clock of the sender
	Dir      DirHead           `json:"dir"`
	Facts    map[string]string `json:"facts"`
	From     From              `json:"from"`
	Hold     *Hold             `json:"hold,omitempty"`
	Kind     string            `json:"kind"`
	Msg      string            `json:"msg"`
	Obl      []Act             `json:"obl"`
	Occurred int64             `json:"occurred,omitempty"` // when the act itself happened, never after Created
	Pack     string            `json:"pack"`
	Parts    []Part            `json:"parts"`
	Re       string            `json:"re,omitempty"`
	Set      string            `json:"set,omitempty"`
	Subj     []string          `json:"subj"` // random handles of the persons concerned
	To       []Recipient       `json:"to"`
	Urg      string            `json:"urg"`
	V        int               `json:"v"`
}

// Basis is the one legal basis a message stands on.
type Basis struct {
	Code      string       `json:"code"`
	Consents  []ConsentRef `json:"consents,omitempty"`
	Necessity string       `json:"necessity,omitempty"` // code
	Purpose   string       `json:"purpose"`
	Ref       string       `json:"ref,omitempty"` // article or order, at most 64 bytes
}

// ConsentRef names the consent version a message relies on.
type ConsentRef struct {
	ID  string `json:"id"`
	Ver int    `json:"ver"`
}

// DirHead is the directory head the sender resolved keys against. Stale says
// that no checkpoint under quorum was had for a day.
type DirHead struct {
	N     int64  `json:"n"`
	Root  []byte `json:"root"`
	Stale bool   `json:"stale,omitempty"`
}

// From names the sending desk, its institution and the officer's key.
type From struct {
	Desk string `json:"desk"`
	Inst string `json:"inst"`
	Key  string `json:"key"`
}

// Hold keeps a message out of representatives' feeds until a time.
type Hold struct {
	Reason string `json:"reason"`
	Until  int64  `json:"until"`
}

// Part is one attachment, as ciphertext.
type Part struct {
	Len    int64  `json:"len"`
	SHA256 string `json:"sha256"`
}

// Recipient is one desk that can open the body, under which epoch key (RK is
// the hex SHA-256 of its age recipient string), and the commitment Ack whose
// preimage only a desk that decrypted can show.
type Recipient struct {
	Ack   []byte `json:"ack"`
	Desk  string `json:"desk"`
	Epoch int64  `json:"epoch"`
	RK    string `json:"rk"`
	Role  string `json:"role"`
}

// Roles of a recipient.
const (
	RoleTo   = "to"
	RoleSelf = "self"
)

// Urgencies.
const (
	Immediate = "I"
	Urgent    = "U"
	Regular   = "R"
)

// Act is one thing a message does to an obligation. The target is either ID, or
// Of and Rule: the duty that message Of opened to a recipient of this message.
type Act struct {
	Due    int64  `json:"due,omitempty"`
	ID     string `json:"id,omitempty"`
	Of     string `json:"of,omitempty"`
	Op     string `json:"op"`
	Reason string `json:"reason,omitempty"`
	Rule   string `json:"rule,omitempty"`
	To     string `json:"to,omitempty"`
	Until  int64  `json:"until,omitempty"`
	Value  string `json:"value,omitempty"`
}

// Operations of an [Act].
const (
	OpDeclare  = "declare"
	OpAck      = "ack"
	OpInterim  = "interim"
	OpFulfil   = "fulfil"
	OpExtend   = "extend"
	OpSuspend  = "suspend"
	OpDispute  = "dispute"
	OpWaive    = "waive"
	OpTransfer = "transfer"
	OpCancel   = "cancel"
)

// Payload is what an officer signs: the core, and the sealed body by digest.
type Payload struct {
	Body Part `json:"body"`
	Core Core `json:"core"`
	V    int  `json:"v"`
}

// Others returns the recipients other than the sending desk's own copy.
func (c *Core) Others() []Recipient {
	others := make([]Recipient, 0, len(c.To))
	for _, r := range c.To {
		if r.Role != RoleSelf {
			others = append(others, r)
		}
	}
	return others
}
