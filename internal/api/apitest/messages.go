package apitest

import (
	"bytes"
	"context"
	"encoding/hex"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/envelope"
)

// A Sealed message with the ciphertext of all its parts, the body first.
type Sealed struct {
	Notice *messaging.Notice
	Parts  [][]byte
}

// Msg is the message's id.
func (s *Sealed) Msg() string { return s.Notice.Core.Msg }

// Seal makes a complaint from A to B with attachments, which the rules permit.
// change, if not nil, alters the core before it is sealed.
func (w *World) Seal(change func(*messaging.Core), attachments ...[]byte) *Sealed {
	w.t.Helper()
	ctx := context.Background()
	core := w.core()
	if change != nil {
		change(&core)
	}
	sealer := must(w, func() (*envelope.Sealer, error) { return envelope.NewSealer(core.Msg) })
	sealed := &Sealed{Parts: [][]byte{nil}}
	for _, content := range attachments {
		var out bytes.Buffer
		file := envelope.File{Name: "a.bin", Type: "application/octet-stream", Size: int64(len(content)), Content: bytes.NewReader(content)}
		_, err := sealer.Attach(ctx, file, &out)
		w.check(err)
		sealed.Parts = append(sealed.Parts, out.Bytes())
	}
	s := must(w, func() (*envelope.Sealed, error) {
		return sealer.Seal(ctx, envelope.Draft{Core: core, Text: envelope.Text{Subject: "S", Body: "B", Fields: map[string]string{}}, To: []envelope.Addressee{
			{Desk: w.B.Desk, Epoch: 1, Recipient: w.B.Key.Recipient().String(), Role: messaging.RoleTo},
			{Desk: w.A.Desk, Epoch: 1, Recipient: w.A.Key.Recipient().String(), Role: messaging.RoleSelf},
		}}, w.A.Officers[0])
	})
	sealed.Notice, sealed.Parts[0] = s.Notice, s.Body
	return sealed
}

func (w *World) core() messaging.Core {
	return messaging.Core{
		Basis: messaging.Basis{Code: "legal-obligation", Purpose: "procedure", Consents: nil}, Case: statement.NewID(statement.Case),
		Cats: []string{"identity"}, Created: w.Clock.Now(), Dir: w.DirHead(), Facts: map[string]string{},
		From: messaging.From{Desk: w.A.Desk, Inst: w.A.Inst, Key: statement.KeyID(w.A.Officers[0].Public())},
		Kind: "complaint", Msg: statement.NewID(statement.Message), Obl: []messaging.Act{}, Pack: w.Pack.ID(),
		Subj: []string{statement.NewID(statement.Person)}, Urg: "R",
	}
}

// DirHead is the head of the directory tree.
func (w *World) DirHead() messaging.DirHead {
	var head ledger.Head
	w.check(w.Store.View(context.Background(), func(r ledger.Reader) (err error) {
		head, err = r.Head(context.Background(), ledger.Dir)
		return err
	}))
	return messaging.DirHead{N: head.Size, Root: head.Root[:]}
}

// Retrieved is the receipt by which B signs for a message.
func (w *World) Retrieved(s *Sealed) (id string, d *statement.DSSE) {
	w.t.Helper()
	h := w.head(s, messaging.EvRetrieved)
	return h.ID, w.receipt(h.Ev, &messaging.Retrieved{Head: h, Desk: w.B.Desk, Env: hex.EncodeToString(s.Notice.Digest[:]), Msg: s.Msg()})
}

// Decrypted is the receipt by which B proves that it opened a message.
func (w *World) Decrypted(s *Sealed) (id string, d *statement.DSSE) {
	w.t.Helper()
	opened := must(w, func() (*envelope.Opened, error) {
		return envelope.Open(context.Background(), s.Notice.DSSE, w.A.Officers[0].Public(), w.B.Key, w.B.Desk, bytes.NewReader(s.Parts[0]))
	})
	secret, h := opened.AckSecret(), w.head(s, messaging.EvDecrypted)
	return h.ID, w.receipt(h.Ev, &messaging.Decrypted{Head: h, Desk: w.B.Desk, Msg: s.Msg(), Secret: secret[:]})
}

// head is that of a receipt of B.
func (w *World) head(s *Sealed, event string) statement.Head {
	return statement.Head{At: w.Clock.Now(), By: statement.By{Desk: w.B.Desk, Inst: w.B.Inst, Key: statement.KeyID(w.B.Officers[0].Public())},
		Case: s.Notice.Core.Case, DirN: w.Directory().N(), Ev: event, ID: statement.NewID(statement.Other), Pack: w.Pack.ID(), V: 1}
}

func (w *World) receipt(event string, body any) *statement.DSSE {
	payload := must(w, func() ([]byte, error) { return statement.Marshal(body) })
	return must(w, func() (*statement.DSSE, error) {
		return statement.Sign(context.Background(), statement.TypeOfEvent(event), payload, w.B.Officers[0])
	})
}
