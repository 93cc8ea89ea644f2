package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/audit"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/script"
)

const serbianLatin = "sr-latn"

// output is the JSON object of a run.
type output struct {
	Verdict  string   `json:"verdict"` // of the worst file
	Exit     int      `json:"exit"`
	Files    []result `json:"files"`
	Compared *result  `json:"compared,omitempty"`
}

// verdicts are what is said of a file.
var verdicts = map[string]map[string]string{
	audit.English: {verdictVerified: "verified", verdictFailed: "DOES NOT VERIFY", verdictUnreadable: "cannot be read",
		notPinned: "verified, but not pinned to a genesis"},
	audit.Serbian: {verdictVerified: "исправно", verdictFailed: "НИЈЕ ИСПРАВНО", verdictUnreadable: "не може се прочитати",
		notPinned: "исправно, али порекло није утврђено"},
}

const notPinned = "not-pinned"

func (p *program) print(cmd *cobra.Command, out *output) error {
	out.Exit = p.exit
	out.Verdict = map[int]string{exitVerified: verdictVerified, exitFailed: verdictFailed, exitUnreadable: verdictUnreadable}[p.exit]
	if cli.JSON(cmd) {
		return cli.Print(cmd.OutOrStdout(), out)
	}
	for i := range out.Files {
		p.file(cmd, &out.Files[i])
	}
	if out.Compared != nil {
		p.file(cmd, out.Compared)
	}
	return nil
}

// file writes what became of one file: its report to standard output, what does
// not verify or cannot be read to standard error.
func (p *program) file(cmd *cobra.Command, r *result) {
	w := cmd.OutOrStdout()
	if r.Verdict == verdictVerified {
		if !p.quiet {
			p.report(w, r)
		}
		return
	}
	w = cmd.ErrOrStderr()
	fmt.Fprintf(w, "odziv-verify: error: %s: %s\n", clean(r.File), p.words(r.Verdict))
	for _, f := range r.Findings {
		fmt.Fprintf(w, "  %s\n", clean(f.String()))
	}
	if r.Error != "" {
		fmt.Fprintf(w, "  %s\n", clean(r.Error))
	}
	fmt.Fprintf(w, "odziv-verify: hint: %s\n", hint(r))
}

// hint says what to do next.
func hint(r *result) string {
	switch {
	case r.Verdict == verdictUnreadable:
		return "name an evidence file, a consent receipt, an audit bundle (zip) or a .tlog-proof"
	case r.Report.Kind == audit.KindConvict && r.Report.Convict == nil:
		return "nothing is proven against the operator by these two; --convict takes the silence file first, then the evidence file of an entry before it"
	case anyFinding(r, "two histories"):
		return "keep every file as it is: two signed checkpoints that contradict each other convict whoever signed them; tell the auditor and the witnesses"
	case strings.Contains(r.Error, "the policy you gave"), anyFinding(r, "the policy you gave"):
		return "get a file made later, when more witnesses cosigned; or check the policy"
	case strings.Contains(r.Error, "not the one you gave"), len(r.Findings) > 0 && strings.Contains(r.Findings[0].What, "not the one you gave"):
		return "compare the hash after --genesis with the annex of the agreement, digit by digit"
	}
	return "keep the file as it is; get another copy from whoever issued it, and if that does not verify either, tell the auditor"
}

func anyFinding(r *result, what string) bool {
	return slices.ContainsFunc(r.Findings, func(f audit.Finding) bool { return strings.Contains(f.What, what) })
}

func (p *program) report(w io.Writer, r *result) {
	verdict := r.Verdict
	if !r.Report.Pinned && r.Report.Genesis != "" {
		verdict = notPinned
	}
	fmt.Fprintf(w, "%s: %s\n", clean(r.File), p.words(verdict))
	for _, f := range r.Report.Facts {
		fmt.Fprintf(w, "  %s\n", clean(p.inLanguage(f)))
	}
}

func (p *program) words(verdict string) string {
	if p.lang == audit.English {
		return verdicts[audit.English][verdict]
	}
	return p.spelled(verdicts[audit.Serbian][verdict])
}

func (p *program) inLanguage(f audit.Fact) string {
	if p.lang == audit.English {
		return f.Text(audit.English)
	}
	return p.spelled(f.Text(audit.Serbian))
}

func (p *program) spelled(text string) string {
	if p.lang == serbianLatin {
		return script.Latin(text)
	}
	return text
}

// clean keeps what a file says from steering a terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}
