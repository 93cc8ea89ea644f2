package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
)

// sentAnswer is what became of a message.
type sentAnswer struct {
	Msg      string            `json:"msg"`
	Case     string            `json:"case,omitempty"`
	At       int64             `json:"at"`
	Opens    []evidence.Opened `json:"opens"`
	Moves    []evidence.Move   `json:"moves"`
	Cautions []office.Caution  `json:"cautions"`
	recorded
}

func sendCommand() *cobra.Command {
	var f draftFlags
	var set, resume, discard string
	var check bool
	cmd := &cobra.Command{
		Use: "send", Short: "seal a message and send it", Args: cobra.NoArgs,
		Long: `send seals a message for the desks named, submits it, and keeps the proof in the
home folder. Each message has one legal basis; an act that needs several is a
set: a JSON list of messages, accepted together or not at all, in which each
member is called as the flag of this command. "name" names a message, so that an
act of a later one can say RULE@NAME.

What the rules forbid is refused here, before anything is sealed; the exchange
decides once more when it arrives.

What was sealed and is not known to have arrived is kept, and so is what must wait
because a desk has to renew its key first. --resume goes on with it and never sends
it twice, with --urgency I at once; odziv status lists what there is.`,
		Example: `  odziv send --kind complaint --to ppo-nis.registry --basis legal-obligation --purpose procedure \
      --subj p_6swlsnx6xkwcllp2oux653v3zq --cat identity --cat statements --fact complainant=institution \
      --field facts-of-case=@facts.txt --field indicators=present --field age=adult --field role=authority --attach record.pdf
  odziv send --set dismissal.json
  odziv send --resume m_oofw6vd6cx6m2svg5rffxs55au
  odziv send --resume m_oofw6vd6cx6m2svg5rffxs55au --urgency I`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if discard != "" {
				return discardParcel(cmd, discard)
			}
			if f.kind == "" && set == "" && resume == "" {
				return cli.UsageError("say what to send: --kind and its like, --set or --resume")
			}
			s, desk, err := acting(cmd)
			if err != nil {
				return err
			}
			switch {
			case check:
				return s.checkOne(desk, &f)
			case resume != "":
				return s.resume(resume, f.urgency)
			case set != "":
				return s.sendSet(desk, set)
			}
			return s.sendOne(desk, &f, nil)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&check, "check", false, "only say what would be sealed to whom, and whether keys there are new; send nothing")
	cmd.Flags().StringVar(&set, "set", "", "JSON file with the messages of one act")
	cmd.Flags().StringVar(&resume, "resume", "", "go on with a message or set that was interrupted")
	cmd.Flags().StringVar(&discard, "discard", "", "forget a message or set that was interrupted")
	for _, alone := range []string{"resume", "discard", "kind"} {
		cmd.MarkFlagsMutuallyExclusive("set", alone)
	}
	for _, acts := range []string{"set", "resume", "discard"} {
		cmd.MarkFlagsMutuallyExclusive("check", acts)
	}
	cmd.MarkFlagsMutuallyExclusive("kind", "resume", "discard")
	return cmd
}

// resume goes on with what was interrupted or waits. A set answers with a list.
func (s *session) resume(id, urgency string) error {
	goOn := s.Resume
	switch urgency {
	case "":
	case messaging.Immediate:
		goOn = s.ResumeUrgent
	default:
		return cli.UsageError("with --resume there is only --urgency %s", messaging.Immediate)
	}
	all, err := goOn(s.cmd.Context(), id)
	if err != nil {
		return err
	}
	return s.outSent(all, statement.IsID(id, statement.Set))
}

// discardParcel needs neither keys nor an exchange.
func discardParcel(cmd *cobra.Command, id string) error {
	home, err := homeOf(cmd)
	if err != nil {
		return err
	}
	notebook, err := office.OpenNotebook(home)
	if err != nil {
		return err
	}
	if err := notebook.Discard(id); err != nil {
		return cli.Hint(err, "odziv status lists what waits to be sent")
	}
	return cli.Out(cmd, map[string]string{"discarded": id}, func(w io.Writer) {
		fmt.Fprintf(w, "forgotten: %s. If it had arrived in full it is on record: see odziv inbox --sent\n", id)
	})
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
	return s.outSent([]office.Sent{sent}, false)
}

// outSent waits for the proof of each message and prints what became of it. It
// is on record whatever happens here, so only a lie of the exchange is an error.
func (s *session) outSent(all []office.Sent, set bool) error {
	answers := make([]sentAnswer, 0, len(all))
	for _, sent := range all {
		a, err := s.confirmed(sent)
		if err != nil {
			return fmt.Errorf("%s was accepted, but: %w", sent.Msg, err)
		}
		answers = append(answers, a)
	}
	var v any = answers
	if !set {
		v = answers[0]
	}
	return s.out(v, func(w io.Writer) {
		for _, a := range answers {
			s.printSent(w, a)
		}
	})
}

