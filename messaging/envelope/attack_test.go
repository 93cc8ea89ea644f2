package envelope

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
)

// TestHostileSender runs forged messages, rightly signed, through Open as desk
// B. Each must fail under the code its reader will file.
func TestHostileSender(t *testing.T) {
	classical, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	phrase, extra := phraseOf(), newIdentity()
	for name, tt := range map[string]struct {
		code string
		f    forgery
	}{
		"sealed core of another message": {messaging.FailCore, forgery{manifest: func(m *manifest) { m.Core.Msg = id("m", 'z') }}},
		"sealed core of another case":    {messaging.FailCore, forgery{manifest: func(m *manifest) { m.Core.Case = id("c", 'z') }}},
		"signed for another desk":        {messaging.FailCore, forgery{signed: func(c *messaging.Core) { c.To = append(c.To, other(c.To[0], idDeskC)) }, recipients: func(r rs) rs { return append(r, extra.Recipient()) }}},
		"signed on another basis":        {messaging.FailCore, forgery{signed: func(c *messaging.Core) { c.Basis.Code = "consent" }}},
		"signed with another fact":       {messaging.FailCore, forgery{signed: func(c *messaging.Core) { c.Facts = map[string]string{"a": "b"} }}},

		"hidden extra stanza":       {messaging.FailStanzas, forgery{recipients: func(r rs) rs { return append(r, extra.Recipient()) }}},
		"a stanza too few":          {messaging.FailStanzas, forgery{recipients: func(r rs) rs { return r[:1] }}},
		"own stanza twice":          {messaging.FailStanzas, forgery{recipients: func(r rs) rs { return append(r, r[0]) }}},
		"classical stanza beside":   {messaging.FailStanzas, forgery{recipients: func(r rs) rs { return loosen(rs{r[0], classical.Recipient()}) }}},
		"classical stanzas only":    {messaging.FailStanzas, forgery{recipients: func(r rs) rs { return rs{classical.Recipient(), classical.Recipient()} }}},
		"passphrase stanza":         {messaging.FailStanzas, forgery{recipients: func(r rs) rs { return rs{phrase} }}},
		"passphrase stanza beside":  {messaging.FailStanzas, forgery{recipients: func(r rs) rs { return loosen(rs{r[0], phrase}) }}},
		"unknown stanza type":       {messaging.FailStanzas, forgery{recipients: bend(func(s *age.Stanza) { s.Type = "grease" })}},
		"stanza without argument":   {messaging.FailStanzas, forgery{recipients: bend(func(s *age.Stanza) { s.Args = nil })}},
		"stanza with two arguments": {messaging.FailStanzas, forgery{recipients: bend(func(s *age.Stanza) { s.Args = append(s.Args, "x") })}},
		"short encapsulation":       {messaging.FailStanzas, forgery{recipients: bend(func(s *age.Stanza) { s.Args[0] = s.Args[0][4:] })}},
		"not base64":                {messaging.FailStanzas, forgery{recipients: bend(func(s *age.Stanza) { s.Args[0] = "*" + s.Args[0][1:] })}},
		"no point on the curve":     {messaging.FailStanzas, forgery{recipients: func(r rs) rs { return rs{bent{r[1], zeroShare}, loose{r[0]}} }}},
		"short wrapped key":         {messaging.FailStanzas, forgery{recipients: bend(func(s *age.Stanza) { s.Body = s.Body[1:] })}},
		"garbage stanza for desk B": {messaging.FailKey, forgery{recipients: func(r rs) rs { return rs{extra.Recipient(), r[1]} }}},
		"two texts":                 {messaging.FailHeader, forgery{recipients: func(r rs) rs { return rs{otherKey{identB.Recipient()}, r[1]} }}},
		"not an age file":           {messaging.FailHeader, forgery{body: func(b []byte) []byte { return bytes.Repeat([]byte{'x'}, len(b)) }}},
		"armored":                   {messaging.FailHeader, forgery{body: func(b []byte) []byte { return []byte("-----BEGIN AGE ENCRYPTED FILE-----\n") }}},

		"cut in the header":      {messaging.FailHeader, forgery{body: func(b []byte) []byte { return b[:1000] }}},
		"cut in the nonce":       {messaging.FailHeader, forgery{body: func(b []byte) []byte { return b[:introSize+2*stanzaSize+footerSize+8] }}},
		"cut after the nonce":    {messaging.FailPayload, forgery{body: func(b []byte) []byte { return b[:introSize+2*stanzaSize+footerSize+nonceSize] }}},
		"cut in the chunk":       {messaging.FailPayload, forgery{body: func(b []byte) []byte { return b[:len(b)-1] }}},
		"a byte after the end":   {messaging.FailPayload, forgery{body: func(b []byte) []byte { return append(b, 0) }}},
		"a bit changed":          {messaging.FailPayload, forgery{body: func(b []byte) []byte { b[len(b)-1] ^= 1; return b }}},
		"padding absent":         {messaging.FailPayload, forgery{padded: func(p []byte) []byte { return bytes.TrimRight(p, " ") }}},
		"padding one too short":  {messaging.FailPayload, forgery{padded: func(p []byte) []byte { return p[:len(p)-1] }}},
		"padding one too long":   {messaging.FailPayload, forgery{padded: func(p []byte) []byte { return append(p, ' ') }}},
		"padding of a bucket up": {messaging.FailPayload, forgery{padded: func(p []byte) []byte { return append(p, bytes.Repeat([]byte{' '}, 3*len(p))...) }}},
		"padded beyond the limit": {messaging.FailPayload, forgery{padded: func(p []byte) []byte {
			return append(p, bytes.Repeat([]byte{' '}, MaxManifest+1-len(p))...)
		}}},

		"tab in the padding":    {messaging.FailManifest, forgery{padded: func(p []byte) []byte { p[len(p)-1] = '\t'; return p }}},
		"two manifests":         {messaging.FailManifest, forgery{padded: func(p []byte) []byte { copy(p[len(p)-2:], "{}"); return p }}},
		"member in other case":  {messaging.FailManifest, forgery{padded: replace(`"mk":`, `"Mk":`)}},
		"unknown member":        {messaging.FailManifest, forgery{padded: replace(`"rs":`, `"rz":`)}},
		"version":               {messaging.FailManifest, forgery{manifest: func(m *manifest) { m.V = 2 }}},
		"rs of 31 bytes":        {messaging.FailManifest, forgery{manifest: func(m *manifest) { m.RS = m.RS[1:] }}},
		"rs of 33 bytes":        {messaging.FailManifest, forgery{manifest: func(m *manifest) { m.RS = append(m.RS, 0) }}},
		"mk classical":          {messaging.FailManifest, forgery{manifest: func(m *manifest) { m.MK = classical.String() }}},
		"mk in lower case":      {messaging.FailManifest, forgery{manifest: func(m *manifest) { m.MK = strings.ToLower(m.MK) }}},
		"mk absent":             {messaging.FailManifest, forgery{manifest: func(m *manifest) { m.MK = "" }}},
		"subject over lines":    {messaging.FailManifest, forgery{manifest: func(m *manifest) { m.Text.Subject = "a\nb" }}},
		"subject too long":      {messaging.FailManifest, forgery{manifest: func(m *manifest) { m.Text.Subject = strings.Repeat("a", MaxSubject+1) }}},
		"field not a code":      {messaging.FailManifest, forgery{manifest: func(m *manifest) { m.Text.Fields = map[string]string{"A": ""} }}},
		"file name of a folder": {messaging.FailManifest, forgery{manifest: func(m *manifest) { m.Att[0].Name = "../a" }}},
		"media type":            {messaging.FailManifest, forgery{manifest: func(m *manifest) { m.Att[0].Type = "pdf" }}},
		"size negative":         {messaging.FailManifest, forgery{manifest: func(m *manifest) { m.Att[0].Size = -1 }}},
		"size beyond a part":    {messaging.FailManifest, forgery{manifest: func(m *manifest) { m.Att[0].Size = maxFile + 1 }}},
		"hash malformed":        {messaging.FailManifest, forgery{manifest: func(m *manifest) { m.Att[0].SHA256 = "" }}},
		"65 descriptions":       {messaging.FailManifest, forgery{manifest: func(m *manifest) { m.Att = make([]Attachment, 65) }}},

		"no description of a part": {messaging.FailAttachment, forgery{manifest: func(m *manifest) { m.Att = m.Att[:0] }}},
		"part dropped":             {messaging.FailAttachment, forgery{core: func(c *messaging.Core) { c.Parts = c.Parts[:0] }}},
		"part of another length":   {messaging.FailAttachment, forgery{core: func(c *messaging.Core) { c.Parts[0].Len++ }}},
		"own ack underivable":      {messaging.FailAck, forgery{core: func(c *messaging.Core) { c.To[0].Ack[0] ^= 1 }}},
		"another's underivable":    {messaging.FailAck, forgery{core: func(c *messaging.Core) { c.To[1].Ack[0] ^= 1 }}},
		"acks exchanged":           {messaging.FailAck, forgery{core: func(c *messaging.Core) { c.To[0].Ack, c.To[1].Ack = c.To[1].Ack, c.To[0].Ack }}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := open(forge(t, tt.f, []byte("content")))
			if got := FailureCode(err); got != tt.code {
				t.Errorf("code %q (%v), want %q", got, err, tt.code)
			}
			discreet(t, err)
		})
	}
	if _, err := open(forge(t, forgery{}, []byte("content"))); err != nil {
		t.Errorf("a forgery of nothing: %v", err)
	}
}

