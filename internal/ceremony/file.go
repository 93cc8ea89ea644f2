package ceremony

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/odziv/odziv/internal/statement"
)

// MaxFile bounds a key file and an invite, in bytes.
const MaxFile = 16 << 10

// Version is the only version of these files.
const Version = 1

// Roles of keys that pass between people as files.
const (
	Council   = "council"
	Delegate  = "delegate"
	Root      = "root"
	Registrar = "registrar"
	Officer   = "officer"
	Custodian = "custodian"
	Observer  = "observer"
)

var roles = []string{Council, Delegate, Root, Registrar, Officer, Custodian, Observer}

// Key is the public half of somebody's keys, as odziv enroll writes it to
// key.json. Nothing in it is secret, and nothing in it is true before its
// fingerprint was compared with its owner's paper.
type Key struct {
	Ed      ed25519.PublicKey `json:"ed"`
	Inst    string            `json:"inst,omitempty"`
	Officer string            `json:"officer,omitempty"`
	Rcp     string            `json:"rcp,omitempty"` // age recipient, age1pq1…
	Role    string            `json:"role,omitempty"`
	V       int               `json:"v"`
}

// KeyID names the key in statements.
func (k *Key) KeyID() string { return statement.KeyID(k.Ed) }

// Digest is what its fingerprint shows.
func (k *Key) Digest() string { return Digest(k.Ed) }

// ErrNoKey says that a text is no public key.
var ErrNoKey = errors.New("this is no public key")

// ParseKey reads a key file, or the base64 of a public key alone, whose role
// nobody told.
func ParseKey(data []byte) (*Key, error) {
	if len(data) > MaxFile {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrNoKey, len(data), MaxFile)
	}
	text := strings.TrimSpace(string(data))
	if !strings.HasPrefix(text, "{") {
		key, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil || len(key) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("%w: neither a key.json nor the 44 characters of a public key", ErrNoKey)
		}
		return &Key{Ed: key, V: Version}, nil
	}
	var k Key
	if err := decode(data, &k, "ed", "inst", "officer", "rcp", "role", "v"); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoKey, err)
	}
	return &k, k.check()
}

func (k *Key) check() error {
	switch {
	case k.V != Version:
		return fmt.Errorf("%w: version %d, this program reads %d", ErrNoKey, k.V, Version)
	case len(k.Ed) != ed25519.PublicKeySize:
		return fmt.Errorf("%w: %d bytes, want %d", ErrNoKey, len(k.Ed), ed25519.PublicKeySize)
	case !slices.Contains(roles, k.Role):
		return fmt.Errorf("%w: role %.20q is none of %s", ErrNoKey, k.Role, strings.Join(roles, ", "))
	case k.Inst != "" && !statement.IsID(k.Inst, statement.Institution):
		return fmt.Errorf("%w: inst %.40q is no institution's id", ErrNoKey, k.Inst)
	case k.Officer != "" && !statement.IsID(k.Officer, statement.Officer):
		return fmt.Errorf("%w: officer %.40q is no officer's id", ErrNoKey, k.Officer)
	case k.Rcp != "" && !strings.HasPrefix(k.Rcp, "age1pq1"):
		return fmt.Errorf("%w: rcp is no age1pq1 recipient", ErrNoKey)
	}
	return nil
}

// Encode writes a key file.
func (k *Key) Encode() ([]byte, error) { return encode(k) }

// Invite is what a delegate gives to an institution that is to join: where the
// exchange is, which one it is, and the id under which the institution is
// expected. It is no secret and gives no right.
type Invite struct {
	Genesis string `json:"genesis"` // hash of the genesis, to be compared with the annex
	Inst    string `json:"inst"`    // i_…, proposed
	Name    string `json:"name"`    // a label for screens of the two sides; it never enters the directory
	URL     string `json:"url"`
	V       int    `json:"v"`
}

// ErrNoInvite says that a text is no invite.
var ErrNoInvite = errors.New("this is no invite")

// ParseInvite reads an invite.
func ParseInvite(data []byte) (*Invite, error) {
	if len(data) > MaxFile {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrNoInvite, len(data), MaxFile)
	}
	var i Invite
	if err := decode(data, &i, "genesis", "inst", "name", "url", "v"); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoInvite, err)
	}
	return &i, i.Check()
}

// Check holds an invite against its format.
func (i *Invite) Check() error {
	switch {
	case i.V != Version:
		return fmt.Errorf("%w: version %d, this program reads %d", ErrNoInvite, i.V, Version)
	case !statement.IsHash(i.Genesis):
		return fmt.Errorf("%w: genesis is not 64 hexadecimal digits", ErrNoInvite)
	case !statement.IsID(i.Inst, statement.Institution):
		return fmt.Errorf("%w: inst %.40q is no institution's id", ErrNoInvite, i.Inst)
	}
	if err := checkLabel(i.Name); err != nil {
		return fmt.Errorf("%w: name: %w", ErrNoInvite, err)
	}
	if err := checkURL(i.URL); err != nil {
		return fmt.Errorf("%w: url: %w", ErrNoInvite, err)
	}
	return nil
}

// Encode writes an invite.
func (i *Invite) Encode() ([]byte, error) { return encode(i) }

// maxLabel bounds what people call somebody, in characters.
const maxLabel = 64

func checkLabel(s string) error {
	if n := utf8.RuneCountInString(s); n < 1 || n > maxLabel || !utf8.ValidString(s) {
		return fmt.Errorf("%d characters, want 1 to %d", n, maxLabel)
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("character %U does not print", r)
		}
	}
	return nil
}

// checkURL wants TLS, except on this computer.
func checkURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || len(s) > 512 || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("not the address of an exchange")
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && (u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback()):
		return nil
	}
	return errors.New("want https://…")
}

// decode reads one flat JSON object whose members are among names, each once
// and spelled so: what a program silently leaves out of a file, nobody misses
// before it matters.
func decode(data []byte, v any, names ...string) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return errors.New("not a JSON object")
	}
	seen := map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return errors.New("broken JSON")
		}
		name, _ := t.(string)
		if !slices.Contains(names, name) || seen[name] {
			return fmt.Errorf("member %.40q is unknown or stands there twice", name)
		}
		seen[name] = true
		var value any
		if err := dec.Decode(&value); err != nil || value == nil {
			return fmt.Errorf("member %.40q has no value", name)
		}
	}
	if _, err := dec.Token(); err != nil {
		return errors.New("it ends too early")
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("there is something after the end")
	}
	if err := json.Unmarshal(data, v); err != nil {
		return errors.New("a member is of another kind than expected")
	}
	return nil
}

// encode is JSON for people to look at.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(v)
	return b.Bytes(), err
}
