package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/odziv/odziv/internal/ceremony"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

// teller tells statements as this officer's program knows the directory.
func (s *session) teller() ceremony.Teller {
	t := ceremony.Teller{Call: s.label, Zone: zoneOf(s.family)}
	if s.Office != nil && s.Directory().N() > 0 {
		t.Dir = s.Directory()
		if p, err := s.Pack(s.family); err == nil {
			t.Zone = p.Location()
		}
	}
	return t
}

// zoneOf is the zone of the rules that this program ships, for whoever has not
// seen which are in force: the same everywhere, whatever the computer says.
func zoneOf(family string) *time.Location {
	packs, err := embeddedPacks()
	if err != nil {
		return time.UTC
	}
	for _, id := range packs.IDs() {
		if p, ok := packs.Get(id); ok && strings.HasPrefix(id, family+"@") {
			return p.Location()
		}
	}
	return time.UTC
}

// label is what names.json calls an id, "" if nothing.
func (s *session) label(id string) string {
	if name := s.called(id); name != id {
		return name
	}
	return ""
}

// told is a directory statement in words, with who signed it.
type told struct {
	Digest string `json:"digest"` // of its payload, by which others find it
	ceremony.Words
	ceremony.Signing
	Since int64  `json:"since"`           // when it was prepared, ms
	Until int64  `json:"until,omitempty"` // when it is forgotten, ms
	Mine  bool   `json:"mine"`            // this key signed it already
	May   bool   `json:"may"`             // this key can sign it
	Ended string `json:"ended,omitempty"` // why nobody can complete it any more

	redo string
}

// tell puts a directory statement into words.
func (s *session) tell(d *statement.DSSE) (told, error) {
	body, err := directory.DecodePayload(d.Payload)
	if err != nil {
		return told{}, err
	}
	t := s.teller()
	a := told{Digest: fmt.Sprintf("%x", d.Digest()), Words: t.Tell(body), Since: ceremony.HeadOf(body).At, redo: ceremony.Redo(body), Mine: s.hasSigned(d)}
	if t.Dir == nil && ceremony.HeadOf(body).T != "genesis" {
		a.Signed = t.Signers(d)
		a.May = true // without a directory only its members know
		return a, nil
	}
	a.Signing, err = t.Signing(d)
	if err != nil {
		if a.Ended = ceremony.Moved(err); a.Ended == "" {
			return a, err
		}
		return a, nil
	}
	a.May = !a.Mine && !a.Complete && t.May(d, statement.KeyID(s.keys.Signer().Public()))
	return a, nil
}

// printSigning says who signed and who must yet.
func (a told) printSigning(w io.Writer) {
	for _, who := range a.Signed {
		fmt.Fprintf(w, "  %-24s %s\n", "signed by", who)
	}
	if len(a.Signed) == 0 {
		fmt.Fprintf(w, "  %-24s nobody yet\n", "signed by")
	}
	for _, what := range a.Missing {
		fmt.Fprintf(w, "  %-24s %s\n", "needs", what)
	}
	if a.Complete {
		fmt.Fprintf(w, "  %-24s nobody more\n", "needs")
	}
	if a.Ended != "" {
		fmt.Fprintf(w, "\n  ! %s.\n    Make it anew: %s\n", a.Ended, a.redo)
	}
}

func (a told) print(w io.Writer) {
	a.Words.Print(w)
	fmt.Fprintln(w)
	a.printSigning(w)
}

// signable refuses a signature that could help nobody.
func (a told) signable(now int64) error {
	switch {
	case a.Mine:
		return cli.Hint(errors.New("you signed this already"), "the next signature is somebody else's")
	case a.Ended != "":
		return &cli.Error{Err: errors.New(a.Ended), Hint: "make it anew: " + a.redo, Code: cli.Refused}
	case a.Complete:
		return cli.Hint(errors.New("it has all the signatures it needs"), "submit it with: odziv directory propose FILE")
	case !a.May:
		return &cli.Error{Err: fmt.Errorf("your key is none of those who sign this: %s", strings.Join(a.Missing, "; ")), Hint: "take the keystore of the role that signs it, with --home", Code: cli.Refused}
	case now > a.Since+ceremony.Term:
		return &cli.Error{Err: errors.New("it was prepared more than seven days ago: the exchange takes it no more"), Hint: "make it anew: " + a.redo, Code: cli.Refused}
	}
	return nil
}