func other(r messaging.Recipient, desk string) messaging.Recipient {
	r.Desk = desk
	return r
}

// bend changes the stanza of the second recipient, so that it is not desk B's.
func bend(change func(*age.Stanza)) func([]age.Recipient) []age.Recipient {
	return func(r []age.Recipient) []age.Recipient {
		return []age.Recipient{loose{r[0]}, bent{r[1], change}}
	}
}

// zeroShare is a well-formed encapsulation that no key can accept: its X25519
// half has low order.
func zeroShare(s *age.Stanza) { s.Args[0] = strings.Repeat("A", len(s.Args[0])) }

func replace(old, new string) func([]byte) []byte {
	return func(p []byte) []byte { return bytes.Replace(p, []byte(old), []byte(new), 1) }
}

// discreet fails when an error repeats anything that was sealed.
func discreet(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Error("no error")
		return
	}
	for _, secret := range []string{draft().Text.Subject, "дописа", "AGE-SECRET", "age1pq", "a.pdf", "registered"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error says %q: %v", secret, err)
		}
	}
}

// TestOneDeskCheated: a stanza that fails for one desk must not fail for the
// others, who are the witnesses against the sender.
func TestOneDeskCheated(t *testing.T) {
	extra := newIdentity()
	for name, recipients := range map[string]func([]age.Recipient) []age.Recipient{
		"garbage for A":   func(r []age.Recipient) []age.Recipient { return []age.Recipient{r[0], extra.Recipient()} },
		"two texts for A": func(r []age.Recipient) []age.Recipient { return []age.Recipient{r[0], otherKey{identA.Recipient()}} },
	} {
		l := forge(t, forgery{recipients: recipients})
		if _, err := open(l); err != nil {
			t.Errorf("%s: desk B: %v", name, err)
		}
		_, err := Open(context.Background(), l.Notice.DSSE, publicOf(signerA), identA, idDeskA, bytes.NewReader(l.Body))
		if code := FailureCode(err); code != messaging.FailKey && code != messaging.FailHeader {
			t.Errorf("%s: desk A: %v", name, err)
		}
	}
}

