package main

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/keystore"
)

// canaries are secrets in every spelling in which one could slip out.
type canaries map[string]string

func (c canaries) add(what, secret string) {
	c[what] = secret
	c[what+" in hex"] = hex.EncodeToString([]byte(secret))
	c[what+" in base64"] = strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(secret)), "=")
	c[what+" as numbers"] = strings.Trim(fmt.Sprint([]byte(secret)), "[]")
}

func (c canaries) look(t *testing.T, where, text string) {
	t.Helper()
	text = strings.ToLower(text)
	for what, secret := range c {
		if strings.Contains(text, strings.ToLower(secret)) {
			t.Errorf("%s: %s is in the output", where, what)
		}
	}
	if strings.Contains(text, "age-secret-key") {
		t.Errorf("%s: some identity is in the output", where)
	}
}

// nobody is an address that answers every request with a 404, so that nothing is
// tried again.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				c.Read(make([]byte, 4096))
				io.WriteString(c, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// canaryHome is a folder with keys that are looked for in all that is printed. Its
// exchange knows nothing.
func canaryHome(t *testing.T) (home string, secrets canaries) {
	t.Helper()
	home = t.TempDir()
	words := keystore.GeneratePassphrase()
	path := filepath.Join(home, keystoreFile)
	keys, err := keystore.Create(path, words, keystore.Owner{Role: keystore.Officer, Inst: statement.NewID(statement.Institution), Officer: statement.NewID(statement.Officer)},
		time.Now().UnixMilli(), keystore.Options{Demo: true})
	if err != nil {
		t.Fatal(err)
	}
	desk, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.AddDeskEpoch(statement.NewID(statement.Desk), 1, desk); err != nil {
		t.Fatal(err)
	}
	if err := keys.Save(path, words); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "passphrase"), []byte(words.Reveal()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := office.CreateNotebook(home, office.Pin{URL: nobody(t), Genesis: strings.Repeat("0", 64)}); err != nil {
		t.Fatal(err)
	}
	secrets = canaries{"identity": keys.Identity().String(), "desk's identity": desk.String()}
	for i, w := range strings.Fields(words.Reveal()) {
		secrets[fmt.Sprintf("word %d", i+1)] = w
	}
	secrets.add("passphrase", words.Reveal())
	if err := keys.WithSeed(func(seed []byte) error { secrets.add("seed", string(seed)); return nil }); err != nil {
		t.Fatal(err)
	}
	return home, secrets
}

// TestCanaries runs every command, with what its examples say and without, with a
// keystore that opens, one under another passphrase and one that is damaged. No
// secret is in any output.
func TestCanaries(t *testing.T) {
	home, secrets := canaryHome(t)
	wrong := filepath.Join(t.TempDir(), "wrong")
	mistyped := filepath.Join(t.TempDir(), "mistyped")
	for file, text := range map[string]string{wrong: keystore.GeneratePassphrase().Reveal(), mistyped: secrets["word 1"] + " " + secrets["word 2"] + " " + secrets["word 3"] + " xxxxx yyyyy zzzzz"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	damaged := t.TempDir()
	if err := os.CopyFS(damaged, os.DirFS(home)); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(damaged, keystoreFile))
	if err != nil {
		t.Fatal(err)
	}
	file[len(file)-1] ^= 1
	if err := os.WriteFile(filepath.Join(damaged, keystoreFile), file, 0o600); err != nil {
		t.Fatal(err)
	}
	list := everyCommand()
	if len(list) < 100 {
		t.Errorf("only %d command lines", len(list))
	}
	others := [][]string{{"--home", home, "--passphrase-file", wrong}, {"--home", home, "--passphrase-file", mistyped}, {"--home", damaged}}
	t.Run("all", func(t *testing.T) {
		for i, args := range list {
			flags := []string{"--home", home}
			if i%10 == 0 {
				flags = others[i/10%len(others)] // one code asks for all
			}
			t.Run(strings.Join(args, " "), func(t *testing.T) {
				t.Parallel()
				cmd := exec.Command("odziv", append(append([]string{"--demo"}, flags...), args...)...)
				cmd.Dir = t.TempDir()
				cmd.Stdin = strings.NewReader("status\nkeys show\n")
				out, _ := cmd.CombinedOutput()
				secrets.look(t, strings.Join(flags, " "), string(out))
			})
		}
	})
	if out, err := exec.Command("odziv", "--demo", "--home", home, "keys", "show").CombinedOutput(); err != nil {
		t.Errorf("the keys were lost on the way: %v\n%s", err, out)
	}
}

// everyCommand are the command lines of all examples, and each command without
// arguments, as JSON. What would replace the keys or wait is left out.
func everyCommand() (list [][]string) {
	skip := func(args []string) bool {
		line := strings.Join(args, " ")
		return strings.Contains(line, "observe") || strings.Contains(line, "keys passphrase") || strings.Contains(line, "enroll")
	}
	walk(root(), func(c *cobra.Command) {
		all := [][]string{append(strings.Fields(c.CommandPath())[1:], "--json")}
		for _, line := range examples(c.Example) {
			all = append(all, words(line)[1:])
		}
		for _, args := range all {
			args = withoutHome(args)
			if !skip(args) {
				list = append(list, args)
			}
		}
	})
	return list
}

// withoutHome leaves out the folder of an example: ours has the secrets.
func withoutHome(args []string) (kept []string) {
	for i := 0; i < len(args); i++ {
		if args[i] == "--home" {
			i++
			continue
		}
		kept = append(kept, args[i])
	}
	return kept
}

// TestSessionPrintsRedacted: what commands hold prints no secret under any verb.
func TestSessionPrintsRedacted(t *testing.T) {
	home, secrets := canaryHome(t)
	cmd := root()
	cmd.SetArgs([]string{})
	if err := cmd.ParseFlags([]string{"--demo", "--home", home}); err != nil {
		t.Fatal(err)
	}
	cmd.SetContext(t.Context())
	s, err := open(cmd)
	if err != nil {
		t.Fatal(err)
	}
	u := &unlocked{home, s.keys, s.at}
	held := withHeld(t.Context(), u)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{s.keys, *s.keys, u, *u, s.at, held, s.keysAnswer()} {
			secrets.look(t, fmt.Sprintf("%T as %s", v, verb), fmt.Sprintf(verb, v))
		}
		if f, ok := s.at.(*filed); ok {
			secrets.look(t, "the keeper as "+verb, fmt.Sprintf(verb, *f))
		}
	}
}
