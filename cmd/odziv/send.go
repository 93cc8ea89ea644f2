package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/statement"
)

// sentAnswer is what became of a message.
type sentAnswer struct {
	Msg       string            `json:"msg"`
	Case      string            `json:"case,omitempty"`
	Idx       int64             `json:"idx"`
	At        int64             `json:"at"`
	Opens     []evidence.Opened `json:"opens"`
	Moves     []evidence.Move   `json:"moves"`
	Confirmed bool              `json:"confirmed"` // a checkpoint covers it
	Proof     string            `json:"proof,omitempty"`
}

func sendCommand() *cobra.Command {
	var f draftFlags
	var set string
	cmd := &cobra.Command{
		Use: "send", Short: "seal a message and send it", Args: cobra.NoArgs,
		Long: `send seals a message for the desks named, submits it, and keeps the proof in the
home folder. Each message has one legal basis; an act that needs several is a
set: a JSON file of messages (the members of each are the flags of this command),
accepted together or not at all.

What the rules forbid is refused here, before anything is sealed; the exchange
decides once more when it arrives.`,
		Example: `  odziv send --kind complaint --to ppo-nis.registry --basis legal-obligation --purpose procedure \
      --subj p_6swlsnx6xkwcllp2oux653v3zq --cat identity --cat statements \
      --fact complainant=institution --field indicators=present --text complaint.txt --attach record.pdf
  odziv send --set dismissal.json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, desk, err := acting(cmd)
			if err != nil {
				return err
			}
			if set != "" {
				return s.sendSet(desk, set)
			}
			return s.sendOne(desk, &f, nil)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&set, "set", "", "JSON file with the messages of one act")
	return cmd
}

// sendOne seals and sends one message; more changes the draft before.
func (s *session) sendOne(desk string, f *draftFlags, more func(*office.Draft) error) error {
	d, err := s.draft(f, desk)
	if err != nil {
		return err
	}
	files, done, err := openFiles(f.attach)
	if err != nil {
		return err
	}
	defer done()
	d.Files = files
	if more != nil {
		if err := more(&d); err != nil {
			return err
		}
	}
	sent, err := s.Send(s.cmd.Context(), d)
	if err != nil {
		return err
	}
	a, err := s.confirmed(sent)
	if err != nil {
		return err
	}
	return cli.Out(s.cmd, a, func(w io.Writer) { s.printSent(w, a) })
}

// confirmed waits for the checkpoint and keeps the proof beside the keystore.
func (s *session) confirmed(sent office.Sent) (sentAnswer, error) {
	a := sentAnswer{Msg: sent.Msg, Case: sent.Case, Idx: sent.Item.Idx, At: sent.Meta.At, Opens: sent.Priv.Opens, Moves: sent.Priv.Moves}
	if a.Opens == nil {
		a.Opens = []evidence.Opened{}
	}
	if a.Moves == nil {
		a.Moves = []evidence.Move{}
	}
	proof, err := s.Confirm(s.cmd.Context(), sent.Item)
	if err != nil {
		fmt.Fprintln(s.cmd.ErrOrStderr(), "odziv: NOT CONFIRMED:", err)
		return a, nil
	}
	a.Confirmed = true
	a.Proof, err = s.keepProof(sent.Msg, sent.Item, proof)
	return a, err
}

// keepProof writes opening and .tlog-proof of an own act into the home folder.
func (s *session) keepProof(id string, item evidence.Item, proof []byte) (string, error) {
	dir := filepath.Join(s.home, "proofs")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	raw, err := statement.Marshal(item)
	if err != nil {
		return "", err
	}
	base := filepath.Join(dir, id)
	if err := os.WriteFile(base+".opening.json", raw, 0o600); err != nil {
		return "", err
	}
	return base + ".tlog-proof", os.WriteFile(base+".tlog-proof", proof, 0o600)
}

func (s *session) printSent(w io.Writer, a sentAnswer) {
	fmt.Fprintf(w, "sent %s at %s, entry %d\n", a.Msg, s.when(a.At), a.Idx)
	if a.Case != "" {
		fmt.Fprintf(w, "case %s\n", a.Case)
	}
	for _, o := range a.Opens {
		fmt.Fprintf(w, "  owed: %-22s %s -> %s by %s\n", o.Rule, s.called(o.OR), s.called(o.EE), s.when(o.Due))
	}
	for _, m := range a.Moves {
		fmt.Fprintf(w, "  %s: %s is %s\n", m.Op, m.O, m.State)
	}
	if a.Confirmed {
		fmt.Fprintf(w, "confirmed by a checkpoint; proof kept in %s\n", a.Proof)
	}
}

// setMessage is one message of a set file.
type setMessage struct {
	Kind, Case, Re, Urgency, Occurred, Subject, Text string
	Basis, Purpose, Ref, Necessity                   string
	To, Subj, Cats, Facts, Fields, Consents, Acts    []string
	Attach                                           []string
	Name                                             string // by which acts of later messages call it
}

// sendSet reads a set file and sends its messages together. RULE@NAME in an
// act names a message of the file.
func (s *session) sendSet(desk, file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var list []setMessage
	if err := json.Unmarshal(data, &list); err != nil {
		return cli.Hint(fmt.Errorf("%s: %w", file, err), "the file is a JSON list of messages, with the flags of odziv send as members")
	}
	named := map[string]string{}
	var drafts []office.Draft
	for i, m := range list {
		f := draftFlags{kind: m.Kind, cas: m.Case, re: m.Re, urgency: m.Urgency, occurred: m.Occurred, subject: m.Subject, text: m.Text,
			basis: m.Basis, purpose: m.Purpose, ref: m.Ref, necessity: m.Necessity, to: m.To, subj: m.Subj, cats: m.Cats,
			facts: m.Facts, fields: m.Fields, consents: m.Consents, acts: m.Acts}
		d, err := s.draft(&f, desk)
		if err != nil {
			return fmt.Errorf("message %d: %w", i+1, err)
		}
		d.Msg = statement.NewID(statement.Message)
		if m.Name != "" {
			named[m.Name] = d.Msg
		}
		for j := range d.Acts {
			if id, ok := named[d.Acts[j].Of]; ok {
				d.Acts[j].Of = id
			}
		}
		files, done, err := openFiles(m.Attach)
		if err != nil {
			return err
		}
		defer done()
		d.Files = files
		drafts = append(drafts, d)
	}
	return s.submitSet(drafts)
}

func (s *session) submitSet(drafts []office.Draft) error {
	all, err := s.SendSet(s.cmd.Context(), drafts)
	if err != nil {
		return err
	}
	answers := []sentAnswer{}
	for _, sent := range all {
		a, err := s.confirmed(sent)
		if err != nil {
			return err
		}
		answers = append(answers, a)
	}
	return cli.Out(s.cmd, answers, func(w io.Writer) {
		for _, a := range answers {
			s.printSent(w, a)
		}
	})
}

func replyCommand() *cobra.Command {
	var f draftFlags
	var value string
	cmd := &cobra.Command{
		Use: "reply MESSAGE", Short: "answer a message", Args: cobra.ExactArgs(1),
		Long: `reply seals a message to whoever sent the one named, in the same case, and
fulfils with it every obligation of the desk that this kind of message answers.`,
		Example: `  odziv reply m_oofw6vd6cx6m2svg5rffxs55au --kind complaint-registered --basis legal-obligation \
      --purpose procedure --field mark=KT --value known`,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, desk, err := acting(cmd)
			if err != nil {
				return err
			}
			f.re = args[0]
			return s.sendOne(desk, &f, func(d *office.Draft) error {
				l, err := s.Find(cmd.Context(), desk, args[0])
				if err != nil {
					return err
				}
				if len(d.To) == 0 {
					d.To = []string{l.From}
				}
				acts, err := s.Answers(cmd.Context(), desk, d.Kind, value, d.To, args[0])
				d.Acts = append(d.Acts, acts...)
				return err
			})
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&value, "value", "known", "reply value: known, zero, none-to-report, no-data, not-applicable, withheld")
	return cmd
}
