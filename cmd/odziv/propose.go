package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/ceremony"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// maxStatementFile bounds a statement read from a file, in bytes.
const maxStatementFile = 64 << 10

// readStatement reads a file that holds a statement to be signed, or else the
// members of one that nobody prepared yet.
func readStatement(name string) (*statement.DSSE, directory.Body, error) {
	data, err := cli.ReadFile(name, maxStatementFile)
	if err != nil {
		return nil, nil, err
	}
	var signed struct {
		PayloadType string `json:"payloadType"`
	}
	if json.Unmarshal(data, &signed) == nil && signed.PayloadType != "" {
		d, err := statement.ParseDSSE(bytes.TrimRight(data, "\n"))
		if err != nil {
			return nil, nil, cli.Hint(fmt.Errorf("%s: %w", name, err), "the file was changed after it was signed: ask for it again")
		}
		if d.PayloadType != statement.TypeDirectory {
			return nil, nil, cli.Hint(fmt.Errorf("%s: a %s, not a directory statement", name, d.PayloadType), "check that this is the file you mean")
		}
		return d, nil, nil
	}
	body, err := bodyOf(name)
	if err != nil {
		return nil, nil, cli.Hint(err, "is it the right file? key.json, an invite and a plan are no statements; keys/directory/FORMAT.md has the members of each")
	}
	return nil, body, nil
}

// bodyOf reads a directory statement that may lack its head: at, dirn, prev and
// v are filled in when it is signed.
func bodyOf(name string) (directory.Body, error) {
	var members map[string]json.RawMessage
	if err := cli.ReadJSON(name, maxStatementFile, &members); err != nil {
		return nil, err
	}
	dirn := "1"
	if string(members["t"]) == `"genesis"` {
		dirn = "0"
	}
	now := strconv.FormatInt(time.Now().UnixMilli(), 10) // a revocation's from is not after at
	for member, value := range map[string]string{"at": now, "dirn": dirn, "prev": `""`, "v": "1"} {
		if _, ok := members[member]; !ok {
			members[member] = json.RawMessage(value)
		}
	}
	payload, err := statement.Marshal(members)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	body, err := directory.DecodePayload(payload)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return body, nil
}

// forward is how a statement goes on: to the exchange, or into a file.
type forward struct {
	out      string
	unsigned bool
}

func (f *forward) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.out, "out", "", "write the statement to this new file instead of submitting it: for whoever signs offline")
	cmd.Flags().BoolVar(&f.unsigned, "unsigned", false, "with --out: do not sign, only prepare it for those who do")
}

func (f *forward) check() error {
	if f.unsigned && f.out == "" {
		return cli.UsageError("--unsigned writes a file: name it with --out")
	}
	return nil
}

// done is the answer of a statement, for programs and for people.
type done struct {
	answer any
	text   func(w io.Writer)
	next   string // what follows, "" if the text says it
}

func (d done) print(w io.Writer) {
	d.text(w)
	if d.next != "" {
		fmt.Fprintf(w, "next: %s\n", d.next)
	}
}

// put makes a statement and says what became of it.
func (s *session) put(a *asker, body directory.Body, f forward) error {
	d, err := s.make(a, body, f)
	if err != nil {
		return err
	}
	return s.out(d.answer, d.print)
}

// outAll says what became of several statements; what follows them all, the
// caller knows.
func (s *session) outAll(list []done) error {
	answers := []any{}
	for _, d := range list {
		answers = append(answers, d.answer)
	}
	return s.out(answers, func(w io.Writer) {
		for _, d := range list {
			d.text(w)
		}
	})
}

// make prepares a statement, shows it in words, lets its new keys be compared and
// signs it; then it is submitted, or waits for others, or is written to a file.
func (s *session) make(a *asker, body directory.Body, f forward) (done, error) {
	if err := f.check(); err != nil {
		return done{}, err
	}
	payload, err := s.Directory().Prepare(body, s.Now())
	if err != nil {
		return done{}, err
	}
	d := &statement.DSSE{Payload: payload, PayloadType: statement.TypeDirectory, Signatures: []statement.Signature{}}
	t, err := s.tell(d)
	if err != nil {
		return done{}, err
	}
	a.words(t.Words)
	if err := s.compareNew(a, body); err != nil {
		return done{}, err
	}
	if !f.unsigned {
		if err := t.signable(s.Now()); err != nil {
			return done{}, err
		}
		if err := a.confirm("Sign this?", "correct it and run the command again"); err != nil {
			return done{}, err
		}
		if err := s.addSignature(s.cmd.Context(), d); err != nil {
			return done{}, err
		}
	}
	return s.submitOrWrite(d, f)
}

