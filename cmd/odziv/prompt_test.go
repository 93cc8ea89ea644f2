package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/odziv/odziv/keys/keystore"
)

// person sits at a terminal: she waits for what the screen must show, and types.
type person struct {
	*terminal
	t    *testing.T
	read int // of the screen, so far
}

func sit(t *testing.T, args ...string) *person {
	t.Helper()
	cmd := exec.Command("odziv", args...)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "ODZIV_") }), "HOME="+t.TempDir())
	p := &person{terminal: atTerminal(t, cmd), t: t}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait(); p.master.Close() })
	return p
}

// sees waits until the screen shows something new that matches.
func (p *person) sees(pattern string) []string {
	p.t.Helper()
	re := regexp.MustCompile("(?m)" + pattern)
	watchdog := time.AfterFunc(2*time.Minute, func() { p.cmd.Process.Kill() })
	defer watchdog.Stop()
	chunk := make([]byte, 4096)
	for {
		text := strings.ReplaceAll(p.screen.String(), "\r", "")
		if m := re.FindStringSubmatchIndex(text[p.read:]); m != nil {
			found := re.FindStringSubmatch(text[p.read:])
			p.read += m[1]
			return found
		}
		n, err := p.master.Read(chunk)
		p.screen.Write(chunk[:n])
		if err != nil && n == 0 {
			p.t.Fatalf("the screen never shows %q:\n%s", pattern, text)
		}
	}
}

func (p *person) types(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.master, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

func (p *person) ended() int {
	p.t.Helper()
	io.Copy(&p.screen, p.master)
	p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}

// typesPassphrase types unseen.
func (p *person) typesPassphrase(words string) {
	p.t.Helper()
	p.sees(`passphrase: $`)
	p.types(words)
}

// A session at a terminal: a wrong passphrase, a mistyped word, the lock by hand and
// by itself, and the ends.
func TestSessionAtTerminal(t *testing.T) {
	home, secrets := canaryHome(t)
	words := secrets["passphrase"]
	must(t, os.Remove(filepath.Join(home, "passphrase")))
	p := sit(t, "--demo", "--home", home, "session", "--lock-after", "2s")
	p.typesPassphrase("nothing like it at all")
	p.sees(`This is not the passphrase of this keystore. Try again.`)
	list := strings.Fields(words)
	p.typesPassphrase(strings.Join(append(slices.Clone(list[:5]), "xxxxx"), " "))
	p.sees(`Word 6 is not one of the words that passphrases are made of. Try again.`)
	p.typesPassphrase(strings.ToUpper(words))
	p.sees(`^Keys unlocked.*\n^odziv> $`)
	p.types("keys show")
	p.sees(`role +officer`)
	p.sees(`^odziv> $`)
	p.types("lock")
	p.sees(`^odziv \(locked\)> $`)
	p.types("keys show")
	p.typesPassphrase(words)
	p.sees(`role +officer`)
	p.sees(`^odziv> $`)
	p.sees(`Locked after 2s without a command.\n^odziv \(locked\)> $`) // nobody typed
	p.types("keys show")
	p.typesPassphrase("wrong as can be")
	p.typesPassphrase("wrong as can be")
	p.typesPassphrase("wrong as can be")
	p.sees(`odziv: error: .*wrong passphrase`)
	p.sees(`^odziv \(locked\)> $`)
	io.WriteString(p.master, interrupt) // throws nobody out
	p.sees(`^odziv \(locked\)> $`)
	p.types("keys show")
	p.typesPassphrase(words)
	p.sees(`role +officer`)
	p.sees(`^odziv> $`)
	p.types("end")
	if code := p.ended(); code != 0 {
		t.Errorf("exit %d", code)
	}
	secrets.look(t, "the screen", p.screen.String())
}

// Ctrl-C at the question for a passphrase ends the command, and leaves a terminal
// that shows what is typed.
func TestPassphraseInterrupted(t *testing.T) {
	home, _ := canaryHome(t)
	must(t, os.Remove(filepath.Join(home, "passphrase")))
	p := sit(t, "--demo", "--home", home, "keys", "show")
	p.sees(`passphrase: $`)
	io.WriteString(p.master, interrupt)
	p.sees(`odziv: error: context canceled`)
	if code := p.ended(); code == 0 {
		t.Error("it ended well")
	}
}

// Whoever ends the program, the keys go first.
func TestSessionEnded(t *testing.T) {
	home, secrets := canaryHome(t)
	must(t, os.Remove(filepath.Join(home, "passphrase")))
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP} {
		p := sit(t, "--demo", "--home", home, "session")
		p.typesPassphrase(secrets["passphrase"])
		p.sees(`^odziv> $`)
		must(t, p.cmd.Process.Signal(signal))
		p.sees(`Locked, as this program was asked to end.`)
		if code := p.ended(); code != 0 {
			t.Errorf("%v: exit %d", signal, code)
		}
	}
	p := sit(t, "--demo", "--home", home, "session")
	p.typesPassphrase(secrets["passphrase"])
	p.sees(`^odziv> $`)
	io.WriteString(p.master, "\x04") // Ctrl-D
	if code := p.ended(); code != 0 {
		t.Errorf("Ctrl-D: exit %d", code)
	}
}

