package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/observe"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/keys/transparency"
)

// readerChange is a change with what it means, in words.
type readerChange struct {
	transparency.Change
	Says []string `json:"says"`
}

// readers is the answer of watch: where the watch of each desk begins, and what
// changed since.
type readers struct {
	Starts   []transparency.Start `json:"starts"`
	Changes  []readerChange       `json:"changes"`
	Observer *office.Observer     `json:"observer,omitempty"`
	Written  string               `json:"written,omitempty"`
}

func watchCommand() *cobra.Command {
	var all bool
	var observer, fingerprint, write string
	cmd := &cobra.Command{
		Use: "watch", Short: "who was added that can read for your desk, or can let others read", Args: cobra.NoArgs,
		Long: `watch shows who could read for your desks when you got your key, and every change
since that adds somebody: what changed, when, by whose signatures, and what could be
read. While one of them waits nothing is sealed from that desk. Look at each on
paper, or call somebody you know (not the number in the message), then: odziv
directory accept ENTRY. What only takes away, and what you signed yourself, waits for
nobody; --all shows it too.

If your institution runs an observer, its administrator may look at changes for all
of you: --observer takes its signed lists, from a file or an https address. Type its
--fingerprint from paper, once; no list covers a change of it. --write makes such a
list of what you accepted, for another computer of yours. docs/transparency.md says
more.`,
		Example: `  odziv directory watch
  odziv directory watch --all
  odziv directory watch --observer https://observer.csr.example.rs/expected --fingerprint "1432 ddf2 0c3d 0fe5 e41b b371 2230 c330 0ce8 9fce d5ac 460e 970b 95ba d01d 7cfa"
  odziv directory watch --write accepted.json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := synced(cmd)
			if err != nil {
				return err
			}
			me, err := s.Me()
			if errors.Is(err, office.ErrNotEnrolled) {
				return cli.Hint(errors.New("these keys are no enrolled officer's: they have no desk to watch"),
					"what changed at an institution, anybody may ask: odziv directory history INSTITUTION")
			}
			if err != nil {
				return err
			}
			var a readers
			if cmd.Flags().Changed("observer") {
				if fingerprint == "" {
					return cli.UsageError("type the observer's fingerprint from the paper of your institution with --fingerprint")
				}
				source, err := lasting(observer)
				if err != nil {
					return err
				}
				if _, err := s.FollowObserver(source, fingerprint); err != nil {
					return err
				}
				s.takeExpected()
			}
			if write != "" {
				if err := s.writeAccepted(me, write); err != nil {
					return err
				}
				a.Written = write
			}
			j := s.OwnDesks()
			a.Starts, a.Changes = j.Starts, []readerChange{}
			for _, c := range j.Changes {
				if all || c.Verdict != transparency.Expected {
					a.Changes = append(a.Changes, s.inWords(c))
				}
			}
			if o, ok := s.Following(); ok {
				a.Observer = &o
			}
			return s.out(a, func(w io.Writer) { a.print(w, s) })
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "changes too that add nobody, or that you made yourself")
	cmd.Flags().StringVar(&observer, "observer", "", "take expected changes from your institution's observer: file or https address")
	cmd.Flags().StringVar(&fingerprint, "fingerprint", "", "of the observer, as it stands on paper")
	cmd.Flags().StringVar(&write, "write", "", "write a signed list of what you accepted into this new file")
	return cmd
}

// lasting is a source that is found from any folder.
func lasting(source string) (string, error) {
	if source == "" || strings.Contains(source, "://") {
		return source, nil
	}
	return filepath.Abs(source)
}

func (s *session) writeAccepted(me directory.Officer, name string) error {
	list, err := s.AcceptedList(me.Inst)
	if err != nil {
		return err
	}
	data, err := list.Sign(s.cmd.Context(), s.Keys.Signer())
	if err != nil {
		return err
	}
	return cli.Hint(writeNew(name, data), "name a file that does not exist yet with --write")
}

// acceptedAnswer is the answer of accept.
type acceptedAnswer struct {
	Accepted []readerChange `json:"accepted"`
	Waiting  int            `json:"waiting"` // changes that still wait
}

func acceptCommand() *cobra.Command {
	var list string
	cmd := &cobra.Command{
		Use: "accept ENTRY…", Short: "say that you looked at a change of who reads for your desk",
		Long: `accept says that you checked a change that odziv directory watch shows, on paper or by
telephone with people you know, and that it is as it should be. It is kept on this
computer, for your key. What follows from it, such as a new key of the desk for that
colleague, is then expected too.

If you do not know who it is: do not accept. Call your institution's observer or
another institution; a registrar can remove her (odziv directory propose), one
signature is enough.`,
		Example: `  odziv directory accept 117
  odziv directory accept 117 118
  odziv directory accept --list accepted.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 0) == (list == "") {
				return cli.UsageError("name the entries that you checked, or a signed list with --list")
			}
			indexes, err := entries(args)
			if err != nil {
				return err
			}
			s, err := synced(cmd)
			if err != nil {
				return err
			}
			done, err := s.acceptChanges(indexes, list)
			if err != nil {
				return err
			}
			a := acceptedAnswer{Accepted: []readerChange{}, Waiting: len(s.Unexpected(""))}
			for _, c := range done {
				a.Accepted = append(a.Accepted, s.inWords(c))
			}
			return s.out(a, func(w io.Writer) { a.print(w, s) })
		},
	}
	cmd.Flags().StringVar(&list, "list", "", "accept what a signed list names: of the observer you follow, or of yourself")
	return cmd
}

