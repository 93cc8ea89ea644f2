// Package escrow seals a desk's identity to the custodians of its institution so
// that any k of them together can read it and fewer never can.
//
// No sharing scheme is involved: for every k of the n custodians there is one
// file, age inside age (C2SP age v1), one layer for each of the k. The custodian
// with the lowest number holds the key of the outermost layer and peels first,
// the one with the highest number peels last and sees the identity. What is
// passed from hand to hand in between is always sealed to the next custodian.
// Every layer has exactly one stanza, mlkem768x25519, so no layer is weaker than
// the desk key inside. The age command peels a layer too:
//
//	age -d -i custodian.txt file.age > next.age
//
// All functions are pure, safe for concurrent use, and know neither network nor
// disk. FORMAT.md in keys/directory says how a statement names the files.
package escrow

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/statement"
)

const (
	// MaxCustodians bounds n: 5 custodians are 10 files.
	MaxCustodians = 5
	// MaxFile bounds an escrow file, in bytes: five layers are 8.5 KB.
	MaxFile = 16 << 10

	stanza    = "mlkem768x25519"
	ageHeader = "age-encryption.org/v1\n"
)

// What can be wrong with an escrow file. Each is wrapped with what to do; no text
// ever holds a secret.
var (
	// ErrNotMine: the outermost layer is sealed to another key. The file belongs
	// to the custodian before or after, or to custodians of another time.
	ErrNotMine = errors.New("the outer layer is sealed to another key")
	// ErrFormat: the file is damaged, cut, or is no escrow file.
	ErrFormat = errors.New("not an escrow file")
	// ErrCustodians: custodians and k make no escrow.
	ErrCustodians = errors.New("custodians make no escrow")
)

// A File is the identity sealed for one subset of the custodians.
type File struct {
	Cust []int  // numbers of the custodians, from 0, ascending: the order in which they peel
	Age  []byte // the age file, at most MaxFile bytes
}

// SHA256 is the hex digest by which desk.epoch names the file.
func (f File) SHA256() string {
	sum := sha256.Sum256(f.Age)
	return hex.EncodeToString(sum[:])
}

// Seal wraps the identity of one epoch of a desk for every k of the custodians,
// given as age1pq1… recipients in the order of inst.custodians. The files come in
// the order in which desk.epoch lists them: that of their numbers. Without
// custodians there is no escrow, and no error.
func Seal(identity *age.HybridIdentity, desk string, epoch int64, custodians []string, k int) ([]File, error) {
	if len(custodians) == 0 && k == 0 {
		return nil, nil
	}
	if err := statement.CheckID("desk", desk, statement.Desk); err != nil {
		return nil, fmt.Errorf("escrow: %w", err)
	}
	recipients, err := parse(custodians, k)
	if err != nil {
		return nil, err
	}
	line := fmt.Sprintf("# desk %s epoch %d\n%s\n", desk, epoch, identity)
	var files []File
	for _, cust := range subsets(len(recipients), k) {
		file, err := nest([]byte(line), recipients, cust)
		if err != nil {
			return nil, err
		}
		files = append(files, File{cust, file})
	}
	return files, nil
}

func parse(custodians []string, k int) ([]*age.HybridRecipient, error) {
	if n := len(custodians); n > MaxCustodians || k < 1 || k > n {
		return nil, fmt.Errorf("escrow: %w: %d of %d, want k of n with 1 <= k <= n <= %d", ErrCustodians, k, n, MaxCustodians)
	}
	recipients := make([]*age.HybridRecipient, len(custodians))
	for i, text := range custodians {
		if slices.Contains(custodians[:i], text) {
			return nil, fmt.Errorf("escrow: %w: number %d is named twice", ErrCustodians, i)
		}
		r, err := age.ParseHybridRecipient(text)
		if err != nil {
			return nil, fmt.Errorf("escrow: %w: number %d has no age1pq1 recipient", ErrCustodians, i)
		}
		recipients[i] = r
	}
	return recipients, nil
}

// nest seals from the inside out, so that the first of cust holds the outermost
// layer.
func nest(text []byte, recipients []*age.HybridRecipient, cust []int) ([]byte, error) {
	for _, i := range slices.Backward(cust) {
		var layer bytes.Buffer
		w, err := age.Encrypt(&layer, recipients[i])
		if err != nil {
			return nil, fmt.Errorf("escrow: %w", err)
		}
		if _, err := w.Write(text); err != nil {
			return nil, fmt.Errorf("escrow: %w", err)
		}
		if err := w.Close(); err != nil {
			return nil, fmt.Errorf("escrow: %w", err)
		}
		text = layer.Bytes()
	}
	return text, nil
}

