package keystore

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/statement"
)

// maxInteger is the largest integer the formats know (2^53-1).
const maxInteger = 1<<53 - 1

const seedPrefix = "# ed25519-seed: "

var (
	headLine = regexp.MustCompile(`^# odziv keystore v1  inst=(\S*) officer=(\S*) role=([a-z]+) created=([0-9]{1,16})( demo)?$`)
	deskLine = regexp.MustCompile(`^# desk (\S+) epoch ([0-9]{1,16})$`)
)

// encode returns the plaintext of the file: an age identity file with comments.
func (k *Keystore) encode() ([]byte, error) {
	s := k.secret()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.locked:
		return nil, ErrLocked
	case s.signer != nil:
		return nil, ErrElsewhere
	}
	seed := s.signing.Seed()
	defer clear(seed)
	return k.text(s, seedPrefix, seed), nil
}

// text writes the lines: the second is the signing key, or whose it is.
func (k *Keystore) text(s *keys, prefix string, signing []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# odziv keystore v1  inst=%s officer=%s role=%s created=%d", k.Inst, k.Officer, k.Role, k.Created)
	if k.Demo {
		b.WriteString(" demo")
	}
	fmt.Fprintf(&b, "\n%s%s\n", prefix, base64.StdEncoding.EncodeToString(signing))
	fmt.Fprintf(&b, "%s\n", s.identity.String())
	for _, desk := range slices.Sorted(maps.Keys(s.desks)) {
		for _, epoch := range slices.Sorted(maps.Keys(s.desks[desk])) {
			fmt.Fprintf(&b, "# desk %s epoch %d\n%s\n", desk, epoch, s.desks[desk][epoch].String())
		}
	}
	return b.Bytes()
}

// decode is the inverse of encode and takes nothing else: an unknown comment
// may be a key that a newer program would miss after we saved. Its errors name
// the line and never quote it.
func decode(text []byte) (*Keystore, error) {
	return parse(text, (*lines).seed, (*Keystore).encode)
}

// parse reads what write writes.
func parse(text []byte, second func(*lines, *Keystore) error, write func(*Keystore) ([]byte, error)) (*Keystore, error) {
	r := &lines{rest: string(text)}
	k, err := r.keystore(second)
	if err != nil {
		return nil, fmt.Errorf("%w: line %d: %w", ErrFormat, r.n, err)
	}
	again, err := write(k)
	if err != nil {
		return nil, err
	}
	defer clear(again)
	if !bytes.Equal(again, text) {
		return nil, fmt.Errorf("%w: lines are not in their one spelling and order", ErrFormat)
	}
	return k, nil
}

// lines reads a text line by line and knows the number of the last one read.
type lines struct {
	rest string
	n    int
}

func (r *lines) next() (string, error) {
	r.n++
	line, rest, ok := strings.Cut(r.rest, "\n")
	if !ok {
		return "", errors.New("line is missing or not ended")
	}
	r.rest = rest
	return line, nil
}

func (r *lines) keystore(second func(*lines, *Keystore) error) (*Keystore, error) {
	k := newKeystore()
	if err := r.head(k); err != nil {
		return nil, err
	}
	if err := second(r, k); err != nil {
		return nil, err
	}
	var err error
	if k.secret().identity, err = r.identity(); err != nil {
		return nil, err
	}
	for r.rest != "" {
		if err := r.desk(k); err != nil {
			return nil, err
		}
	}
	return k, nil
}

func (r *lines) head(k *Keystore) error {
	line, err := r.next()
	if err != nil {
		return err
	}
	m := headLine.FindStringSubmatch(line)
	if m == nil {
		return errors.New("not the first line of an odziv keystore v1")
	}
	k.Owner = Owner{Inst: m[1], Officer: m[2], Role: m[3]}
	k.Demo = m[5] != ""
	if k.Created, err = integer(m[4]); err != nil {
		return fmt.Errorf("created: %w", err)
	}
	return k.Owner.check()
}

func (r *lines) seed(k *Keystore) error {
	line, err := r.next()
	if err != nil {
		return err
	}
	text, ok := strings.CutPrefix(line, seedPrefix)
	seed, err := base64.StdEncoding.Strict().DecodeString(text)
	if !ok || err != nil || len(seed) != 32 {
		return errors.New("not an ed25519-seed of 32 bytes")
	}
	defer clear(seed)
	k.secret().sign(statement.NewSigningKey(seed))
	return nil
}

func (r *lines) identity() (*age.HybridIdentity, error) {
	line, err := r.next()
	if err != nil {
		return nil, err
	}
	id, err := age.ParseHybridIdentity(line)
	if err != nil {
		return nil, errors.New("not an AGE-SECRET-KEY-PQ-1 identity") // age's own error may quote the key
	}
	return id, nil
}

func (r *lines) desk(k *Keystore) error {
	line, err := r.next()
	if err != nil {
		return err
	}
	m := deskLine.FindStringSubmatch(line)
	if m == nil {
		return errors.New("neither a desk epoch nor the end")
	}
	epoch, err := integer(m[2])
	if err != nil {
		return fmt.Errorf("epoch: %w", err)
	}
	if _, ok := k.DeskIdentity(m[1], epoch); ok {
		return errors.New("desk epoch occurs twice")
	}
	id, err := r.identity()
	if err != nil {
		return err
	}
	return k.AddDeskEpoch(m[1], epoch, id)
}

func integer(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > maxInteger {
		return 0, errors.New("not an integer within 2^53-1")
	}
	return n, nil
}

// clip keeps hostile input short in an error.
func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}
