// Package evidence defines the leaf of the evidence tree and what opens it.
//
// A leaf commits to two canonical JSON objects, META and PRIV, by HMAC-SHA-256
// (RFC 2104, FIPS 198-1) under one fresh random key each: binding, hiding, and
// checkable with openssl. The opening (both objects, both keys) goes to the
// desks concerned and can be erased; the leaf stays. FORMAT.md has the bytes.
package evidence

import (
	"encoding/json"

	"github.com/odziv/odziv/internal/statement"
)

// Meta is what the parties and the oversight body may read of an event:
// institutions and types, never persons or the desks of others.
type Meta struct {
	At   int64        `json:"at"`  // received, ms since 1970 UTC, never before the previous leaf's
	By   string       `json:"by"`  // "i_…/d_…" or "system"
	Dec  string       `json:"dec"` // "allow" or "refuse:<code>"
	DirN int64        `json:"dirn"`
	Ev   string       `json:"ev"`
	From string       `json:"from,omitempty"` // type of the acting desk
	Idx  int64        `json:"idx"`
	Kind string       `json:"kind,omitempty"`
	Obj  string       `json:"obj"`
	Obl  []Obligation `json:"obl"`
	Prev int64        `json:"prev"` // the leaf before this one about the same Obj, or -1
	Re   string       `json:"re,omitempty"`
	To   []string     `json:"to"` // types, sorted, each once
	V    int          `json:"v"`
}

// System is Meta.By of a leaf the server made by itself.
const System = "system"

// Allow is Meta.Dec of an accepted statement; Refuse spells a refusal.
const Allow = "allow"

// Refuse is Meta.Dec of a refusal with this code.
func Refuse(code string) string { return "refuse:" + code }

// Obligation is the trace of one obligation in Meta: institutions only, a
// person as "person".
type Obligation struct {
	Due  int64  `json:"due,omitempty"`
	EE   string `json:"ee"`
	O    string `json:"o"`
	Op   string `json:"op"`
	OR   string `json:"or"`
	Rule string `json:"rule"`
}

// Priv is what the parties alone may read: the complete signed statement, or
// Data when the server made the leaf itself.
type Priv struct {
	Cal   string          `json:"cal,omitempty"` // hex SHA-256 of the calendar used
	Case  string          `json:"case,omitempty"`
	Cons  []Consent       `json:"cons,omitempty"`
	Data  json.RawMessage `json:"data,omitempty"`
	Env   string          `json:"env,omitempty"` // hex SHA-256 of the canonical DSSE of a message
	Hist  *History        `json:"hist,omitempty"`
	Moves []Move          `json:"moves,omitempty"`
	Opens []Opened        `json:"opens,omitempty"`
	Pack  string          `json:"pack,omitempty"` // hex SHA-256 of the rule pack used
	Stmt  *statement.DSSE `json:"stmt,omitempty"`
	To    []Delivery      `json:"to"`
	V     int             `json:"v"`
}

// Consent is a consent version relied on, with the leaf that put it in force.
type Consent struct {
	ID  string `json:"id"`
	Idx int64  `json:"idx"`
	Ver int    `json:"ver"`
}

// History fixes which earlier openings a grant hands over: how many, and the
// hex SHA-256 of their decimal indexes joined by commas.
type History struct {
	Count  int64  `json:"count"`
	SHA256 string `json:"sha256"`
}

// Opened is an obligation this leaf opened: desks, or a person's handle.
type Opened struct {
	Due  int64  `json:"due"`
	EE   string `json:"ee"`
	N    int    `json:"n"`
	O    string `json:"o"`
	OR   string `json:"or"`
	Rule string `json:"rule"`
}

// Move is an obligation this leaf changed, with the state after it.
type Move struct {
	O     string `json:"o"`
	Op    string `json:"op"`
	State string `json:"state"`
}

// Delivery is the place of this opening in a desk's feed. Numbers are dense: a
// hole is evidence of withholding.
type Delivery struct {
	Desk string `json:"desk"`
	N    int64  `json:"n"`
}
