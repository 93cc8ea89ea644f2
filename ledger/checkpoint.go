package ledger

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// MaxCheckpoint bounds a checkpoint with all its signatures, in bytes: room for
// the 16 that signed-note asks a verifier to accept, even post-quantum ones.
const MaxCheckpoint = 128 << 10

// A Checkpoint is what a log commits to: this origin has this root at this size.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   tlog.Hash
}

// Text is the note text that is signed: three lines and no extension lines.
func (c Checkpoint) Text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, c.Root)
}

// ParseCheckpoint opens a signed checkpoint. It must be exactly three lines,
// its origin the name of v, and signed by v; signatures of others are ignored.
// Any failure wraps [ErrCheckpoint].
func ParseCheckpoint(msg []byte, v note.Verifier) (Checkpoint, error) {
	c, err := parseCheckpoint(msg, v)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("ledger: %w: %w", ErrCheckpoint, err)
	}
	return c, nil
}

func parseCheckpoint(msg []byte, v note.Verifier) (Checkpoint, error) {
	if len(msg) > MaxCheckpoint {
		return Checkpoint{}, fmt.Errorf("%d bytes, at most %d", len(msg), MaxCheckpoint)
	}
	if v == nil {
		return Checkpoint{}, errors.New("no key to verify with")
	}
	n, err := note.Open(msg, note.VerifierList(v))
	if err != nil {
		return Checkpoint{}, err
	}
	if err := checkSpelling(n); err != nil {
		return Checkpoint{}, err
	}
	if signedTwice(msg[len(n.Text):], v) {
		return Checkpoint{}, errors.New("two signatures of one key")
	}
	c, err := parseText(n.Text)
	if err != nil {
		return Checkpoint{}, err
	}
	if c.Origin != v.Name() {
		return Checkpoint{}, fmt.Errorf("origin %.60q signed by the key of %.60q", c.Origin, v.Name())
	}
	return c, nil
}

// unverified reads the checkpoint out of a note without asking who signed it,
// where only a comparison with the stored tree follows.
func unverified(msg []byte) (Checkpoint, error) {
	if len(msg) > MaxCheckpoint {
		return Checkpoint{}, fmt.Errorf("ledger: %w: %d bytes, at most %d", ErrCheckpoint, len(msg), MaxCheckpoint)
	}
	_, err := note.Open(msg, nil)
	var none *note.UnverifiedNoteError
	if !errors.As(err, &none) {
		return Checkpoint{}, fmt.Errorf("ledger: %w: %w", ErrCheckpoint, err)
	}
	c, err := parseText(none.Note.Text)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("ledger: %w: %w", ErrCheckpoint, err)
	}
	return c, nil
}

// parseText accepts exactly what Text writes.
func parseText(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return Checkpoint{}, errors.New("not three lines (extension lines are refused)")
	}
	if err := checkOrigin(lines[0]); err != nil {
		return Checkpoint{}, err
	}
	size, err := parseDecimal(lines[1])
	if err != nil {
		return Checkpoint{}, fmt.Errorf("tree size: %w", err)
	}
	root, err := parseHash(lines[2])
	if err != nil {
		return Checkpoint{}, fmt.Errorf("root: %w", err)
	}
	if size == 0 && root != EmptyRoot() {
		return Checkpoint{}, errors.New("size 0 with the root of a tree that is not empty")
	}
	return Checkpoint{Origin: lines[0], Size: size, Root: root}, nil
}

// parseDecimal accepts 0 to MaxSize in its one spelling.
func parseDecimal(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > MaxSize || strconv.FormatInt(n, 10) != s {
		return 0, fmt.Errorf("%.30q is not a number from 0 to 2^53-1", s)
	}
	return n, nil
}

// parseHash accepts the one base64 spelling of 32 bytes.
func parseHash(s string) (tlog.Hash, error) {
	var h tlog.Hash
	raw, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(raw) != tlog.HashSize || len(s) != 44 {
		return h, fmt.Errorf("%.60q is not the base64 of 32 bytes", s)
	}
	copy(h[:], raw)
	return h, nil
}

// checkSpelling refuses signatures whose base64 has a second spelling, so that
// a note cannot be altered without breaking.
func checkSpelling(n *note.Note) error {
	for _, list := range [][]note.Signature{n.Sigs, n.UnverifiedSigs} {
		for _, s := range list {
			raw, err := base64.StdEncoding.DecodeString(s.Base64)
			if err != nil || base64.StdEncoding.EncodeToString(raw) != s.Base64 {
				return errors.New("a signature is not in the one spelling of base64")
			}
		}
	}
	return nil
}

// signedTwice reports whether more than one signature line is by the key of v;
// of those note.Open verifies only the first.
func signedTwice(lines []byte, v note.Verifier) bool {
	count := 0
	for line := range strings.Lines(string(lines)) {
		name, b64, _ := strings.Cut(strings.TrimPrefix(line, "\u2014 "), " ")
		raw, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(b64, "\n"))
		if err == nil && len(raw) >= 4 && name == v.Name() && binary.BigEndian.Uint32(raw) == v.KeyHash() {
			count++
		}
	}
	return count > 1
}

// SignCheckpoint returns c as a signed note, with a signature by each key of a
// [Keyring]. Signatures are verified before they are used: a signer that answers
// with another key must not be believed. If one of several does not sign, there
// is no note.
func SignCheckpoint(ctx context.Context, s Signer, c Checkpoint) ([]byte, error) {
	if _, err := parseText(c.Text()); err != nil {
		return nil, fmt.Errorf("ledger: sign checkpoint: %w", err)
	}
	signers, err := signersOf(s)
	if err != nil {
		return nil, fmt.Errorf("ledger: sign checkpoint: %w", err)
	}
	signed := []byte(c.Text() + "\n")
	for _, s := range signers {
		line, err := signLine(ctx, s, c)
		if err != nil {
			return nil, fmt.Errorf("ledger: sign checkpoint: %w", err)
		}
		signed = append(signed, line...)
	}
	return signed, nil
}

func signLine(ctx context.Context, s Signer, c Checkpoint) ([]byte, error) {
	v := s.Verifier()
	if v.Name() != c.Origin {
		return nil, fmt.Errorf("key of %q cannot sign for %q", v.Name(), c.Origin)
	}
	sig, err := s.Sign(ctx, []byte(c.Text()))
	if err != nil {
		return nil, err
	}
	if !v.Verify([]byte(c.Text()), sig) {
		return nil, errors.New("the signer answered with a signature that does not verify under its key")
	}
	return signatureLine(v, sig), nil
}

// signatureLine is a signature as it stands under a note (C2SP signed-note).
func signatureLine(v note.Verifier, sig []byte) []byte {
	id := binary.BigEndian.AppendUint32(nil, v.KeyHash())
	return fmt.Appendf(nil, "\u2014 %s %s\n", v.Name(), base64.StdEncoding.EncodeToString(append(id, sig...)))
}
