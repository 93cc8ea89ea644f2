package audit

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
)

// said is what an opening says, decoded: the signed statement, or the server's
// own data.
type said struct {
	by   statement.By // of a signed statement
	obj  string       // what META.obj must be
	pack string       // id of the rule pack the signer used
	cas  string       // case handle the statement names
	body any          // *messaging.Notice, a typed statement, or typed data
}

// read decodes what META and PRIV hold and checks that they speak of the same
// thing. It verifies no signature.
func read(meta *evidence.Meta, priv *evidence.Priv) (*said, error) {
	if meta.V != 1 || priv.V != 1 {
		return nil, fmt.Errorf("version %d and %d, this program knows 1", meta.V, priv.V)
	}
	if meta.Dec != evidence.Allow && !strings.HasPrefix(meta.Dec, "refuse:") {
		return nil, fmt.Errorf("dec: %.40q is neither allow nor refuse", meta.Dec)
	}
	if evidence.ServerMade(meta.Ev) {
		return readData(meta, priv)
	}
	if priv.Stmt == nil || priv.Data != nil {
		return nil, fmt.Errorf("%.40s is signed by an officer, and no signed statement is in it", meta.Ev)
	}
	s, err := readStatement(meta.Ev, priv.Stmt)
	if err != nil {
		return nil, err
	}
	return s, s.agrees(meta, priv)
}

// agrees holds META and PRIV against the signed statement they are about.
func (s *said) agrees(meta *evidence.Meta, priv *evidence.Priv) error {
	switch {
	case meta.By != s.by.Inst+"/"+s.by.Desk:
		return fmt.Errorf("by: %.80q is not the signer's institution and desk", meta.By)
	case meta.Obj != s.obj:
		return fmt.Errorf("obj: %.40q is not what the statement is about", meta.Obj)
	case meta.Dec != evidence.Allow:
		return errors.New("dec: a signed statement on record was not allowed")
	case s.cas != "" && priv.Case != s.cas:
		return errors.New("case: not that of the statement")
	}
	n, ok := s.body.(*messaging.Notice)
	if !ok {
		return nil
	}
	if meta.Kind != n.Core.Kind || meta.Re != n.Core.Re || priv.Case != n.Core.Case {
		return errors.New("kind, re or case is not that of the message")
	}
	if priv.Env != hex.EncodeToString(n.Digest[:]) {
		return errors.New("env: not the digest of the message")
	}
	return nil
}

// readStatement decodes a signed statement of the event.
func readStatement(event string, d *statement.DSSE) (*said, error) {
	if event == evidence.MessageSubmitted {
		n, err := parseNotice(d)
		if err != nil {
			return nil, err
		}
		c := n.Core
		return &said{by: statement.By(c.From), obj: c.Msg, pack: c.Pack, cas: c.Case, body: n}, nil
	}
	if t, ok := statement.EventOfType(d.PayloadType); !ok || t != event {
		return nil, fmt.Errorf("payload type %.80q is not that of %.40s", d.PayloadType, event)
	}
	if _, ok := consent.ActOf(event); ok {
		return with(d, consent.Parse, func(c *consent.Statement) (*statement.Head, string) { return &c.Head, c.ID })
	}
	switch event {
	case evidence.ConflictSet:
		return with(d, consent.ParseConflictSet, func(c *consent.ConflictSet) (*statement.Head, string) { return &c.Head, c.ID })
	case evidence.ConflictLifted:
		return with(d, consent.ParseConflictLifted, func(c *consent.ConflictLifted) (*statement.Head, string) { return &c.Head, c.Of })
	case evidence.RepGrant:
		return with(d, evidence.ParseGrant, func(g *evidence.Grant) (*statement.Head, string) { return &g.Head, g.ID })
	case evidence.RepEnd:
		return with(d, evidence.ParseGrantEnd, func(g *evidence.GrantEnd) (*statement.Head, string) { return &g.Head, g.Grant })
	case evidence.DocumentIssued:
		return with(d, evidence.ParseDocument, func(x *evidence.Document) (*statement.Head, string) { return &x.Head, x.ID })
	case evidence.DeskGrant:
		return with(d, evidence.ParseDeskShare, func(x *evidence.DeskShare) (*statement.Head, string) { return &x.Head, x.ID })
	case evidence.EscrowRequested:
		return with(d, evidence.ParseEscrowRequest, func(x *evidence.EscrowRequest) (*statement.Head, string) { return &x.Head, x.Desk })
	case evidence.EscrowRefused:
		return with(d, evidence.ParseEscrowRefusal, func(x *evidence.EscrowRefusal) (*statement.Head, string) { return &x.Head, x.Desk })
	case evidence.EscrowOpened:
		return with(d, evidence.ParseEscrowReport, func(x *evidence.EscrowReport) (*statement.Head, string) { return &x.Head, x.Desk })
	}
	return with(d, messaging.ParseStatement, aboutMessage)
}

func with[T any](d *statement.DSSE, parse func(*statement.DSSE) (T, error), head func(T) (*statement.Head, string)) (*said, error) {
	body, err := parse(d)
	if err != nil {
		return nil, err
	}
	h, obj := head(body)
	return &said{by: h.By, obj: obj, pack: h.Pack, cas: h.Case, body: body}, nil
}

// aboutMessage names what a statement about messages is about: the message of
// a receipt, else itself.
func aboutMessage(s messaging.Statement) (*statement.Head, string) {
	msg, _ := receiptOf(s)
	if msg == "" {
		msg = s.Header().ID
	}
	return s.Header(), msg
}

// receiptOf names the message and the desk of a receipt.
func receiptOf(s messaging.Statement) (msg, desk string) {
	switch r := s.(type) {
	case *messaging.Retrieved:
		return r.Msg, r.Desk
	case *messaging.Decrypted:
		return r.Msg, r.Desk
	case *messaging.DecryptFailed:
		return r.Msg, r.Desk
	case *messaging.FactMismatch:
		return r.Msg, r.Desk
	}
	return "", ""
}
