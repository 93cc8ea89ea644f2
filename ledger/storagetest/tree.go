package storagetest

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"

	"github.com/odziv/odziv/ledger"
	"golang.org/x/mod/sumdb/tlog"
)

// MTH is the Merkle tree hash of entries, word for word as RFC 6962 §2.1
// defines it and sharing no code with what it checks.
func MTH(entries [][]byte) tlog.Hash {
	switch n := len(entries); n {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return sha256.Sum256(append([]byte{0x00}, entries[0]...))
	default:
		k := 1
		for k*2 < n {
			k *= 2
		}
		left, right := MTH(entries[:k]), MTH(entries[k:])
		return sha256.Sum256(append(append([]byte{0x01}, left[:]...), right[:]...))
	}
}

// Leaves returns n entries that differ by tag and number.
func Leaves(tag string, n int) [][]byte {
	leaves := make([][]byte, n)
	for i := range leaves {
		leaves[i] = fmt.Appendf(nil, "%s %d", tag, i)
	}
	return leaves
}

// Append appends leaves to a log in one transaction.
func Append(s ledger.Storage, log ledger.Log, at int64, leaves ...[]byte) error {
	ctx := context.Background()
	return s.Update(ctx, func(tx ledger.Tx) error {
		b, err := ledger.NewBatch(ctx, tx, log)
		if err != nil {
			return err
		}
		for _, leaf := range leaves {
			if _, err := b.Append(leaf); err != nil {
				return err
			}
		}
		_, err = b.Flush(ctx, at)
		return err
	})
}

// Key is the signer of a log of the host ledger.example, from a fixed seed.
func Key(log ledger.Log) *ledger.SigningKey {
	seed := sha256.Sum256([]byte("test key of " + log.String()))
	k, err := ledger.NewSigningKey(log.Origin("ledger.example"), seed[:ed25519.SeedSize])
	if err != nil {
		panic(err) // both arguments are constant
	}
	return k
}

// published makes the checkpoint of a head, signed with [Key].
func published(t testing.TB, log ledger.Log, head ledger.Head, seq int) ledger.Published {
	t.Helper()
	key := Key(log)
	c := ledger.Checkpoint{Origin: key.Verifier().Name(), Size: head.Size, Root: head.Root}
	note, err := ledger.SignCheckpoint(context.Background(), key, c)
	if err != nil {
		t.Fatal(err)
	}
	return ledger.Published{Size: head.Size, Seq: seq, Root: head.Root, Note: note, Cosigs: seq, Quorum: true, At: head.At + int64(seq)}
}

// suite is one test at work: a storage and what must be in it.
type suite struct {
	testing.TB
	ledger.Storage
	ctx  context.Context
	want [len(ledger.Logs)][][]byte
}

func newSuite(t testing.TB, open func(testing.TB) ledger.Storage) *suite {
	return &suite{TB: t, Storage: open(t), ctx: context.Background()}
}

// append appends leaves and holds the world against them.
func (s *suite) append(log ledger.Log, leaves ...[]byte) {
	s.Helper()
	if err := Append(s.Storage, log, int64(len(s.want[log])), leaves...); err != nil {
		s.Fatalf("append %d entries to %s: %v", len(leaves), log, err)
	}
	s.want[log] = append(s.want[log], leaves...)
	s.check(log)
}

// check compares head, entries and every node with what must be there.
func (s *suite) check(log ledger.Log) {
	s.Helper()
	s.view(func(r ledger.Reader) {
		s.Helper()
		head := s.head(r, log)
		if want := int64(len(s.want[log])); head.Size != want {
			s.Fatalf("%s has %d entries, want %d", log, head.Size, want)
		}
		if root := MTH(s.want[log]); head.Root != root {
			s.Fatalf("%s has root %s at %d, want MTH(entries) = %s", log, head.Root, head.Size, root)
		}
		found, err := ledger.Check(s.ctx, r, log)
		if err != nil {
			s.Fatal(err)
		}
		for _, f := range found {
			s.Errorf("%s: %s", log, f)
		}
		s.checkEntries(r, log)
	})
}

func (s *suite) checkEntries(r ledger.Reader, log ledger.Log) {
	s.Helper()
	for from := 0; from < len(s.want[log]); from += ledger.MaxPage {
		to := min(from+ledger.MaxPage, len(s.want[log]))
		got, err := r.Entries(s.ctx, log, int64(from), int64(to))
		if err != nil {
			s.Fatal(err)
		}
		if len(got) != to-from {
			s.Fatalf("%s: entries %d to %d: got %d", log, from, to, len(got))
		}
		for i := range got {
			if string(got[i]) != string(s.want[log][from+i]) {
				s.Fatalf("%s: entry %d is not what was appended", log, from+i)
			}
		}
	}
}

func (s *suite) view(f func(r ledger.Reader)) {
	s.Helper()
	if err := s.View(s.ctx, func(r ledger.Reader) error { f(r); return nil }); err != nil {
		s.Fatal(err)
	}
}

func (s *suite) head(r ledger.Reader, log ledger.Log) ledger.Head {
	s.Helper()
	head, err := r.Head(s.ctx, log)
	if err != nil {
		s.Fatal(err)
	}
	return head
}

// refused expects f's own write to fail, with want if that is not nil, and both
// logs to be as before.
func (s *suite) refused(what string, want error, f func(tx ledger.Tx) error) {
	s.Helper()
	err := s.Update(s.ctx, f)
	if err == nil {
		s.Errorf("%s: accepted", what)
	} else if want != nil && !errors.Is(err, want) {
		s.Errorf("%s: error %q, want %q", what, err, want)
	}
	s.check(ledger.Dir)
	s.check(ledger.Ev)
}

func (s *suite) update(f func(tx ledger.Tx) error) {
	s.Helper()
	if err := s.Update(s.ctx, f); err != nil {
		s.Fatal(err)
	}
}