// confirmed waits for the checkpoint over a message.
func (s *session) confirmed(sent office.Sent) (sentAnswer, error) {
	a := sentAnswer{Msg: sent.Msg, Case: sent.Case, At: sent.Meta.At, Opens: sent.Priv.Opens, Moves: sent.Priv.Moves, Cautions: sent.Cautions}
	if a.Opens == nil {
		a.Opens = []evidence.Opened{}
	}
	if a.Moves == nil {
		a.Moves = []evidence.Move{}
	}
	if a.Cautions == nil {
		a.Cautions = []office.Caution{}
	}
	s.cautions(a.Cautions)
	var err error
	a.recorded, err = s.confirm(sent.Item)
	return a, err
}

// note says on standard error what does not change the outcome.
func (s *session) note(format string, args ...any) {
	fmt.Fprintf(s.cmd.ErrOrStderr(), "odziv: "+format+"\n", args...)
}

func (s *session) printSent(w io.Writer, a sentAnswer) {
	fmt.Fprintf(w, "sent %s at %s\n", a.Msg, s.when(a.At))
	if a.Case != "" {
		fmt.Fprintf(w, "case %s\n", a.Case)
	}
	for _, o := range a.Opens {
		fmt.Fprintf(w, "  owed: %-22s %s -> %s by %s\n", o.Rule, s.called(o.OR), s.called(o.EE), s.when(o.Due))
	}
	for _, m := range a.Moves {
		fmt.Fprintf(w, "  %s: %s is %s\n", m.Op, m.O, m.State)
	}
	a.recorded.print(w)
}

// setMessage is one message of a set file, each member called as its flag.
type setMessage struct {
	Name      string   `json:"name"` // by which acts of later messages call it
	Kind      string   `json:"kind"`
	To        []string `json:"to"`
	Case      string   `json:"case"`
	Subj      []string `json:"subj"`
	Re        string   `json:"re"`
	Basis     string   `json:"basis"`
	Purpose   string   `json:"purpose"`
	Ref       string   `json:"ref"`
	Necessity string   `json:"necessity"`
	Consent   []string `json:"consent"`
	Cat       []string `json:"cat"`
	Fact      []string `json:"fact"`
	Field     []string `json:"field"`
	Subject   string   `json:"subject"`
	Text      string   `json:"text"`
	Attach    []string `json:"attach"`
	Urgency   string   `json:"urgency"`
	Occurred  string   `json:"occurred"`
	Hold      string   `json:"hold"`
	HoldUntil string   `json:"hold-until"`
	Act       []string `json:"act"`
	Despite   bool     `json:"despite-unexpected"`
}

func (m *setMessage) flags() *draftFlags {
	return &draftFlags{kind: m.Kind, cas: m.Case, re: m.Re, urgency: m.Urgency, occurred: m.Occurred, subject: m.Subject, text: m.Text,
		basis: m.Basis, purpose: m.Purpose, ref: m.Ref, necessity: m.Necessity, to: m.To, subj: m.Subj, cats: m.Cat, facts: m.Fact,
		fields: m.Field, consents: m.Consent, acts: m.Act, attach: m.Attach, hold: m.Hold, holdUntil: m.HoldUntil, despite: m.Despite}
}

// maxSetFile bounds a set file, in bytes.
const maxSetFile = 8 << 20

// sendSet reads a set file and sends its messages together. RULE@NAME in an
// act names a message of the file.
func (s *session) sendSet(desk, file string) error {
	var list []setMessage
	if err := cli.ReadJSON(file, maxSetFile, &list); err != nil {
		return cli.Hint(err, "the file is a JSON list of messages whose members are called as the flags of odziv send")
	}
	named := map[string]string{}
	var drafts []office.Draft
	for i, m := range list {
		d, err := s.draft(m.flags(), desk)
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
		var done func()
		if d.Files, done, err = openFiles(m.Attach); err != nil {
			return fmt.Errorf("message %d: %w", i+1, err)
		}
		defer done()
		drafts = append(drafts, d)
	}
	all, err := s.SendSet(s.cmd.Context(), drafts)
	if err != nil {
		return err
	}
	return s.outSent(all, true)
}

func replyCommand() *cobra.Command {
	var f draftFlags
	var value string
	cmd := &cobra.Command{
		Use: "reply MESSAGE", Short: "answer a message", Args: cobra.ExactArgs(1),
		Long: `reply seals a message to whoever sent the one named, in the same case, and
fulfils with it every obligation of the desk that this kind of message answers.`,
		Example: `  odziv reply m_oofw6vd6cx6m2svg5rffxs55au --kind complaint-registered --basis cooperation \
      --purpose procedure --field register=kt --field "number=12/2026" --value known`,
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
