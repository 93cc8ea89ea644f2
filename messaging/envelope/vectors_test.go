package envelope

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
)

var update = flag.Bool("update", false, "write testdata again")

// vector is one folder of testdata/vectors, as FORMAT.md describes them. It is
// read as desk B.
type vector struct {
	name, comment string
	expect        string   // of the body
	parts         []string // of each attachment, if the body opens
	letter        letter
	contents      [][]byte // plaintext, of what opens
}

// outcome names what an error means, as in vector.txt.
func outcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case FailureCode(err) != "":
		return FailureCode(err)
	case errors.Is(err, ErrNotAddressed):
		return "not-addressed"
	case errors.Is(err, ErrEpochKey):
		return "epoch-key"
	case errors.Is(err, statement.ErrSignature):
		return "signature"
	}
	return "malformed"
}

func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	folders, err := filepath.Glob("testdata/vectors/*/vector.txt")
	if err != nil || len(folders) < 20 {
		t.Fatalf("%d vectors (%v), want at least 20", len(folders), err)
	}
	for _, file := range folders {
		dir := filepath.Dir(file)
		t.Run(filepath.Base(dir), func(t *testing.T) { runVector(t, dir) })
	}
}

func runVector(t *testing.T, dir string) {
	want := readExpectations(t, filepath.Join(dir, "vector.txt"))
	d, err := statement.ParseDSSE(readFile(t, dir, "envelope.dsse.json"))
	if err != nil {
		t.Fatal(err)
	}
	body := readFile(t, dir, "body.age")
	o, err := Open(context.Background(), d, publicOf(signerA), identB, idDeskB, bytes.NewReader(body))
	if got := outcome(err); got != want["expect"] {
		t.Fatalf("%s (%v), want %s", got, err, want["expect"])
	}
	if err != nil {
		return
	}
	padded, _, err := decryptBody(body, len(o.Notice.Core.To), identB)
	if err != nil || string(bytes.TrimRight(padded, " ")) != strings.TrimSuffix(string(readFile(t, dir, "manifest.json")), "\n") {
		t.Errorf("the manifest is not manifest.json (%v)", err)
	}
	for n := range o.Att {
		got, err := read(o, n, readFile(t, dir, fmt.Sprintf("att_%d.age", n+1)))
		if outcome(err) != want[fmt.Sprintf("part-%d", n+1)] {
			t.Errorf("part %d: %v, want %s", n+1, err, want[fmt.Sprintf("part-%d", n+1)])
		}
		if err == nil && !bytes.Equal(got, readFile(t, dir, fmt.Sprintf("att_%d.txt", n+1))) {
			t.Errorf("part %d is not att_%d.txt", n+1, n+1)
		}
	}
}

func readFile(t *testing.T, dir, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func readExpectations(t *testing.T, name string) map[string]string {
	t.Helper()
	want := make(map[string]string)
	for line := range strings.Lines(string(readFile(t, ".", name))) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		want[key] = value
	}
	return want
}

// writeVectors makes every vector from a fixed seed of randomness. They are
// not compared with the files: another version of Go may draw in another order.
func writeVectors(t *testing.T) {
	for i, name := range slices.Sorted(maps.Keys(vectorMakers)) {
		cryptotest.SetGlobalRandom(t, uint64(i))
		v := vectorMakers[name](t)
		v.name = name
		v.write(t)
	}
}

