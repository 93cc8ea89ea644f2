package audit_test

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/audit"
	"github.com/odziv/odziv/internal/audit/second"
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