// submit hands a statement to the exchange.
func (s *session) submit(d *statement.DSSE) (done, error) {
	what, err := s.SubmitDirectory(s.cmd.Context(), d)
	if err != nil {
		return done{}, err
	}
	return s.proposed(what, d)
}

// forward writes a signed statement to a file, or submits it, and says so.
func (s *session) forward(d *statement.DSSE, f forward) error {
	answer, err := s.submitOrWrite(d, f)
	if err != nil {
		return err
	}
	return s.out(answer.answer, answer.print)
}

func (s *session) submitOrWrite(d *statement.DSSE, f forward) (done, error) {
	if f.out != "" {
		return s.signedInto(d, f.out)
	}
	return s.submit(d)
}

func proposeCommand() *cobra.Command {
	var f forward
	var a *asker
	cmd := &cobra.Command{
		Use: "propose FILE", Short: "sign a directory statement of a file and submit it", Args: cobra.ExactArgs(1),
		Long: `propose takes a statement that others signed in files, adds this keystore's
signature if one is missing, and submits it. One that needs more signatures waits
for them: the others find it with odziv pending.

It also takes a statement as JSON (keys/directory/FORMAT.md; at, dirn, prev and v
are filled in), for what odziv ceremony, odziv institution and odziv officer have
no command for.

Somebody whose key the directory does not know yet, such as the root of an
institution that joins, signs a file: write it with --out, let them run odziv
directory sign, and propose the file they give back.`,
		Example: `  odziv directory propose registrars.signed.json
  odziv directory propose rota.json
  odziv directory propose join.json --out join.signed.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			a.begin()
			s, err := synced(cmd)
			if err != nil {
				return err
			}
			d, body, err := readStatement(args[0])
			if err != nil {
				return err
			}
			if d == nil {
				return s.put(a, body, f)
			}
			return s.putSigned(a, d, f)
		},
	}
	f.flags(cmd)
	a = askingAbout(cmd)
	return cmd
}

// putSigned submits what came as a file, signed first where a signature of this
// key is missing.
func (s *session) putSigned(a *asker, d *statement.DSSE, f forward) error {
	t, err := s.tell(d)
	if err != nil {
		return err
	}
	if t.Ended != "" {
		return &cli.Error{Err: errors.New(t.Ended), Hint: "make it anew: " + t.redo, Code: cli.Refused}
	}
	a.words(t.Words)
	if t.May {
		if err := t.signable(s.Now()); err != nil {
			return err
		}
		body, err := directory.DecodePayload(d.Payload)
		if err != nil {
			return err
		}
		if err := s.compareNew(a, body); err != nil {
			return err
		}
		if err := a.confirm("Sign this?", "ask whoever gave you the file"); err != nil {
			return err
		}
		if err := s.addSignature(s.cmd.Context(), d); err != nil {
			return err
		}
	}
	return s.forward(d, f)
}

// addSignature signs unless this key has signed already.
func (s *session) addSignature(ctx context.Context, d *statement.DSSE) error {
	if s.hasSigned(d) {
		return nil
	}
	return d.AddSignature(ctx, s.keys.Signer())
}

func (s *session) hasSigned(d *statement.DSSE) bool {
	mine := statement.KeyID(s.keys.Signer().Public())
	return slices.ContainsFunc(d.Signatures, func(sig statement.Signature) bool { return sig.KeyID == mine })
}

// signedInto writes a statement for those who sign it next.
func (s *session) signedInto(d *statement.DSSE, out string) (done, error) {
	raw, err := d.Encode()
	if err != nil {
		return done{}, err
	}
	if err := writeNew(out, raw); err != nil {
		return done{}, cli.Hint(err, "name another file with --out")
	}
	return done{answer: map[string]any{"file": out, "signed": len(d.Signatures)}, text: func(w io.Writer) {
		fmt.Fprintf(w, "written: %s, signed by %d\nnext: those whose signature is missing sign it with: odziv directory sign %s\n      then somebody submits it with: odziv directory propose FILE\n", out, len(d.Signatures), filepath.Base(out))
	}}, nil
}

// proposedAnswer says what became of a directory statement.
type proposedAnswer struct {
	Recorded bool   `json:"recorded"`
	Idx      int64  `json:"idx"`               // in the directory, -1 while it waits
	Pending  string `json:"pending,omitempty"` // by which others find it

	Standing ledger.Standing `json:"standing,omitempty"`
}

// proposed says what became of a submitted statement.
func (s *session) proposed(p office.Proposed, d *statement.DSSE) (done, error) {
	a := proposedAnswer{Recorded: p.Complete, Idx: -1}
	if !p.Complete {
		a.Pending = p.Digest
		t, err := s.tell(d)
		if err != nil {
			return done{}, err
		}
		return done{answer: a, text: func(w io.Writer) {
			fmt.Fprintf(w, "waits for more signatures: the others find it with odziv pending, or\n  odziv pending sign %s\n", a.Pending)
			for _, who := range t.Missing {
				fmt.Fprintf(w, "missing: %s\n", who)
			}
			fmt.Fprintf(w, "forgotten after seven days, on %s\n", s.when(s.Now()+ceremony.Term))
		}}, nil
	}
	a.Idx = p.Idx
	var err error
	if a.Standing, err = s.Await(s.cmd.Context(), p.Idx); err != nil {
		return done{}, err
	}
	return done{answer: a, next: nextAfter(d), text: func(w io.Writer) {
		fmt.Fprintf(w, "recorded, entry %d of the directory — %s\n", a.Idx, inWords(office.Vouched{Standing: a.Standing}))
	}}, nil
}

// signCommand works without an exchange: whoever runs it may not be known there.
func signCommand() *cobra.Command {
	var out string
	var a *asker
	cmd := &cobra.Command{
		Use: "sign FILE", Short: "read a directory statement in a file and add your signature", Args: cobra.ExactArgs(1),
		Long: `sign says in words what a statement says, asks you to compare the fingerprints it
brings in with paper, adds this keystore's signature and writes it to a new file.
It asks no exchange, so it also works on a computer that never was in a network.
Read what it shows: your signature says the same as the first.`,
		Example: "  odziv directory sign join-request.json --out join-request.2.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			a.begin()
			s, err := offline(cmd)
			if err != nil {
				return err
			}
			d, _, err := readStatement(args[0])
			if err != nil {
				return err
			}
			if d == nil {
				return cli.Hint(fmt.Errorf("%s: nobody has prepared this yet", args[0]), "whoever knows the exchange begins: odziv directory propose FILE --out …")
			}
			if err := s.readOffline(a, d); err != nil {
				return err
			}
			if err := s.addSignature(cmd.Context(), d); err != nil {
				return err
			}
			return s.forward(d, forward{out: out})
		},
	}
	cmd.Flags().StringVar(&out, "out", "signed.json", "new file to write")
	a = askingAbout(cmd)
	return cmd
}

// readOffline shows a statement to somebody without a directory.
func (s *session) readOffline(a *asker, d *statement.DSSE) error {
	t, err := s.tell(d)
	if err != nil {
		return err
	}
	body, err := directory.DecodePayload(d.Payload)
	if err != nil {
		return err
	}
	if !cli.JSON(s.cmd) {
		t.print(s.cmd.OutOrStdout())
	}
	if t.Mine {
		return cli.Hint(errors.New("you signed this already"), "the next signature is somebody else's")
	}
	if brings, mine := s.brings(body); brings && !mine {
		return &cli.Error{Err: errors.New("your key is none of those that this statement names: it is another's to sign"), Hint: "take the keystore of the role that signs it, with --home", Code: cli.Refused}
	}
	if err := s.compareNew(a, body); err != nil {
		return err
	}
	return a.confirm("Sign this?", "ask whoever gave you the file")
}

// brings reports whether a statement is signed by keys that it names itself, and
// whether this key is one of them. Delegates sign a join too, but they know the
// exchange: they sign with odziv institution admit.
func (s *session) brings(body directory.Body) (brings, mine bool) {
	var keys directory.Council
	switch b := body.(type) {
	case *directory.Genesis:
		keys = b.Council
	case *directory.InstJoin:
		keys = b.Root
	default:
		return false, false
	}
	return true, slices.ContainsFunc(keys.Keys, func(k ed25519.PublicKey) bool { return bytes.Equal(k, s.keys.Signer().Public()) })
}

// offline is a session with keys alone.
func offline(cmd *cobra.Command) (*session, error) {
	s := &session{cmd: cmd, family: family(cmd)}
	var err error
	if s.home, err = homeOf(cmd); err != nil {
		return nil, err
	}
	if s.names, err = readNames(s.home); err != nil {
		return nil, err
	}
	return s, s.unlock()
}

// replaceOwn writes a new file, or replaces the one that was read.
func replaceOwn(in, out string, data []byte) error {
	if filepath.Clean(in) != filepath.Clean(out) {
		err := writeNew(out, data)
		if errors.Is(err, fs.ErrExist) {
			return cli.Hint(err, "name another file with --out")
		}
		return err
	}
	temporary := out + ".new"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // left by a run that was interrupted before the rename: never read by anybody
	}
	if err := writeNew(temporary, data); err != nil {
		return err
	}
	return os.Rename(temporary, out)
}
