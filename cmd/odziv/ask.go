package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/odziv/odziv/internal/ceremony"
	"github.com/odziv/odziv/internal/cli"
)

// asker asks a person at a terminal. Where there is none it takes a comparison
// for made only if its fingerprint was typed on the command line or into a plan,
// from paper.
type asker struct {
	cmd      *cobra.Command
	terminal bool
	compared []string // fingerprints that somebody typed
	yes      bool     // what no fingerprint guards is confirmed already

	// named says that the command names one exact statement, by its digest or as
	// a file that somebody prepared: where nobody can be asked, that is the answer.
	named bool
}

// errAnswersEnd says that the terminal was closed in the middle of a question.
var errAnswersEnd = errors.New("there are no more answers")

// errDeclined ends a command that somebody answered with no.
func errDeclined(hint string) error {
	return &cli.Error{Err: errors.New("you answered no: nothing was signed"), Hint: hint, Code: cli.Refused}
}

// asking adds the flags that stand for answers.
func asking(cmd *cobra.Command) *asker {
	a := &asker{cmd: cmd}
	cmd.Flags().StringArrayVar(&a.compared, "compared", nil, "a fingerprint as you read it on paper, in place of the answer yes; may be repeated")
	cmd.Flags().BoolVar(&a.yes, "yes", false, "you read the words already: ask no question about them (comparisons are asked for all the same)")
	return a
}

// askingAbout is asking for a command that names one exact statement.
func askingAbout(cmd *cobra.Command) *asker {
	a := asking(cmd)
	a.named = true
	return a
}

// begin says whether there is somebody to ask.
func (a *asker) begin() { a.terminal = term.IsTerminal(int(os.Stdin.Fd())) }

// say writes to the person, not into the answer.
func (a *asker) say(format string, args ...any) { fmt.Fprintf(a.cmd.ErrOrStderr(), format, args...) }

// words shows a statement before it is signed.
func (a *asker) words(w ceremony.Words) {
	if !cli.JSON(a.cmd) {
		w.Print(a.cmd.ErrOrStderr())
		a.say("\n")
	}
}

// maxAnswer bounds a line typed, in bytes: a base64 key is 44.
const maxAnswer = 16 << 10

// line reads one answer. An interruption ends the question at once; what was
// answered before it is kept by whoever asked.
func (a *asker) line(prompt string) (string, error) {
	if !a.terminal {
		return "", &cli.Error{Err: fmt.Errorf("there is no terminal to ask: %s", strings.TrimRight(prompt, " :?")),
			Hint: "answer with flags or a plan file: see --help", Code: cli.Usage}
	}
	a.say("%s ", prompt)
	typed := make(chan string, 1)
	go func() { typed <- oneLine(a.cmd.InOrStdin()) }()
	select {
	case text := <-typed:
		if text == "" || !utf8.ValidString(text) {
			a.say("\n")
			return "", cli.Hint(errAnswersEnd, "nothing was signed; run the same command again, it goes on where you were")
		}
		return strings.TrimSpace(text), nil
	case <-a.cmd.Context().Done():
		a.say("\n")
		return "", fmt.Errorf("interrupted: %w", context.Cause(a.cmd.Context()))
	}
}

// oneLine reads no further than the end of a line, since what follows it belongs
// to the next question or, in odziv session, to the next command. It returns ""
// where nothing more comes.
func oneLine(in io.Reader) string {
	var text []byte
	one := make([]byte, 1)
	for len(text) < maxAnswer {
		n, err := in.Read(one)
		text = append(text, one[:n]...)
		if err != nil || n == 1 && one[0] == '\n' {
			break
		}
	}
	return string(text)
}

// ask reads an answer that may be left empty for what stands in brackets.
func (a *asker) ask(question, otherwise string) (string, error) {
	prompt := question + ":"
	if otherwise != "" {
		prompt = fmt.Sprintf("%s [%s]:", question, otherwise)
	}
	text, err := a.line(prompt)
	if err == nil && text == "" {
		text = otherwise
	}
	return text, err
}

// confirm wants the whole word yes: a key pressed by habit is no answer.
func (a *asker) confirm(question, ifNot string) error {
	if a.yes || !a.terminal {
		return nil // the command itself, with its arguments, said so
	}
	ok, err := a.yesOrNo(question)
	if err == nil && !ok {
		err = errDeclined(ifNot)
	}
	return err
}

func (a *asker) yesOrNo(question string) (bool, error) {
	for {
		text, err := a.line(question + " Type yes or no:")
		switch {
		case err != nil:
			return false, err
		case strings.EqualFold(text, "yes"):
			return true, nil
		case strings.EqualFold(text, "no"):
			return false, nil
		}
		a.say("Neither yes nor no was typed.\n")
	}
}

// compare wants a fingerprint held against paper. who is whose it is, such as
// "council key 2"; digest is its hex.
func (a *asker) compare(who, digest, ifNot string) error {
	for _, typed := range a.compared {
		if ceremony.Compared(typed, digest) {
			return nil
		}
	}
	if !a.terminal && a.named {
		return nil
	}
	if !a.terminal {
		return &cli.Error{Err: fmt.Errorf("nobody compared the fingerprint of %s: %s", who, ceremony.Fingerprint(digest)),
			Hint: `hold it against the sheet of its owner, and type what the sheet says: --compared "1a2b 3c4d …"`, Code: cli.Refused}
	}
	all := ceremony.Fingerprint(digest)
	a.say("\nFingerprint of %s:\n\n    %s\n    %s\n\n", who, all[:39], all[40:])
	ok, err := a.yesOrNo("Read it aloud, group by group, from the PAPER of its owner. Is every group the same?")
	if err == nil && !ok {
		err = errDeclined(ifNot)
	}
	return err
}

// notSame is what to do when a fingerprint differs.
const notSame = "the file was mixed up or exchanged: ask its owner for key.json again, in person, and do not go on without it"