// subsets lists the k-subsets of 0…n-1 in lexicographic order, which is the order
// that the directory demands of desk.epoch.
func subsets(n, k int) [][]int {
	var all [][]int
	var grow func(chosen []int, next int)
	grow = func(chosen []int, next int) {
		if len(chosen) == k {
			all = append(all, slices.Clone(chosen))
			return
		}
		for i := next; i < n; i++ {
			grow(append(chosen, i), i+1)
		}
	}
	grow(nil, 0)
	return all
}

// Peeled is what lay under one layer: a file for the next custodian, or the desk's
// identity. It prints as "redacted" under every verb; the identity lies behind a
// function because package fmt prints unexported fields without asking.
type Peeled struct {
	next     []byte
	identity func() *age.HybridIdentity
}

// Next is the file for the next custodian, nil if this was the last layer. It is
// sealed to her and may travel by any way.
func (p Peeled) Next() []byte { return p.next }

// Identity is the desk's key, false while there are layers left. Whoever calls it
// holds the desk in her hands: compare it with rk of the directory first.
func (p Peeled) Identity() (*age.HybridIdentity, bool) {
	if p.identity == nil {
		return nil, false
	}
	return p.identity(), true
}

func (Peeled) Format(f fmt.State, _ rune)   { fmt.Fprint(f, "redacted") }
func (Peeled) String() string               { return "redacted" }
func (Peeled) MarshalText() ([]byte, error) { return []byte("redacted"), nil }
func (Peeled) LogValue() slog.Value         { return slog.StringValue("redacted") }

// Peel takes off the outermost layer with one custodian's identity. The error is
// ErrNotMine if the layer is sealed to somebody else, ErrFormat if the file is
// damaged, holds other stanzas than one mlkem768x25519, or is larger than MaxFile.
func Peel(file []byte, mine *age.HybridIdentity) (Peeled, error) {
	if len(file) > MaxFile {
		return Peeled{}, fmt.Errorf("escrow: %w: %d bytes, at most %d", ErrFormat, len(file), MaxFile)
	}
	one := &onlyHybrid{mine: mine}
	r, err := age.Decrypt(bytes.NewReader(file), one)
	if one.alien {
		return Peeled{}, fmt.Errorf("escrow: %w: a layer has exactly one stanza, %s", ErrFormat, stanza)
	}
	var other *age.NoIdentityMatchError
	if errors.As(err, &other) {
		return Peeled{}, fmt.Errorf("escrow: %w", ErrNotMine)
	}
	if err != nil {
		return Peeled{}, fmt.Errorf("escrow: %w: its header is damaged", ErrFormat)
	}
	inside, err := io.ReadAll(r) // no longer than file
	if err != nil {
		clear(inside)
		return Peeled{}, fmt.Errorf("escrow: %w: it is damaged or cut", ErrFormat)
	}
	if bytes.HasPrefix(inside, []byte(ageHeader)) {
		return Peeled{next: inside}, nil
	}
	defer clear(inside)
	return innermost(string(inside))
}

// innermost reads the identity file inside all layers: comments and one line.
func innermost(text string) (Peeled, error) {
	var id *age.HybridIdentity
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		found, err := age.ParseHybridIdentity(line)
		if err != nil || id != nil {
			return Peeled{}, fmt.Errorf("escrow: %w: there is not one identity inside", ErrFormat)
		}
		id = found
	}
	if id == nil {
		return Peeled{}, fmt.Errorf("escrow: %w: there is no identity inside", ErrFormat)
	}
	return Peeled{identity: func() *age.HybridIdentity { return id }}, nil
}

// onlyHybrid refuses a layer that somebody else could open besides, or more
// easily.
type onlyHybrid struct {
	mine  *age.HybridIdentity
	alien bool
}

func (o *onlyHybrid) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if len(stanzas) != 1 || stanzas[0].Type != stanza {
		o.alien = true
		return nil, errors.New("alien stanza")
	}
	return o.mine.Unwrap(stanzas)
}