// TestStolenCiphertext: desk B signs the body of A's message as its own.
func TestStolenCiphertext(t *testing.T) {
	l := seal(t, draft())
	p := *l.Notice.Payload
	p.Core.From.Key = statement.KeyID(signerB.Public())
	resigned := resign(t, &p, signerB)
	_, err := Open(context.Background(), resigned, publicOf(signerB), identB, idDeskB, bytes.NewReader(l.Body))
	if FailureCode(err) != messaging.FailCore {
		t.Errorf("under its own key: %v", err)
	}
	_, err = Open(context.Background(), resigned, publicOf(signerA), identB, idDeskB, bytes.NewReader(l.Body))
	if !errors.Is(err, statement.ErrSignature) {
		t.Errorf("as if from A: %v", err)
	}
	p.Core.From.Key = statement.KeyID(signerA.Public())
	if _, err := messaging.Parse(resign(t, &p, signerB)); err == nil {
		t.Error("a message may name another signer")
	}
}

func resign(t *testing.T, p *messaging.Payload, by statement.Signer) *statement.DSSE {
	t.Helper()
	payload, err := statement.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	d, err := statement.Sign(context.Background(), statement.TypeNotice, payload, by)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestForwarded: desk B seals what A wrote anew for desk C, under A's
// signature (Davis 2001). Whatever B changes in the signed part breaks it.
func TestForwarded(t *testing.T) {
	l := seal(t, draft())
	openAsC := func(d *statement.DSSE, body []byte) error {
		_, err := Open(context.Background(), d, publicOf(signerA), identC, idDeskC, bytes.NewReader(body))
		return err
	}
	if err := openAsC(l.Notice.DSSE, l.Body); !errors.Is(err, ErrNotAddressed) {
		t.Errorf("as it is: %v", err)
	}
	padded, _, err := decryptBody(l.Body, 2, identB)
	if err != nil {
		t.Fatal(err)
	}
	body := encrypt(t, padded, identC.Recipient(), identA.Recipient())
	p := *l.Notice.Payload
	p.Core.To = append([]messaging.Recipient{}, p.Core.To...)
	p.Core.To[0].Desk, p.Core.To[0].RK = idDeskC, rkOf(identC.Recipient().String())
	p.Body = partOf(body)
	payload, err := statement.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	d := *l.Notice.DSSE
	d.Payload = payload
	if err := openAsC(&d, body); !errors.Is(err, statement.ErrSignature) {
		t.Errorf("under A's old signature: %v", err)
	}
}

// TestOnTheWay: what the server or the network can change.
func TestOnTheWay(t *testing.T) {
	l := seal(t, draft(), []byte("one"), bytes.Repeat([]byte("two"), 3000))
	body := func(b []byte) error {
		_, err := Open(context.Background(), l.Notice.DSSE, publicOf(signerA), identB, idDeskB, bytes.NewReader(b))
		return err
	}
	n := len(l.Body)
	for name, b := range map[string][]byte{
		"nothing":             nil,
		"cut in the header":   l.Body[:100],
		"cut at the payload":  l.Body[:n-4096-tagSize],
		"cut in the payload":  l.Body[:n-100],
		"cut at the last":     l.Body[:n-1],
		"a byte more":         append(bytes.Clone(l.Body), 0),
		"a stanza more":       encrypt(t, nil, identB.Recipient(), identA.Recipient(), identC.Recipient()),
		"another's body":      seal(t, draft()).Body,
		"an attachment":       l.parts[0],
		"one bit in a stanza": flip(l.Body, 200),
	} {
		if err := body(b); FailureCode(err) != messaging.FailDigest {
			t.Errorf("%s: %v", name, err)
		}
	}
	d := *l.Notice.DSSE
	d.Payload = bytes.Replace(d.Payload, []byte(`"epoch":1`), []byte(`"epoch":2`), 1)
	if _, err := Open(context.Background(), &d, publicOf(signerA), identB, idDeskB, bytes.NewReader(l.Body)); !errors.Is(err, statement.ErrSignature) {
		t.Errorf("epoch changed in the signed part: %v", err)
	}
}

func flip(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 1
	return b
}

// TestEpochConfusion: a desk holds two epochs' identities; only the one named
// may be tried, and a stanza for the other does not open.
func TestEpochConfusion(t *testing.T) {
	l := seal(t, draft())
	_, err := Open(context.Background(), l.Notice.DSSE, publicOf(signerA), identC, idDeskB, bytes.NewReader(l.Body))
	if !errors.Is(err, ErrEpochKey) || FailureCode(err) != "" {
		t.Errorf("the next epoch's identity: %v", err)
	}
	named := forge(t, forgery{recipients: func(r []age.Recipient) []age.Recipient {
		return []age.Recipient{identC.Recipient(), r[1]}
	}})
	if _, err := open(named); FailureCode(err) != messaging.FailKey {
		t.Errorf("sealed to an epoch it does not name: %v", err)
	}
}