func (v vector) write(t *testing.T) {
	dir := filepath.Join("testdata", "vectors", v.name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	dsse, err := v.letter.Notice.DSSE.Encode()
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("comment: %s\ndesk: %s\nexpect: %s\n", v.comment, idDeskB, v.expect)
	files := map[string][]byte{"envelope.dsse.json": dsse, "body.age": v.letter.Body}
	for n, expect := range v.parts {
		text += fmt.Sprintf("part-%d: %s\n", n+1, expect)
		files[fmt.Sprintf("att_%d.age", n+1)] = v.letter.parts[n]
		if expect == "ok" {
			files[fmt.Sprintf("att_%d.txt", n+1)] = v.contents[n]
		}
	}
	if v.expect == "ok" {
		padded, _, err := decryptBody(v.letter.Body, len(v.letter.Notice.Core.To), identB)
		if err != nil {
			t.Fatal(err)
		}
		files["manifest.json"] = append(bytes.TrimRight(padded, " "), '\n')
	}
	files["vector.txt"] = []byte(text)
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// sentBy makes a vector of a rightly signed forgery.
func sentBy(comment, expect string, f forgery) func(testing.TB) vector {
	return func(t testing.TB) vector { return vector{comment: comment, expect: expect, letter: forge(t, f)} }
}

// onTheWay makes a vector of a good message changed afterwards.
func onTheWay(comment, expect string, parts []string, change func(testing.TB, *letter)) func(testing.TB) vector {
	return func(t testing.TB) vector {
		contents := [][]byte{[]byte("The first attachment.\n"), []byte("The second.\n")}[:len(parts)]
		v := vector{comment: comment, expect: expect, parts: parts, letter: seal(t, draft(), contents...), contents: contents}
		change(t, &v.letter)
		return v
	}
}

type rs = []age.Recipient

var vectorMakers = map[string]func(testing.TB) vector{
	"ok":             onTheWay("a message with two attachments", "ok", []string{"ok", "ok"}, func(testing.TB, *letter) {}),
	"ok-without":     onTheWay("a message without attachments", "ok", nil, func(testing.TB, *letter) {}),
	"body-cut":       onTheWay("the body lost its last byte on the way", "digest", nil, func(_ testing.TB, l *letter) { l.Body = l.Body[:len(l.Body)-1] }),
	"body-other":     onTheWay("the body of another message", "digest", nil, func(t testing.TB, l *letter) { l.Body = seal(t, draft()).Body }),
	"parts-swapped":  onTheWay("the server exchanged the attachments", "ok", []string{"digest", "digest"}, func(_ testing.TB, l *letter) { l.parts[0], l.parts[1] = l.parts[1], l.parts[0] }),
	"part-cut":       onTheWay("the first attachment lost its last byte on the way", "ok", []string{"digest", "ok"}, func(_ testing.TB, l *letter) { l.parts[0] = l.parts[0][:len(l.parts[0])-1] }),
	"signature":      onTheWay("one bit of the signature changed", "signature", nil, breakSignature),
	"epoch-changed":  onTheWay("the epoch changed in the signed part", "signature", nil, changeEpoch),
	"not-addressed":  onTheWay("to desk c only; desk b tries", "not-addressed", nil, toDeskC),
	"another-epoch":  onTheWay("to another epoch of desk b", "epoch-key", nil, toAnotherEpoch),
	"core-differs":   sentBy("a stolen body under another core, rightly signed", "core", forgery{manifest: func(m *manifest) { m.Core.Case = id("c", 'z') }}),
	"extra-stanza":   sentBy("a recipient that the signed list does not name", "stanzas", forgery{recipients: func(r rs) rs { return append(r, identC.Recipient()) }}),
	"classical":      sentBy("one stanza is X25519", "stanzas", forgery{recipients: func(r rs) rs { return loosen(rs{r[0], classicalOf()}) }}),
	"passphrase":     sentBy("one stanza is scrypt", "stanzas", forgery{recipients: func(r rs) rs { return loosen(rs{r[0], phraseOf()}) }}),
	"garbage-stanza": sentBy("the stanza for desk b opens with nobody's key", "key", forgery{recipients: func(r rs) rs { return rs{identC.Recipient(), r[1]} }}),
	"two-texts":      sentBy("desk b's stanza holds another file key", "header", forgery{recipients: func(r rs) rs { return rs{otherKey{identB.Recipient()}, r[1]} }}),
	"signed-cut":     sentBy("cut before it was signed", "payload", forgery{body: func(b []byte) []byte { return b[:len(b)-1] }}),
	"not-padded":     sentBy("the manifest is not padded", "payload", forgery{padded: func(p []byte) []byte { return bytes.TrimRight(p, " ") }}),
	"not-canonical":  sentBy("a member spelled in another case", "manifest", forgery{padded: replace(`"mk":`, `"Mk":`)}),
	"bad-name":       sentBy("an attachment named as a folder above", "manifest", forgery{manifest: func(m *manifest) { m.Att = []Attachment{{"../a", noHash, 1, "a/b"}} }}),
	"ack":            sentBy("the commitment of desk b does not follow from rs", "ack", forgery{core: func(c *messaging.Core) { c.To[0].Ack[0] ^= 1 }}),
	"no-part":        sentBy("an attachment described but not there", "attachment", forgery{manifest: func(m *manifest) { m.Att = []Attachment{{"a", noHash, 1, "a/b"}} }}),
}

func breakSignature(_ testing.TB, l *letter) { l.Notice.DSSE.Signatures[0].Sig[10] ^= 1 }

func changeEpoch(_ testing.TB, l *letter) {
	l.Notice.DSSE.Payload = bytes.Replace(l.Notice.DSSE.Payload, []byte(`"epoch":1`), []byte(`"epoch":2`), 1)
}

func toDeskC(t testing.TB, l *letter) {
	d := draft()
	d.To[0] = addressee(idDeskC, identC, messaging.RoleTo)
	*l = seal(t, d)
}

func toAnotherEpoch(t testing.TB, l *letter) {
	d := draft()
	d.To[0] = addressee(idDeskB, identC, messaging.RoleTo)
	*l = seal(t, d)
}

func classicalOf() age.Recipient {
	i, err := age.GenerateX25519Identity()
	if err != nil {
		panic(err)
	}
	return i.Recipient()
}

func phraseOf() age.Recipient {
	r, err := age.NewScryptRecipient("a phrase")
	if err != nil {
		panic(err)
	}
	r.SetWorkFactor(4)
	return r
}

// TestFormatShowsVector: the worked example of FORMAT.md is the first vector.
func TestFormatShowsVector(t *testing.T) {
	format := string(readFile(t, ".", "FORMAT.md"))
	dir := "testdata/vectors/ok"
	for _, shown := range []string{
		string(bytes.TrimSpace(readFile(t, dir, "manifest.json"))),
		string(readFile(t, dir, "envelope.dsse.json")),
		partOf(readFile(t, dir, "body.age")).SHA256,
	} {
		if !strings.Contains(format, shown) {
			t.Errorf("FORMAT.md does not show %s", shown)
		}
	}
}

// TestEveryMakerIsWritten: no vector was forgotten.
func TestEveryMakerIsWritten(t *testing.T) {
	for name := range vectorMakers {
		if _, err := os.Stat(filepath.Join("testdata", "vectors", name, "vector.txt")); err != nil {
			t.Error(err)
		}
	}
}
