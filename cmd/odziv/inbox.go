package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/messaging/envelope"
)

func inboxCommand() *cobra.Command {
	var sent bool
	cmd := &cobra.Command{
		Use: "inbox", Short: "list what arrived at the desk, newest last", Args: cobra.NoArgs,
		Long: `inbox lists the messages sent to the desk, or, with --sent, by it. A message is
handed over when an officer of the desk signed for it, and opened when it was
decrypted. Neither is an answer.`,
		Example: "  odziv inbox\n  odziv inbox --sent",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, desk, err := acting(cmd)
			if err != nil {
				return err
			}
			all, err := s.Letters(cmd.Context(), desk)
			if err != nil {
				return err
			}
			letters := []office.Letter{}
			for _, l := range all {
				if l.Mine == sent {
					letters = append(letters, l)
				}
			}
			return s.out(letters, func(w io.Writer) { s.printLetters(w, letters) })
		},
	}
	cmd.Flags().BoolVar(&sent, "sent", false, "what the desk sent instead")
	return cmd
}

func (s *session) printLetters(w io.Writer, letters []office.Letter) {
	if len(letters) == 0 {
		fmt.Fprintln(w, "nothing yet")
	}
	for _, l := range letters {
		state := "new"
		switch {
		case l.Opened != 0:
			state = "opened " + s.when(l.Opened)
		case l.Handed != 0:
			state = "handed over " + s.when(l.Handed)
		}
		other := s.called(l.From)
		if l.Mine {
			other = ""
			for _, to := range l.To {
				other += s.called(to) + " "
			}
		}
		fmt.Fprintf(w, "%s  %s  %-22s %-24s %s  %s\n", s.when(l.At), l.Msg, l.Kind, other, state, inWord(l.Standing))
	}
}

// readAnswer is a message as JSON: its content is for this terminal alone.
type readAnswer struct {
	Letter   office.Letter         `json:"letter"`
	Text     envelope.Text         `json:"text"`
	Files    []envelope.Attachment `json:"files"`
	Mismatch []string              `json:"mismatch"`
	Saved    []string              `json:"saved"`
	Sender   office.Sender         `json:"sender"`
}

func readCommand() *cobra.Command {
	var saveTo string
	cmd := &cobra.Command{
		Use: "read MESSAGE", Short: "sign for a message and open it", Args: cobra.ExactArgs(1),
		Long: `read signs for the message (it counts as handed over from then on), opens it and
says so to the sender. Nothing decrypted touches the disk, except attachments
into the folder that --save names.`,
		Example: "  odziv read m_oofw6vd6cx6m2svg5rffxs55au\n  odziv read m_oofw6vd6cx6m2svg5rffxs55au --save ./files",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, desk, err := acting(cmd)
			if err != nil {
				return err
			}
			opened, err := s.Read(cmd.Context(), desk, args[0])
			if err != nil {
				return err
			}
			s.save()
			a := readAnswer{Letter: opened.Letter, Text: opened.Text, Files: opened.Att, Mismatch: append([]string{}, opened.Mismatch...), Saved: []string{}, Sender: opened.Sender}
			if saveTo != "" {
				if a.Saved, err = s.saveFiles(cmd, desk, opened, saveTo); err != nil {
					return err
				}
			}
			return s.out(a, func(w io.Writer) { s.printOpened(w, &a) })
		},
	}
	cmd.Flags().StringVar(&saveTo, "save", "", "folder for the attachments")
	return cmd
}

// saveFiles writes each attachment under its own name, complete or not at all.
func (s *session) saveFiles(cmd *cobra.Command, desk string, opened *office.Opened, dir string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	saved := []string{}
	for n := range opened.Att {
		name, err := s.saveFile(cmd, desk, opened, n, dir)
		if err != nil {
			return saved, fmt.Errorf("attachment %d: %w", n+1, err)
		}
		saved = append(saved, name)
	}
	return saved, nil
}

func (s *session) saveFile(cmd *cobra.Command, desk string, opened *office.Opened, n int, dir string) (name string, err error) {
	f, err := os.CreateTemp(dir, ".part-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name())
	if err = s.Save(cmd.Context(), desk, opened, n, f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	return linkNew(f.Name(), filepath.Join(dir, filepath.Base(opened.Att[n].Name)))
}

// linkNew gives a file its name, or, where there is one of that name, the name
// with a number: nothing is ever replaced.
func linkNew(temporary, name string) (string, error) {
	ext := filepath.Ext(name)
	for i := 1; i < 1000; i++ {
		try := name
		if i > 1 {
			try = fmt.Sprintf("%s (%d)%s", strings.TrimSuffix(name, ext), i, ext)
		}
		f, err := os.OpenFile(try, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		if err := errors.Join(f.Close(), os.Rename(temporary, try)); err != nil {
			return "", errors.Join(err, os.Remove(try))
		}
		return try, nil
	}
	return "", cli.Hint(fmt.Errorf("%s exists in a thousand versions", name), "name another folder")
}

// visible makes a sender's text harmless to a terminal: what would move the
// cursor, colour or reverse the line stands as a box.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			return '\uFFFD'
		}
		return r
	}, text)
}

// printSender says what deserves a second look about who sent a message.
func (s *session) printSender(w io.Writer, from *office.Sender) {
	if from.Standing == ledger.Provisional {
		fmt.Fprintln(w, "WARNING: the sender's right to write for that desk is provisional: witnesses have not confirmed it yet.")
	}
	if from.StaleDirectory {
		fmt.Fprintln(w, "The sender's program had seen no directory that witnesses confirmed for a day or more.")
	}
	if from.Doubted != 0 {
		fmt.Fprintf(w, "WARNING: the sender's key was revoked later, and is not to be trusted since %s.\n", s.when(from.Doubted))
	}
}

func (s *session) printOpened(w io.Writer, a *readAnswer) {
	fmt.Fprintf(w, "%s from %s, %s\n", a.Letter.Kind, s.called(a.Letter.From), s.when(a.Letter.At))
	fmt.Fprintf(w, "basis %s   case %s\n", a.Letter.Basis, a.Letter.Case)
	fmt.Fprintf(w, "recorded, entry %d — %s\n", a.Letter.Idx, inWords(office.Vouched{Standing: a.Letter.Standing}))
	s.printSender(w, &a.Sender)
	fmt.Fprintln(w)
	if a.Text.Subject != "" {
		fmt.Fprintf(w, "%s\n\n", visible(a.Text.Subject))
	}
	for _, code := range slices.Sorted(maps.Keys(a.Text.Fields)) {
		fmt.Fprintf(w, "%s: %s\n", code, visible(a.Text.Fields[code]))
	}
	if a.Text.Body != "" {
		fmt.Fprintf(w, "\n%s\n", visible(a.Text.Body))
	}
	for i, f := range a.Files {
		fmt.Fprintf(w, "\nattachment %d: %s, %d bytes\n", i+1, f.Name, f.Size)
	}
	for _, name := range a.Saved {
		fmt.Fprintf(w, "saved %s\n", name)
	}
	if len(a.Mismatch) > 0 {
		fmt.Fprintf(w, "\nWARNING: the sender declared otherwise than the content says: %v. This was recorded.\n", a.Mismatch)
	}
}
