package main

import (
	"bytes"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// goldenDirectory is the directory of the vectors, whose last word is a policy
// with one witness.
func goldenDirectory(t *testing.T) *directory.State {
	t.Helper()
	data, err := os.ReadFile("../../keys/directory/testdata/golden.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	state := directory.New()
	for line := range bytes.Lines(data) {
		if state, err = state.Apply(bytes.TrimRight(line, "\n")); err != nil {
			t.Fatal(err)
		}
	}
	return state
}

// A policy changes what was named and nothing else; witnesses that stay keep the
// addresses at which the log asks them.
func TestAmendment(t *testing.T) {
	dir := goldenDirectory(t)
	key, err := ledger.CosignerKey("new.example", statement.NewSigningKey(make([]byte, 32)).Public())
	if err != nil {
		t.Fatal(err)
	}
	none := amendment{quorum: -1}
	if _, err := none.apply(dir); err == nil || !strings.Contains(err.Error(), "nothing would change") {
		t.Errorf("%v", err)
	}
	more := amendment{quorum: 2, addWitnesses: []string{"Ombudsman," + key + ",https://witness.example"}}
	b, err := more.apply(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Witnesses) != len(dir.Witnesses())+1 || !reflect.DeepEqual(b.Council, dir.Council()) || !reflect.DeepEqual(b.Delegates, dir.Delegates()) || b.Logs != dir.Logs() {
		t.Errorf("%+v", b)
	}
	before, err := ledger.ParsePolicy(dir.Quorum().Ev)
	if err != nil {
		t.Fatal(err)
	}
	after, err := ledger.ParsePolicy(b.Quorum.Ev)
	if err != nil || len(after.Witnesses()) != len(b.Witnesses) {
		t.Fatalf("%v: %q", err, b.Quorum.Ev)
	}
	if was, is := before.Witnesses()[0], after.Witnesses()[0]; was.VKey != is.VKey || was.URL != is.URL {
		t.Errorf("the first witness was %s at %q, is %s at %q", was.VKey, was.URL, is.VKey, is.URL)
	}
	for name, m := range map[string]amendment{
		"no quorum said":   {quorum: -1, addWitnesses: more.addWitnesses},
		"too large":        {quorum: 3, addWitnesses: more.addWitnesses},
		"unknown witness":  {quorum: 1, dropWitnesses: []string{"nobody"}},
		"no such file":     {quorum: -1, addMembers: []string{"nowhere.json"}},
		"no such delegate": {quorum: -1, dropDelegates: []string{"00000000"}},
		"more than are":    {quorum: -1, k: 9},
	} {
		if _, err := m.apply(dir); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	nobody := amendment{quorum: 0, dropWitnesses: []string{dir.Witnesses()[0].VKey}}
	if b, err := nobody.apply(dir); err != nil || b.Quorum.Ev != directory.QuorumNone || len(b.Witnesses) != len(dir.Witnesses())-1 {
		t.Errorf("%v, %+v", err, b)
	}
}
