package interop

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/keystore"
)

// A person who lost our program opens a keystore at a terminal with age's own,
// types the passphrase, and reads mail with what is in it.
func TestAgeOpensKeystore(t *testing.T) {
	l := seal(t)
	b := l.box(t)
	desk := l.sealed.Notice.Core.To[0]
	pass := keystore.GeneratePassphrase()
	owner := keystore.Owner{Role: keystore.Officer, Inst: statement.NewID(statement.Institution), Officer: statement.NewID(statement.Officer)}
	path := filepath.Join(b.dir, "ks.age")
	ks, err := keystore.Create(path, pass, owner, 1772442000000, keystore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := ks.AddDeskEpoch(desk.Desk, desk.Epoch, l.desk); err != nil {
		t.Fatal(err)
	}
	if err := ks.Save(path, pass); err != nil {
		t.Fatal(err)
	}

	b.must("age-inspect --json ks.age | jq -e '.stanza_types == [\"scrypt\"]'")
	if err := atTerminal(t, b, pass.Reveal(), "-d", "-o", "id.txt", "ks.age"); err != nil {
		t.Fatal(err)
	}
	if got := b.must(`age -d -i id.txt body.age | jq -r .text.subject`); got != "допис" {
		t.Errorf("subject %q", got)
	}
	text, err := os.ReadFile(filepath.Join(b.dir, "id.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), desk.Desk+" epoch 3\n"+l.desk.String()) {
		t.Error("the file does not say which desk and epoch the identity is of")
	}
	if err := atTerminal(t, b, pass.Reveal()+"x", "-d", "-o", "wrong.txt", "ks.age"); err == nil {
		t.Error("opened with another passphrase")
	}
}

// atTerminal runs age on a terminal and types one line.
func atTerminal(t *testing.T, b *box, line string, args ...string) error {
	t.Helper()
	dir, err := ageTools()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, "age"), args...)
	cmd.Dir = b.dir
	tty, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	if _, err := io.WriteString(tty, line+"\n"); err != nil {
		t.Fatal(err)
	}
	said, _ := io.ReadAll(tty) // ends with an error of the terminal when age ends
	if err := cmd.Wait(); err != nil {
		t.Logf("age said %q", said)
		return err
	}
	return nil
}