// enroll shows the words once and has two of them typed back before anything is
// locked with them: a kill before that leaves no keys that nobody can open.
func TestWordsTypedBack(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	begin := func() (*person, []string) {
		p := sit(t, "--demo", "--home", home, "enroll", "--as", "council")
		shown := p.sees(`^    ([a-z]{5}(?: [a-z]{5}){5})$`)
		return p, strings.Fields(shown[1])
	}
	number := func(p *person) int {
		var n int
		fmt.Sscan(p.sees(`^word (\d): $`)[1], &n)
		return n - 1
	}
	p, _ := begin()
	number(p)
	must(t, p.cmd.Process.Kill())
	p.ended()
	if entries, _ := os.ReadDir(home); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
	p, _ = begin()
	for range maxBack {
		number(p)
		p.types("babab babab")
	}
	p.sees(`odziv: error: the words were not typed back`)
	if code := p.ended(); code == 0 {
		t.Error("went on without the words")
	}
	p, list := begin()
	n := number(p)
	p.types("babab babab")
	p.sees(`That is not word \d of your paper`)
	if again := number(p); again != n {
		t.Errorf("asks for word %d after %d", again+1, n+1)
	}
	p.types(strings.ToUpper(list[n]))
	p.types(list[number(p)])
	p.sees(`^fingerprint  ([0-9a-f]{4} ?){16}$`)
	if code := p.ended(); code != 0 {
		t.Errorf("exit %d", code)
	}
	if _, err := keystore.Open(filepath.Join(home, keystoreFile), keystore.NewSecret(strings.Join(list, " ")), keystore.Options{Demo: true}); err != nil {
		t.Error(err)
	}
}

// A passphrase of one's own is typed twice, unseen.
func TestOwnWords(t *testing.T) {
	home, secrets := canaryHome(t)
	must(t, os.Remove(filepath.Join(home, "passphrase")))
	const own = "moja lozinka je dugačka"
	change := func(old, first, second string) (string, int) {
		p := sit(t, "--demo", "--home", home, "keys", "passphrase", "--own")
		p.typesPassphrase(old)
		p.typesPassphrase(first)
		p.sees(`once more: $`)
		p.types(second)
		code := p.ended()
		secrets.look(t, "the screen", p.screen.String())
		if strings.Contains(p.screen.String(), "lozinka") {
			t.Error("the new passphrase is on the screen")
		}
		return p.screen.String(), code
	}
	if screen, code := change(secrets["passphrase"], own, own+"!"); code == 0 || !strings.Contains(screen, "the two are not the same") {
		t.Errorf("%d %s", code, screen)
	}
	if screen, code := change(secrets["passphrase"], own, own); code != 0 {
		t.Fatalf("%d %s", code, screen)
	}
	if _, err := keystore.Open(filepath.Join(home, keystoreFile), keystore.NewSecret(own), keystore.Options{Demo: true}); err != nil {
		t.Error(err)
	}
	if screen, code := change(own, "babab babab babab babab xxxxx yyyyy", "babab babab babab babab xxxxx yyyyy"); code == 0 || !strings.Contains(screen, "passphrase cannot be used") {
		t.Errorf("one that can never be typed: %d %s", code, screen)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestSplitLine(t *testing.T) {
	for line, want := range map[string][]string{
		"":                             nil,
		" \t\r\n":                      nil,
		"status":                       {"status"},
		"  a   b\n":                    {"a", "b"},
		`a "b c" 'd e' f\ g`:           {"a", "b c", "d e", "f g"},
		`--field x="y z" ''`:           {"--field", "x=y z", ""},
		`'a "b" \' "c 'd' \" \\"`:      {`a "b" \`, `c 'd' " \`},
		"читај \"две речи\"":           {"читај", "две речи"},
		"$HOME `x` $(y) ~ * ; | > & #": {"$HOME", "`x`", "$(y)", "~", "*", ";", "|", ">", "&", "#"},
	} {
		if got, err := splitLine(line); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v", line, got, err)
		}
	}
	for _, line := range []string{`"`, `a 'b`, `a \`, "\xff", "a\x00b"} {
		if got, err := splitLine(line); err == nil {
			t.Errorf("%q: %q", line, got)
		}
	}
}

// FuzzSplitLine: what is split and quoted again splits the same.
func FuzzSplitLine(f *testing.F) {
	for _, seed := range []string{`a "b c" 'd'`, `\ `, `''`, "\"", "ж \t ж"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words, err := splitLine(line)
		if err != nil {
			return
		}
		var again []string
		for _, w := range words {
			again = append(again, `'`+strings.ReplaceAll(w, `'`, `'\''`)+`'`)
		}
		if got, err := splitLine(strings.Join(again, " ")); err != nil || !slices.Equal(got, words) {
			if !strings.ContainsAny(strings.Join(words, ""), "\r\n") { // ends of lines are trimmed
				t.Errorf("%q: %q, %v", words, got, err)
			}
		}
	})
}

func TestRanges(t *testing.T) {
	for want, list := range map[string][]int64{"": nil, "1": {1}, "1-2": {1, 2}, "1-3, 5, 7-8": {1, 2, 3, 5, 7, 8}} {
		if got := ranges(list); got != want {
			t.Errorf("%v: %q, want %q", list, got, want)
		}
	}
}
