package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/keys/keystore"
)

// newWords makes the passphrase that will lock a keystore, and lets the person
// have it, before anything is locked with it: a kill in between costs six words,
// not keys. undo takes back what was written.
func newWords(cmd *cobra.Command, file string, own bool) (words keystore.Secret, undo func(), err error) {
	undo = func() {}
	if own {
		words, err = ownWords(cmd.Context())
		return words, undo, err
	}
	words = keystore.GeneratePassphrase()
	if file != "" {
		if err := writeNew(file, []byte(words.Reveal()+"\n")); err != nil {
			return words, undo, cli.Hint(err, "name a file that does not exist yet")
		}
		return words, func() { os.Remove(file) }, nil
	}
	say := cmd.ErrOrStderr()
	fmt.Fprintf(say, "Your passphrase, shown only now. Write it on paper and keep it apart from this computer:\n\n    %s\n\n", words.Reveal())
	if term.IsTerminal(int(os.Stdin.Fd())) {
		err = typedBack(cmd.InOrStdin(), say, words)
	}
	return words, undo, err
}

// maxBack is how often a word may be typed wrongly before the person is taken to
// have nothing on paper.
const maxBack = 5

// typedBack wants two of the words typed, to see that they are on paper.
func typedBack(in io.Reader, say io.Writer, words keystore.Secret) error {
	list := strings.Fields(words.Reveal())
	ask := rand.Perm(len(list))[:2]
	slices.Sort(ask)
	fmt.Fprintln(say, "To see that it is on paper, type two of the words.")
	wrong := 0
	for _, n := range ask {
		for {
			fmt.Fprintf(say, "word %d: ", n+1)
			text, err := readLine(in)
			if err != nil {
				return cli.Hint(fmt.Errorf("the words were not typed back: %w", err), "nothing was changed; run the same command again, it makes other words")
			}
			if keystore.SameWord(text, list[n]) {
				break
			}
			if wrong++; wrong == maxBack {
				return cli.Hint(errors.New("the words were not typed back"), "nothing was changed; run the same command again, it makes other words")
			}
			fmt.Fprintf(say, "That is not word %d of your paper. Look at it once more.\n", n+1)
		}
	}
	return nil
}

// ownWords reads a passphrase of somebody's own, twice.
func ownWords(ctx context.Context) (keystore.Secret, error) {
	first, err := askTerminal(ctx, "new passphrase: ")
	if err != nil {
		return first, err
	}
	second, err := askTerminal(ctx, "the same once more: ")
	if err != nil {
		return first, err
	}
	if first.Reveal() != second.Reveal() {
		return first, cli.Hint(errors.New("the two are not the same"), "nothing was changed; run the same command again")
	}
	return first, nil
}

// readLine reads up to the end of the line and not a byte further: what comes after
// may be read by somebody else.
func readLine(in io.Reader) (string, error) {
	var line []byte
	var one [1]byte
	for len(line) < maxLine {
		n, err := in.Read(one[:])
		if n == 1 && one[0] == '\n' {
			return string(line), nil
		}
		if n == 1 {
			line = append(line, one[0])
		}
		if err != nil {
			return string(line), err
		}
	}
	return "", errors.New("the line is too long")
}

// syncFolder makes a rename or a removal last.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	d.Sync() // where a file system cannot, what was written is as safe as it makes it
	return d.Close()
}