func entries(args []string) ([]int64, error) {
	var list []int64
	for _, arg := range args {
		idx, err := strconv.ParseInt(arg, 10, 64)
		if err != nil || idx < 0 {
			return nil, cli.UsageError("%.40q is no number of an entry: odziv directory watch shows them", arg)
		}
		list = append(list, idx)
	}
	return list, nil
}

func (s *session) acceptChanges(indexes []int64, list string) ([]transparency.Change, error) {
	if list == "" {
		return s.Accept(indexes...)
	}
	data, err := expectedFrom(s.cmd.Context(), list)
	if err != nil {
		return nil, err
	}
	return s.AcceptList(data)
}

// maxExpectedFile bounds a signed list, in bytes.
const maxExpectedFile = 256 << 10

// expectedFrom reads a signed list from a file or an address.
func expectedFrom(ctx context.Context, source string) ([]byte, error) {
	if !strings.Contains(source, "://") {
		return cli.ReadFile(source, maxExpectedFile)
	}
	data, err := observe.Fetch(ctx, source)
	if err != nil {
		return nil, &cli.Error{Err: err, Hint: "check the address; only https is spoken beyond this machine", Code: cli.Away}
	}
	return data, nil
}

// patience is how long a command waits for an observer that does not answer.
const patience = 3 * time.Second

// takeExpected asks the observer that this officer follows about changes that
// wait. Nothing depends on its answer but whether they wait longer.
func (s *session) takeExpected() {
	follow, ok := s.Following()
	if !ok || follow.Source == "" || len(s.Unexpected("")) == 0 {
		return
	}
	ctx, stop := context.WithTimeout(s.cmd.Context(), patience)
	defer stop()
	data, err := expectedFrom(ctx, follow.Source)
	if err == nil {
		_, err = s.AcceptList(data)
	}
	if err != nil {
		s.note("the observer of your institution could not be asked about changes (%v)", err)
	}
}

// unexpected are the changes that wait, of all desks of the officer.
func (s *session) unexpected() []readerChange {
	var list []readerChange
	if s.Office == nil {
		return nil
	}
	for _, c := range s.Unexpected("") {
		list = append(list, s.inWords(c))
	}
	return list
}

// maxBanner is how many changes a banner tells in words.
const maxBanner = 3

// banner says on standard error, with every command, who was added and not
// looked at, and where a watch begins, once.
func (s *session) banner() {
	list := s.unexpected()
	for i, c := range list {
		if i == maxBanner {
			s.note("and %d more", len(list)-maxBanner)
			break
		}
		s.note("UNEXPECTED: entry %d of the directory, %s", c.Idx, s.when(c.At))
		for _, line := range append(c.Says, "signed by "+s.signedBy(c.By)) {
			for _, part := range wrapped(line, 76) {
				s.note("  %s", part)
			}
		}
	}
	if len(list) > 0 {
		s.note("Nothing is sealed from %s until you have looked; receiving and", s.deskNames(list))
		s.note("withdrawing go on. See: odziv directory watch")
	}
	s.beginnings()
}

// beginnings shows where the watch of desks begins, the first time on this
// computer.
func (s *session) beginnings() {
	starts := s.Starting()
	for _, b := range starts {
		s.note("desk %s is watched from entry %d of the directory on: %d could read then, %s. See: odziv directory watch",
			s.called(b.Desk), b.Idx, len(b.Readers), offices(b))
	}
	if err := s.Started(starts); err != nil {
		s.note("that this was shown could not be kept on this computer (%v)", err)
	}
}

func offices(b transparency.Start) string {
	if b.CustodianK == 0 {
		return fmt.Sprintf("%d registrars, no custodians", len(b.Registrars))
	}
	return fmt.Sprintf("%d registrars, %d of %d custodians", len(b.Registrars), b.CustodianK, len(b.Custodians))
}

