package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/ledger"
)

// recorded is where an own act stands in the ledger, and who vouches for that.
type recorded struct {
	Idx int64 `json:"idx"`
	office.Vouched
	Proof string `json:"proof,omitempty"` // file that keeps it
}

// inWords says a standing as people read it.
func inWords(v office.Vouched) string {
	switch v.Standing {
	case ledger.Confirmed:
		if v.Witnesses > 0 {
			return fmt.Sprintf("confirmed by %d of %d witnesses", v.Cosigned, v.Witnesses)
		}
		return "confirmed by witnesses"
	case ledger.Provisional:
		return "provisional: the exchange signed it; witnesses have not yet"
	case ledger.Unwitnessed:
		return "unwitnessed: nobody watches this exchange"
	case office.NotConfirmed:
		return "NOT CONFIRMED: no checkpoint covers it yet"
	}
	return ""
}

// inWord is a standing in a list.
func inWord(s ledger.Standing) string {
	if s == office.NotConfirmed {
		return "NOT CONFIRMED"
	}
	return string(s)
}

// print says where the act stands, and where its proof is.
func (r recorded) print(w io.Writer) {
	fmt.Fprintf(w, "recorded, entry %d — %s\n", r.Idx, inWords(r.Vouched))
	if r.Proof != "" {
		fmt.Fprintf(w, "proof kept in %s\n", r.Proof)
	}
}

// confirm waits for the proof of an own act. The act is on record whatever
// happens here, so only a lie of the exchange is an error.
func (s *session) confirm(item evidence.Item) (recorded, error) {
	r := recorded{Idx: item.Idx, Vouched: office.Vouched{Standing: office.NotConfirmed}}
	c, err := s.Confirm(s.cmd.Context(), item)
	var security *office.SecurityError
	switch {
	case errors.As(err, &security):
		return r, fmt.Errorf("entry %d was recorded, but: %w", item.Idx, err)
	case c.Proof != nil:
		r.Vouched, r.Proof = c.Vouched, c.File
	}
	switch {
	case err != nil && c.Proof != nil:
		s.note("the proof of entry %d could not be kept (%v); later: odziv prove %d", item.Idx, err, item.Idx)
	case err != nil:
		s.note("NOT CONFIRMED: it is on record as entry %d, but no checkpoint covers it yet (%v); later: odziv status, or odziv prove %d", item.Idx, err, item.Idx)
	}
	return r, nil
}

// outItem prints where an act stands in the ledger.
func (s *session) outItem(item evidence.Item, err error) error {
	if err != nil {
		return err
	}
	r, err := s.confirm(item)
	if err != nil {
		return err
	}
	return s.out(r, r.print)
}

// warning is what a person must know whatever the answer is.
type warning struct {
	Code string `json:"code"`
	Text string `json:"text"`
	Hint string `json:"hint"`
}

// warnings say what the keys of one's own desks ask for, and how long no quorum
// confirmed anything. Work goes on meanwhile.
func (s *session) warnings() []warning {
	if s.Office == nil {
		return nil
	}
	w := s.Watch()
	list := append(s.termEnds(), s.renewals()...)
	if !w.Late {
		return list
	}
	now := time.Now().UnixMilli()
	calm := "your work goes on; if it lasts, call your institution's administrator"
	if ahead := -s.Client.Offset(); ahead > maxOffset {
		calm = fmt.Sprintf("this computer's clock is %d minutes ahead of the exchange's: set it, and see whether this stays", ahead/60_000)
	}
	if w.Stale {
		list = append(list, warning{"stale-directory", "no quorum of witnesses has confirmed the directory " + since(now, w.Directory.Until) +
			": your messages say so, and nothing is sealed to a key that is newer",
			"call your institution's administrator; if this computer's clock is wrong, set it"})
	}
	until := w.Record.Until
	if w.Record.Standing == ledger.Unwitnessed || w.Directory.Standing != ledger.Unwitnessed && w.Directory.Until < until {
		until = w.Directory.Until
	}
	return append(list, warning{"late-quorum", "no quorum of witnesses has confirmed the record " + since(now, until) + ": what was written since is provisional",
		calm})
}

// since says how long ago something was.
func since(now, then int64) string {
	switch ago := (now - then) / 60_000; {
	case then == 0:
		return "yet"
	case ago < 120:
		return fmt.Sprintf("for %d minutes", ago)
	default:
		return fmt.Sprintf("for %d hours", ago/60)
	}
}

// warn says on standard error what does not change the answer.
func (s *session) warn() {
	for _, w := range s.warnings() {
		s.note("warning: %s", w.Text)
		s.note("hint: %s", w.Hint)
	}
}

// out prints an answer. Under --json an object has its warnings, and the changes
// that wait to be looked at, among its members; a list has none, and says them on
// standard error alone.
func (s *session) out(v any, text func(w io.Writer)) error {
	if s.Office != nil {
		if err := s.Unkept(); err != nil {
			s.note("warning: the record of what you did could not be kept on this computer (%v); it is on record all the same", err)
		}
	}
	warnings, unexpected := s.warnings(), s.unexpected()
	if !cli.JSON(s.cmd) || len(warnings)+len(unexpected) == 0 {
		return cli.Out(s.cmd, v, text)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(unexpected) > 0 {
		if raw, err = withMember(raw, "unexpected", unexpected); err != nil {
			return err
		}
	}
	if len(warnings) > 0 {
		if raw, err = withMember(raw, "warnings", warnings); err != nil {
			return err
		}
	}
	return cli.Print(s.cmd.OutOrStdout(), json.RawMessage(raw))
}

// withMember adds a member to an object; what is none stays as it is.
func withMember(raw []byte, name string, v any) ([]byte, error) {
	more, err := json.Marshal(v)
	if object, ok := bytes.CutSuffix(raw, []byte("}")); ok && raw[0] == '{' && len(object) > 1 {
		raw = fmt.Appendf(object, `,%q:%s}`, name, more)
	}
	return raw, err
}

// cautions say what a person ought to know about the keys that were used.
func (s *session) cautions(list []office.Caution) {
	for _, c := range list {
		switch c.Code {
		case office.CautionStaleKey:
			s.note("warning: desk %s should have renewed its key on %s; remind them: odziv directory rotate", s.called(c.Desk), s.when(c.Since))
		case office.CautionProvisionalKey:
			s.note("warning: the new key of desk %s is provisional; it was used because the message is immediate", s.called(c.Desk))
		case office.CautionUnexpected:
			s.note("warning: sealed despite a change that nobody at %s has looked at; do it now: odziv directory watch", s.called(c.Desk))
		case office.CautionNewKey:
			s.note("desk %s has a new key since %s; who reads there: odziv directory history %s", s.called(c.Desk), s.when(c.Since), s.called(c.Desk))
		}
	}
}
