package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/office"
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
			return cli.Out(cmd, letters, func(w io.Writer) { s.printLetters(w, letters) })
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
		fmt.Fprintf(w, "%s  %s  %-22s %-24s %s\n", s.when(l.At), l.Msg, l.Kind, other, state)
	}
}

// readAnswer is a message as JSON: its content is for this terminal alone.
type readAnswer struct {
	Letter   office.Letter         `json:"letter"`
	Text     envelope.Text         `json:"text"`
	Files    []envelope.Attachment `json:"files"`
	Mismatch []string              `json:"mismatch"`
	Saved    []string              `json:"saved"`
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
			a := readAnswer{Letter: opened.Letter, Text: opened.Text, Files: opened.Att, Mismatch: opened.Mismatch, Saved: []string{}}
			if saveTo != "" {
				if a.Saved, err = s.saveFiles(cmd, desk, opened, saveTo); err != nil {
					return err
				}
			}
			return cli.Out(cmd, a, func(w io.Writer) { s.printOpened(w, &a) })
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
	for n, att := range opened.Att {
		name := filepath.Join(dir, filepath.Base(att.Name))
		if _, err := os.Stat(name); err == nil {
			return saved, cli.Hint(fmt.Errorf("%s exists already", name), "name another folder")
		}
		f, err := os.CreateTemp(dir, ".part-*")
		if err != nil {
			return saved, err
		}
		err = s.Save(cmd.Context(), desk, opened, n, f)
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			os.Remove(f.Name())
			return saved, err
		}
		if err := os.Rename(f.Name(), name); err != nil {
			return saved, err
		}
		saved = append(saved, name)
	}
	return saved, nil
}

func (s *session) printOpened(w io.Writer, a *readAnswer) {
	fmt.Fprintf(w, "%s from %s, %s\n", a.Letter.Kind, s.called(a.Letter.From), s.when(a.Letter.At))
	fmt.Fprintf(w, "basis %s   case %s\n\n", a.Letter.Basis, a.Letter.Case)
	if a.Text.Subject != "" {
		fmt.Fprintf(w, "%s\n\n", a.Text.Subject)
	}
	for _, code := range slices.Sorted(maps.Keys(a.Text.Fields)) {
		fmt.Fprintf(w, "%s: %s\n", code, a.Text.Fields[code])
	}
	if a.Text.Body != "" {
		fmt.Fprintf(w, "\n%s\n", a.Text.Body)
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
