package rules

import "testing"

func TestSmoke(t *testing.T) {
	p, err := Load("rs-a@1")
	if err != nil {
		t.Fatal(err)
	}
	t.Log(p.ID(), p.Hash(), len(p.Rules), len(p.Raw()))
}
