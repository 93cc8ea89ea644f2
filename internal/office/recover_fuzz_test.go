package office

import (
	"bytes"
	"testing"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/evidence"
)

// FuzzHandover: nothing makes the parser panic, and what it takes has one spelling.
func FuzzHandover(f *testing.F) {
	h := &Handover{EscrowAsk: evidence.EscrowAsk{Desk: "d_3szd7marwgqlg6r4kjhjghzkoa", Epochs: []int64{2}, Officer: "u_3szd7marwgqlg6r4kjhjghzkoa",
		Purpose: evidence.PurposeRecovery}, Files: []HandoverFile{{Age: []byte("age"), Cust: []int{0, 2}, E: 2, Peeled: 1, SHA256: "00"}}, Release: 7, Type: typeHandover, V: 1}
	seed, err := h.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"files":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := ParseHandover(data)
		if err != nil {
			return
		}
		again, err := h.Encode()
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("%q is written back as %q, %v", data, again, err)
		}
	})
}

// FuzzGift: whoever can seal to an officer can send her anything.
func FuzzGift(f *testing.F) {
	mine, err := age.GenerateHybridIdentity()
	if err != nil {
		f.Fatal(err)
	}
	const desk = "d_3szd7marwgqlg6r4kjhjghzkoa"
	f.Add("# desk " + desk + " epoch 2\n" + mine.String() + "\n")
	f.Add("# desk " + desk + " epoch 2\n" + mine.String() + "\n# desk " + desk + " epoch 2\n" + mine.String() + "\n")
	f.Add("# desk d_ epoch -1\nAGE-SECRET-KEY-PQ-1\n")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		var file bytes.Buffer
		w, err := age.Encrypt(&file, mine.Recipient())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got, found, err := openGift(file.Bytes(), mine)
		if err == nil && (len(found) == 0 || len(found) != len(got.Epochs) || got.Desk != desk) {
			t.Errorf("took %+v out of %q", got, text)
		}
	})
}
