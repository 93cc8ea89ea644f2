package messaging

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/statement"
)

// TestParseOneSpelling signs payloads that mean the same, or nearly, in another
// spelling: a signature must not have two readings.
func TestParseOneSpelling(t *testing.T) {
	right := string(encode(t, aPayload(aCore())))
	for name, edit := range map[string]struct{ old, new string }{
		"case variant":         {`"msg":`, `"Msg":`},
		"second spelling too":  {`"msg":`, `"MSG":"` + msgB + `","msg":`},
		"duplicate member":     {`"kind":"complaint"`, `"kind":"complaint","kind":"complaint"`},
		"null array":           {`"parts":[]`, `"parts":null`},
		"null fact":            {`"complainant":"institution"`, `"complainant":null`},
		"absent array":         {`"parts":[],`, ``},
		"absent facts":         {`"facts":{"complainant":"institution"},`, ``},
		"unknown member":       {`"kind":`, `"kid":"x","kind":`},
		"unordered":            {`"urg":"R","v":1}`, `"v":1,"urg":"R"}`},
		"space":                {`"kind":"complaint"`, `"kind": "complaint"`},
		"escaped letter":       {`"complaint"`, `"\u0063omplaint"`},
		"escaped slash":        {`"code":"legal-obligation"`, `"code":"legal-obligation","necessity":"a\/b"`},
		"float":                {`"created":1772441999100`, `"created":1772441999100.0`},
		"exponent":             {`"n":412`, `"n":4.12e2`},
		"over 2^53-1":          {`"created":1772441999100`, `"created":9007199254740992`},
		"negative zero":        {`"n":412`, `"n":-0`},
		"explicit zero":        {`"pack":`, `"occurred":0,"pack":`},
		"explicit empty":       {`"subj":`, `"set":"","subj":`},
		"explicit false":       {`"n":412,"root":`, `"n":412,"stale":false,"root":`},
		"empty consents":       {`"code":"legal-obligation"`, `"code":"legal-obligation","consents":[]`},
		"number for a string":  {`"urg":"R"`, `"urg":1`},
		"object for an array":  {`"parts":[]`, `"parts":{}`},
		"trailing data":        {`"v":1}`, `"v":1}{}`},
		"trailing newline":     {`"v":1}`, "\"v\":1}\n"},
		"not NFC":              {`"purpose":"procedure"`, "\"purpose\":\"procedure\",\"ref\":\"c\u030c\""},
		"invalid UTF-8":        {`"purpose":"procedure"`, "\"purpose\":\"procedure\",\"ref\":\"\xff\""},
		"byte order mark":      {`{"body"`, "\ufeff{\"body\""},
		"base64 without pad":   {`AAA="`, `AAA"`},
		"base64 spare bits":    {`AAAAA="`, `AAAAB="`},
		"base64 with newline":  {`"root":"AAAA`, `"root":"AA\nAA`},
		"version of payload 2": {`"v":1}`, `"v":2}`},
		"body of length 0":     {`"len":7300`, `"len":0`},
		"body too long":        {`"len":7300`, `"len":1114113`},
		"body digest":          {`"sha256":"ab`, `"sha256":"aB`},
		"nothing":              {right, ``},
		"null":                 {right, `null`},
		"an array":             {right, `[]`},
		"an empty object":      {right, `{}`},
		"truncated":            {`"urg":"R","v":1},"v":1}`, `"urg":"R","v":1`},
	} {
		t.Run(name, func(t *testing.T) {
			i := strings.LastIndex(right, edit.old)
			if i < 0 {
				t.Fatalf("%q is not in the payload", edit.old)
			}
			wrong := right[:i] + edit.new + right[i+len(edit.old):]
			if _, err := Parse(signBytes(t, statement.TypeNotice, []byte(wrong), keyA)); err == nil {
				t.Errorf("accepts %s", wrong)
			}
		})
	}
	if _, err := Parse(signBytes(t, statement.TypeNotice, []byte(right), keyA)); err != nil {
		t.Errorf("the unedited payload: %v", err)
	}
}

func TestParseBodyLimit(t *testing.T) {
	for length, ok := range map[int64]bool{0: false, 1: true, MaxBody: true, MaxBody + 1: false} {
		p := aPayload(aCore())
		p.Body.Len = length
		if _, err := Parse(sign(t, statement.TypeNotice, p, keyA)); (err == nil) != ok {
			t.Errorf("body of %d bytes: %v", length, err)
		}
	}
}

// TestParsePayloadLimit shows that a message may use every limit at once, and
// that no payload is read beyond the bound.
func TestParsePayloadLimit(t *testing.T) {
	c := aCore()
	c.To, c.Parts, c.Obl = recipients(MaxRecipients), parts(MaxParts), acts(MaxActs)
	c.Basis.Consents, c.Subj, c.Facts = consents(MaxConsents), many("p", MaxSubjects), facts(MaxFacts)
	if _, err := Parse(sign(t, statement.TypeNotice, aPayload(c), keyA)); err != nil {
		t.Error(err)
	}
	d := sign(t, statement.TypeNotice, aPayload(aCore()), keyA)
	d.Payload = append(d.Payload, make([]byte, statement.MaxSize+1-len(d.Payload))...)
	if _, err := Parse(d); err == nil || !strings.Contains(err.Error(), "at most 32768") {
		t.Errorf("payload of %d bytes: %v", len(d.Payload), err)
	}
}

func TestParseSignatures(t *testing.T) {
	p := aPayload(aCore())
	for name, d := range map[string]*statement.DSSE{
		"no statement":   nil,
		"none":           sign(t, statement.TypeNotice, p),
		"two":            sign(t, statement.TypeNotice, p, keyA, keyB),
		"another's":      sign(t, statement.TypeNotice, p, keyB),
		"directory type": sign(t, statement.TypeDirectory, p, keyA),
		"no type":        sign(t, "", p, keyA),
		"empty payload":  signBytes(t, statement.TypeNotice, nil, keyA),
	} {
		if _, err := Parse(d); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, n := range []int{0, 63, 65} {
		d := sign(t, statement.TypeNotice, p, keyA)
		d.Signatures[0].Sig = make([]byte, n)
		if _, err := Parse(d); err == nil {
			t.Errorf("signature of %d bytes: accepted", n)
		}
	}
}

func TestNoticeVerify(t *testing.T) {
	n, err := Parse(sign(t, statement.TypeNotice, aPayload(aCore()), keyA))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Verify(keyA.Public()); err != nil {
		t.Error(err)
	}
	for name, key := range map[string]ed25519.PublicKey{"another key": keyB.Public(), "no key": nil, "short key": keyA.Public()[:31]} {
		if err := n.Verify(key); !errors.Is(err, statement.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	n.DSSE.Signatures[0].Sig[0] ^= 1
	if err := n.Verify(keyA.Public()); !errors.Is(err, statement.ErrSignature) {
		t.Errorf("altered signature: %v", err)
	}
}

func TestNoticeDigest(t *testing.T) {
	d := sign(t, statement.TypeNotice, aPayload(aCore()), keyA)
	envelope := encode(t, d)
	n, err := ParseJSON(envelope)
	if err != nil {
		t.Fatal(err)
	}
	if n.Digest != sha256.Sum256(envelope) {
		t.Error("Digest is not the SHA-256 of the canonical statement")
	}
	if _, err := ParseJSON(append(envelope, '\n')); err == nil {
		t.Error("ParseJSON accepts a trailing newline")
	}
}
