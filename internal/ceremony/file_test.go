package ceremony

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/odziv/odziv/internal/statement"
)

var someInst = statement.FormatID(statement.Institution, make([]byte, 16))

func someKey() ed25519.PublicKey { return statement.NewSigningKey(make([]byte, 32)).Public() }

func TestParseKey(t *testing.T) {
	public := base64.StdEncoding.EncodeToString(someKey())
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"whole":           {`{"v":1,"role":"root","inst":"` + someInst + `","ed":"` + public + `"}`, nil},
		"the key alone":   {public + "\n", nil},
		"unknown member":  {`{"v":1,"role":"root","ed":"` + public + `","note":"x"}`, ErrNoKey},
		"twice":           {`{"v":1,"role":"root","role":"council","ed":"` + public + `"}`, ErrNoKey},
		"another case":    {`{"v":1,"Role":"root","ed":"` + public + `"}`, ErrNoKey},
		"null":            {`{"v":1,"role":"root","ed":"` + public + `","inst":null}`, ErrNoKey},
		"no role":         {`{"v":1,"ed":"` + public + `"}`, ErrNoKey},
		"unknown role":    {`{"v":1,"role":"king","ed":"` + public + `"}`, ErrNoKey},
		"no version":      {`{"role":"root","ed":"` + public + `"}`, ErrNoKey},
		"newer":           {`{"v":2,"role":"root","ed":"` + public + `"}`, ErrNoKey},
		"short key":       {`{"v":1,"role":"root","ed":"AAAA"}`, ErrNoKey},
		"an invite":       {`{"v":1,"url":"https://x","genesis":"","inst":"","name":""}`, ErrNoKey},
		"something after": {`{"v":1,"role":"root","ed":"` + public + `"} x`, ErrNoKey},
		"cut":             {`{"v":1,"role":"ro`, ErrNoKey},
		"no institution":  {`{"v":1,"role":"root","inst":"x","ed":"` + public + `"}`, ErrNoKey},
		"empty":           {"", ErrNoKey},
		"a word":          {"hello", ErrNoKey},
		"too long":        {strings.Repeat("A", MaxFile+1), ErrNoKey},
	} {
		if _, err := ParseKey([]byte(c.text)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestParseInvite(t *testing.T) {
	good := Invite{Genesis: strings.Repeat("ab", 32), Inst: someInst, Name: "Centar Врање", URL: "https://exchange.example.rs", V: Version}
	for name, c := range map[string]struct {
		change func(*Invite)
		sound  bool
	}{
		"as made":          {func(*Invite) {}, true},
		"on this computer": {func(i *Invite) { i.URL = "http://127.0.0.1:8443" }, true},
		"without TLS":      {func(i *Invite) { i.URL = "http://exchange.example.rs" }, false},
		"with a login":     {func(i *Invite) { i.URL = "https://a:b@exchange.example.rs" }, false},
		"with a query":     {func(i *Invite) { i.URL = "https://exchange.example.rs/?x=1" }, false},
		"no address":       {func(i *Invite) { i.URL = "exchange" }, false},
		"a script":         {func(i *Invite) { i.URL = "javascript:alert(1)" }, false},
		"short genesis":    {func(i *Invite) { i.Genesis = "ab" }, false},
		"capitals":         {func(i *Invite) { i.Genesis = strings.Repeat("AB", 32) }, false},
		"a desk":           {func(i *Invite) { i.Inst = "d" + i.Inst[1:] }, false},
		"no name":          {func(i *Invite) { i.Name = "" }, false},
		"long name":        {func(i *Invite) { i.Name = strings.Repeat("x", 65) }, false},
		"escape sequence":  {func(i *Invite) { i.Name = "a\x1b[2J" }, false},
		"newer":            {func(i *Invite) { i.V = 2 }, false},
	} {
		i := good
		c.change(&i)
		data, err := i.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseInvite(data)
		if (err == nil) != c.sound || err != nil && !errors.Is(err, ErrNoInvite) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && *back != i {
			t.Errorf("%s: read %+v", name, back)
		}
	}
}

// What one program writes the other reads, and a fingerprint compares with itself
// however it is typed, and with no other.
func TestFingerprintsCompare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed")
		k := &Key{Ed: statement.NewSigningKey(seed).Public(), Inst: someInst, Role: rapid.SampledFrom(roles).Draw(t, "role"), V: Version}
		data, err := k.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseKey(data)
		if err != nil || !bytes.Equal(back.Ed, k.Ed) || back.Role != k.Role {
			t.Fatalf("%v, %+v", err, back)
		}
		printed := FingerprintOf(k.Ed)
		if len(strings.Fields(printed)) != 16 {
			t.Fatalf("%q", printed)
		}
		typed := rapid.SampledFrom([]string{printed, strings.ToUpper(printed), strings.ReplaceAll(printed, " ", ""), strings.ReplaceAll(printed, " ", "-"), strings.Join(rows(k.Digest()), "\n")}).Draw(t, "typed")
		if !Compared(typed, k.Digest()) {
			t.Fatalf("%q is not the same as itself", typed)
		}
		at := rapid.IntRange(0, 63).Draw(t, "at")
		other := []byte(k.Digest())
		other[at] = "0123456789abcdef"[(strings.IndexByte("0123456789abcdef", other[at])+rapid.IntRange(1, 15).Draw(t, "by"))%16]
		if Compared(typed, string(other)) || Compared(typed[:len(typed)-1], k.Digest()) || Compared("", "") {
			t.Fatal("another fingerprint was taken for the same")
		}
	})
}

func FuzzParseKey(f *testing.F) {
	k := &Key{Ed: someKey(), Inst: someInst, Role: Root, V: Version}
	data, _ := k.Encode()
	f.Add(data)
	f.Add([]byte(base64.StdEncoding.EncodeToString(someKey())))
	f.Add([]byte(`{"v":1}`))
	f.Add([]byte(`{"v":1,"ed":[],"role":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := ParseKey(data)
		if err != nil {
			return
		}
		if k.Role == "" {
			return // a key alone
		}
		again, err := k.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ParseKey(again); err != nil || !bytes.Equal(back.Ed, k.Ed) {
			t.Fatalf("%v: %s", err, again)
		}
		for _, s := range Scripts {
			KeySheet(s, k).HTML()
		}
	})
}

func FuzzParseInvite(f *testing.F) {
	i := &Invite{Genesis: strings.Repeat("ab", 32), Inst: someInst, Name: "x", URL: "https://exchange.example.rs", V: Version}
	data, _ := i.Encode()
	f.Add(data)
	f.Add([]byte(`{"v":1,"url":"https://\u0000"}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		i, err := ParseInvite(data)
		if err != nil {
			return
		}
		again, err := i.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ParseInvite(again); err != nil || *back != *i {
			t.Fatalf("%v: %s", err, again)
		}
		if strings.ContainsFunc(i.Name+i.URL, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Fatalf("a control character came through: %q", again)
		}
	})
}