func (s *session) deskNames(list []readerChange) string {
	var names []string
	for _, c := range list {
		for _, d := range c.Desks {
			if name := s.called(d); !strings.Contains(strings.Join(names, " "), name) {
				names = append(names, name)
			}
		}
	}
	return strings.Join(names, ", ")
}

// signedBy names signatures shortly: as what, and the beginning of the key.
func (s *session) signedBy(by []transparency.Signer) string {
	var names []string
	for _, b := range by {
		name := b.As
		if b.Officer != "" {
			name += " " + b.Officer
		}
		names = append(names, name+" "+shortKey(b.Key))
	}
	return strings.Join(names, ", ")
}

// shortKey is the beginning of a fingerprint, as it stands on paper.
func shortKey(key string) string {
	hex := strings.TrimPrefix(key, "ed25519:")
	return grouped(hex[:min(16, len(hex))]) + "…"
}

// wrapped breaks a line between words, to a width in characters.
func wrapped(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len([]rune(line))+1+len([]rune(word)) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

func (a readers) print(w io.Writer, s *session) {
	for _, b := range a.Starts {
		fmt.Fprintf(w, "desk %s\n", s.called(b.Desk))
		fmt.Fprintf(w, "  watched from entry %d on, %s; then there were\n", b.Idx, s.when(b.At))
		for _, r := range b.Readers {
			fmt.Fprintf(w, "  reader     %s\n             %s\n", r.Officer, fingerprintLines(r.Key, 13))
		}
		for _, k := range b.Registrars {
			fmt.Fprintf(w, "  registrar  %s\n", fingerprintLines(k, 13))
		}
		fmt.Fprintf(w, "  root       %d of %d\n", b.RootK, len(b.Root))
		if b.CustodianK > 0 {
			fmt.Fprintf(w, "  custodians %d of %d\n", b.CustodianK, len(b.Custodians))
		}
	}
	waiting := 0
	for _, c := range a.Changes {
		if c.Verdict == transparency.Unexpected {
			waiting++
		}
		printReaderChange(w, s, c)
	}
	if a.Observer != nil {
		fmt.Fprintf(w, "observer   %s\n           %s\n", a.Observer.Source, fingerprintLines(a.Observer.Key, 11))
	}
	if a.Written != "" {
		fmt.Fprintf(w, "written    %s\nnext: on the other computer odziv directory accept --list %s\n", a.Written, a.Written)
	}
	if waiting == 0 {
		fmt.Fprintln(w, "nothing waits: nobody was added whom you have not accepted")
		return
	}
	fmt.Fprintf(w, "%d wait. Check each on paper or by telephone with people you know, then:\nodziv directory accept ENTRY\n", waiting)
}

// fingerprintLines is a fingerprint in two lines of eight groups, the second
// indented: it fits 80 columns and is read aloud line by line.
func fingerprintLines(key string, indent int) string {
	groups := strings.Fields(grouped(strings.TrimPrefix(key, "ed25519:")))
	half := len(groups) / 2
	return strings.Join(groups[:half], " ") + "\n" + strings.Repeat(" ", indent) + strings.Join(groups[half:], " ")
}

func printReaderChange(w io.Writer, s *session, c readerChange) {
	verdict := string(c.Verdict)
	if c.Verdict == transparency.Unexpected {
		verdict = "UNEXPECTED"
	}
	if c.Own {
		verdict += ", by yourself"
	}
	fmt.Fprintf(w, "%d  %s  %s  %s\n", c.Idx, s.when(c.At), c.What, verdict)
	for _, line := range c.Says {
		for _, part := range wrapped(line, 74) {
			fmt.Fprintf(w, "    %s\n", part)
		}
	}
	for _, b := range c.By {
		fmt.Fprintf(w, "    signed by %s\n              %s\n", strings.TrimSpace(b.As+" "+b.Officer), fingerprintLines(b.Key, 14))
	}
}

func (a acceptedAnswer) print(w io.Writer, s *session) {
	for _, c := range a.Accepted {
		printReaderChange(w, s, c)
	}
	fmt.Fprintf(w, "%d accepted on this computer, %d wait\n", len(a.Accepted), a.Waiting)
}

// dayOf reads a day, or a moment, as a span of time in ms, in a zone.
func dayOf(text string, zone *time.Location) (from, until int64, err error) {
	if day, err := time.ParseInLocation(time.DateOnly, text, zone); err == nil {
		return day.UnixMilli(), day.AddDate(0, 0, 1).UnixMilli(), nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02 15:04", time.RFC3339} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at.UnixMilli(), at.UnixMilli() + 1, nil
		}
	}
	return 0, 0, errors.New("write a day as 2026-03-02, or a moment as 2026-03-02T15:04")
}
