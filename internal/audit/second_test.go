package audit_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/audit"
	"github.com/odziv/odziv/internal/audit/audittest"
	"github.com/odziv/odziv/internal/audit/second"
	"github.com/odziv/odziv/ledger"
)

// The tests of this folder ask two verifiers: this package, and
// testdata/verify.py, written from the FORMAT.md files alone. Whatever one of
// them lets pass the other must, and find the same in it.
var python = second.Verifier{Script: "testdata/verify.py"}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := python.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "the second verifier:", err)
		code = 1
	}
	os.Exit(code)
}

// agree asks the second verifier about what this package thinks of a file.
func agree(t testing.TB, c second.Case, r audit.Report, found []audit.Finding, err error) {
	t.Helper()
	if err != nil && strings.Contains(err.Error(), context.Canceled.Error()) || ruled(found) {
		return
	}
	v := python.Ask(t, c)
	if v.OK != !failed(found, err) {
		t.Errorf("the second verifier says ok=%v (%s), this package %v, %v", v.OK, v.Why, found, err)
		return
	}
	if want := second.FactsOf(r); v.OK && c.Entry == nil && !reflect.DeepEqual(v.Facts, want) {
		t.Errorf("the second verifier finds\n%+v, this package\n%+v", v.Facts, want)
	}
}

// byRules begin findings of step 7 of FORMAT.md, which the second verifier
// leaves to those of packages consent and obligation.
var byRules = []string{"opens: ", "moves: ", "obl: ", "cal: ", "cons: ", "the rules ", "hist: ", "not the secret", "version ", "messaging: "}

// ruled reports whether rules alone were found to be broken.
func ruled(found []audit.Finding) bool {
	for _, f := range found {
		derived := false
		for _, begin := range byRules {
			derived = derived || strings.HasPrefix(f.What, begin)
		}
		if !derived {
			return false
		}
	}
	return len(found) > 0
}

// verifyEvidence, verifyReceipt and verify ask both.
func verifyEvidence(t testing.TB, file []byte, trust audit.Trust) (audit.Report, error) {
	t.Helper()
	r, err := audit.VerifyEvidence(file, trust)
	if trust.Directory == nil && trust.Policy == nil {
		agree(t, second.Case{Data: file, Genesis: trust.Genesis}, r, nil, err)
	}
	return r, err
}

func verifyReceipt(t testing.TB, file []byte, trust audit.Trust) (audit.Report, error) {
	t.Helper()
	r, err := audit.VerifyReceipt(file, trust)
	agree(t, second.Case{Data: file, Genesis: trust.Genesis}, r, nil, err)
	return r, err
}

// The second verifier by hand, as docs/auditor.md shows it.
func TestSecondByHand(t *testing.T) {
	dir := t.TempDir()
	put := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		write(t, path, data)
		return path
	}
	w := story(t)
	small := put("small.zip", bundleOf(t, w, audit.Options{}))
	proof, entry := put("five.tlog-proof", w.Proof(ledger.Ev, 5)), put("five.json", leafAt(t, w, 5))
	w.Fill(3)
	w.Publish()
	large := put("large.zip", bundleOf(t, w, audit.Options{}))
	fork := audittest.New(t, false)
	fork.Fill(12)
	fork.Publish()
	other := put("fork.zip", bundleOf(t, fork, audit.Options{}))
	witnesses := put("witnesses.txt", []byte(twoOfThree(t)))
	genesis, key := w.Genesis(), audittest.LogKey(ledger.Ev)
	for _, c := range []struct {
		args []string
		ok   bool
		says string
	}{
		{[]string{"--genesis", genesis, small, large}, true, `"same": {"dir": true, "ev": true}`},
		{[]string{"--genesis", genesis, other, large}, false, `"same": {"dir": true, "ev": false}`},
		{[]string{"--genesis", string(vector(t, "genesis")), "testdata/evidence.json", "testdata/receipt.json"}, true, `"kind": "receipt"`},
		{[]string{"--genesis", genesis, "testdata/evidence.json"}, false, "another genesis"},
		{[]string{"--policy", witnesses, small}, false, "asks for more cosignatures"},
		{[]string{"--entry", entry, "--vkey", key, proof}, true, `"idx": 5`},
		{[]string{"--entry", small, "--vkey", key, proof}, false, "does not lead to the root"},
	} {
		cmd, err := python.Command(c.args...)
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.Output()
		if (err == nil) != c.ok || !strings.Contains(string(out), c.says) {
			t.Errorf("%v: %v\n%s", c.args, err, out)
		}
	}
}
