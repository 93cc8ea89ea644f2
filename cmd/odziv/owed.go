package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/messaging/obligation"
)

func owedCommand() *cobra.Command {
	var owing, missing, closed bool
	var explainID, silence, lang string
	cmd := &cobra.Command{
		Use: "owed", Short: "what is owed to the desk, or by it", Args: cobra.NoArgs,
		Long: `owed lists obligations as this moment makes them: what is due when, what is
overdue since when, and what was answered late. Nobody had to ask for them: they
follow from the messages and the rule pack.

--explain tells how a due date came about, step by step. --silence puts the
present state of one obligation on record, so that silence can be proven.`,
		Example: `  odziv owed --missing
  odziv owed --owing
  odziv owed --explain o_iyesbzvz7j4goqjtp6o74voom4
  odziv owed --silence o_iyesbzvz7j4goqjtp6o74voom4`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, id := range []string{explainID, silence} {
				if id != "" && !statement.IsID(id, statement.Obligation) {
					return cli.UsageError("%.40q is no obligation: it begins with o_", id)
				}
			}
			s, desk, err := acting(cmd)
			if err != nil {
				return err
			}
			switch {
			case explainID != "":
				return s.explainDuty(explainID, lang)
			case silence != "":
				return s.proveSilence(silence)
			}
			var list []wire.Duty
			if missing {
				list, err = s.Missing(cmd.Context(), desk, owing)
			} else {
				list, err = s.Duties(cmd.Context(), desk, owing, closed)
			}
			if err != nil {
				return err
			}
			lines := s.dutyLines(list)
			return s.out(lines, func(w io.Writer) { s.printDuties(w, lines, owing) })
		},
	}
	cmd.Flags().BoolVar(&owing, "owing", false, "what the desk owes, instead of what is owed to it")
	cmd.Flags().BoolVar(&missing, "missing", false, "missing replies alone: overdue and not answered")
	cmd.Flags().BoolVar(&closed, "closed", false, "closed ones too")
	cmd.Flags().StringVar(&explainID, "explain", "", "explain the due date of one obligation")
	cmd.Flags().StringVar(&silence, "silence", "", "put the state of one obligation on record")
	cmd.Flags().StringVar(&lang, "lang", "en", "of the explanation: en, sr or sr-latn")
	return cmd
}

// dutyLine is a duty, and how far others vouch for the entry that opened it:
// nothing is said of one that no feed showed to this program, for then the list
// is the exchange's word.
type dutyLine struct {
	wire.Duty
	Standing ledger.Standing `json:"standing"`
}

func (s *session) dutyLines(list []wire.Duty) []dutyLine {
	lines := make([]dutyLine, 0, len(list))
	for _, d := range list {
		lines = append(lines, dutyLine{d, s.StandingOf(d.Trigger)})
	}
	return lines
}

func (s *session) printDuties(w io.Writer, list []dutyLine, owing bool) {
	if len(list) == 0 {
		fmt.Fprintln(w, "nothing")
	}
	for _, d := range list {
		other := d.Obligor
		if owing {
			other = d.Obligee
		}
		fmt.Fprintf(w, "%-10s  %-24s %-26s due %s  %-13s  %s\n", stateOfDuty(&d.Duty), d.Rule, s.called(other), s.when(d.View.Due), inWord(d.Standing), d.ID)
	}
}

// stateOfDuty is the state in one word. An overdue duty is "no reply", nothing
// stronger.
func stateOfDuty(d *wire.Duty) string {
	switch {
	case d.View.Overdue && d.View.Missing:
		return "NO REPLY"
	case d.View.Overdue:
		return "overdue"
	case d.View.Unserved:
		return "unserved"
	case d.View.DueSoon:
		return "due soon"
	}
	return string(d.View.State)
}

func (s *session) explainDuty(id, lang string) error {
	d, err := s.Client.Obligation(s.cmd.Context(), id)
	if err != nil {
		return err
	}
	return s.out(d, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %s owes %s\n", d.Rule, s.called(d.Obligor), s.called(d.Obligee))
		s.printSteps(w, d.Steps, lang)
		for _, c := range d.Clocks {
			fmt.Fprintf(w, "right clock %s: until %s\n", c.Code, s.when(c.Due))
			s.printSteps(w, c.Steps, lang)
		}
	})
}

func (s *session) printSteps(w io.Writer, steps []obligation.Step, lang string) {
	pack, err := s.Pack(s.family)
	if err != nil {
		return
	}
	for _, line := range obligation.Explain(steps, lang, pack.Location()) {
		fmt.Fprintf(w, "  %s\n", line)
	}
}

// silenceAnswer says where the silence is on record.
type silenceAnswer struct {
	State string `json:"state"`
	recorded
}

func (s *session) proveSilence(id string) error {
	item, err := s.Silence(s.cmd.Context(), id)
	if err != nil {
		return err
	}
	r, err := s.confirm(item)
	if err != nil {
		return err
	}
	a := silenceAnswer{State: stateIn(item), recorded: r}
	return s.out(a, func(w io.Writer) {
		fmt.Fprintf(w, "%s, ", a.State)
		a.recorded.print(w)
		if a.Standing != office.NotConfirmed {
			fmt.Fprintln(w, "From now on one proof of an answer with a smaller index convicts whoever runs the exchange. It proves nothing stronger.")
		}
	})
}

// stateIn is the state that an item of silence puts on record.
func stateIn(item evidence.Item) string {
	opening, err := item.Opening()
	if err != nil {
		return ""
	}
	_, priv, err := opening.Decode()
	if err != nil {
		return ""
	}
	var d evidence.DutyData
	if statement.Unmarshal(priv.Data, &d) != nil {
		return ""
	}
	return d.State
}
