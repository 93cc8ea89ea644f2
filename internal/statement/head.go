package statement

import "fmt"

// Head is what every evidence statement carries besides its own members: who
// says so, when they claim it was, and which directory and rule pack they saw.
// The event's own type embeds it.
type Head struct {
	At       int64  `json:"at"` // claimed, ms since 1970 UTC
	By       By     `json:"by"`
	Case     string `json:"case,omitempty"`
	DirN     int64  `json:"dirn"`
	Ev       string `json:"ev"`
	ID       string `json:"id"`
	Occurred int64  `json:"occurred,omitempty"` // the act's own time, never after At
	Pack     string `json:"pack"`               // such as "rs-a@1"
	V        int    `json:"v"`
}

// By names the officer's key, and the desk and institution they act for.
type By struct {
	Desk string `json:"desk"`
	Inst string `json:"inst"`
	Key  string `json:"key"`
}

// Check refuses a head with a malformed member. The identifier must carry one
// of the prefixes.
func (h *Head) Check(idPrefixes ...string) error {
	if h.V != 1 {
		return fmt.Errorf("v: %d is not a version this program knows", h.V)
	}
	if err := h.By.Check(); err != nil {
		return err
	}
	if err := CheckID("id", h.ID, idPrefixes...); err != nil {
		return err
	}
	if h.Case != "" {
		if err := CheckID("case", h.Case, Case); err != nil {
			return err
		}
	}
	if h.At <= 0 || h.DirN < 0 || h.Occurred < 0 || h.Occurred > h.At {
		return fmt.Errorf("at, dirn or occurred is out of range")
	}
	if !IsPackID(h.Pack) {
		return fmt.Errorf("pack: %q is not a pack such as rs-a@1", clip(h.Pack))
	}
	return nil
}

// Check refuses a malformed signer.
func (b By) Check() error {
	if err := CheckID("by.desk", b.Desk, Desk); err != nil {
		return err
	}
	if err := CheckID("by.inst", b.Inst, Institution); err != nil {
		return err
	}
	if !IsKeyID(b.Key) {
		return fmt.Errorf("by.key: %q is not a key id", clip(b.Key))
	}
	return nil
}
