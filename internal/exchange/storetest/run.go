// Package storetest holds the suite that every exchange.Store passes, on every
// engine: what is stored, in which order it comes back, what a transaction sees
// and what survives it. It runs the suite of ledger/storagetest first.
//
//	storetest.Run(t, func(t testing.TB) exchange.Store { … })
//
// open returns a new, empty Store each time and closes it by t.Cleanup. If what
// it returns also implements storagetest.Tamperer, storagetest.Forger or
// [Doubler], the tests that need those run too.
package storetest

import (
	"context"
	"reflect"
	"testing"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/ledger/storagetest"
)

// Run runs the suite.
func Run(t *testing.T, open func(t testing.TB) exchange.Store) {
	t.Run("ledger", func(t *testing.T) {
		storagetest.Run(t, func(t testing.TB) ledger.Storage { return open(t) })
	})
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.run(&suite{TB: t, Store: open(t), ctx: context.Background()})
		})
	}
}

type testCase struct {
	name string
	run  func(s *suite)
}

var cases = []testCase{
	{"openings", caseOpenings},
	{"openings while writing", caseOpeningsWhileWriting},
	{"erasure", caseErasure},
	{"completeness", caseCompleteness},
	{"completeness counts once", caseCompletenessCount},
	{"completeness after savepoint", caseCompletenessSavepoint},
	{"opening beyond the head", caseOpeningBeyond},
	{"last", caseLast},
	{"statements", caseStatements},
	{"messages", caseMessages},
	{"messages in ledger order", caseMessageOrder},
	{"recipients", caseRecipients},
	{"parties", caseParties},
	{"links", caseLinks},
	{"links in any order", caseLinkOrder},
	{"scope", caseScope},
	{"access", caseAccess},
	{"consent versions", caseConsentVersions},
	{"conflicts", caseConflicts},
	{"grants", caseGrants},
	{"obligation", caseObligation},
	{"obligations opened", caseOpened},
	{"obligations live", caseLive},
	{"obligation twin", caseTwin},
	{"obligations in pages", caseObligationPages},
	{"obligations due", caseObligationsDue},
	{"obligations many", caseObligationsMany},
	{"marks", caseMarks},
	{"feed", caseFeed},
	{"feed of many", caseFeedMany},
	{"refusals", caseRefusals},
	{"overflow", caseOverflow},
	{"pending", casePending},
	{"nonces", caseNonces},
	{"nonces at once", caseNoncesAtOnce},
	{"nonces of a group", caseNonceGroup},
	{"many rows", casePutAll},
	{"many openings", casePutAllOpenings},
	{"gathered", caseGather},
	{"uploads", caseUploads},
	{"uploads of a message", caseUploadsKept},
	{"shred keys", caseShredKeys},
	{"packages and keys", casePackages},
	{"sweep", caseSweep},
	{"bytes", caseBytes},
	{"text", caseText},
	{"text refused", caseTextRefused},
	{"order of text", caseTextOrder},
	{"times", caseTimes},
	{"own writes", caseOwnWrites},
	{"rollback", caseRollback},
	{"panic", casePanic},
	{"savepoint", caseSavepoint},
	{"savepoints nested", caseSavepointNested},
	{"savepoint after a refused row", caseSavepointRefused},
	{"savepoint with many", caseSavepointMany},
	{"one caller gone", caseOneGone},
	{"snapshot", caseSnapshot},
	{"snapshot of pairs", casePairs},
	{"writers in turn", caseWriters},
	{"scratch beside write", caseScratch},
	{"derived", caseDerived},
	{"derived again", caseDerivedAgain},
	{"derived dropped", caseDropped},
	{"append only", caseAppendOnly},
	{"empty values", caseEmpty},
	{"holes", caseHoles},
	{"clock", caseNow},
	{"write skew", caseSkew},
	{"savepoint after an answer", caseSavepointAnswered},
	{"savepoint after a row refused before", caseSavepointRefusedBefore},
	{"shred keys at once", caseShredAtOnce},
	{"chunks at once", caseChunksAtOnce},
	{"accepted at once", caseAcceptedAtOnce},
	{"two stores", caseTwoStores},
}

// suite is one test with its Store.
type suite struct {
	testing.TB
	exchange.Store
	ctx context.Context
}

// write commits what f writes.
func (s *suite) write(f func(tx exchange.Tx) error) {
	s.Helper()
	if err := s.Write(s.ctx, f); err != nil {
		s.Fatalf("write: %v", err)
	}
}

func (s *suite) scratch(f func(sc exchange.Scratch) error) {
	s.Helper()
	if err := s.Scratch(s.ctx, f); err != nil {
		s.Fatalf("scratch: %v", err)
	}
}

func (s *suite) read(f func(v exchange.View) error) {
	s.Helper()
	if err := s.Read(s.ctx, f); err != nil {
		s.Fatalf("read: %v", err)
	}
}

// refused wants a write that fails, and nothing of it.
func (s *suite) refused(what string, f func(tx exchange.Tx) error) {
	s.Helper()
	before := s.dump()
	if err := s.Write(s.ctx, f); err == nil {
		s.Errorf("%s: accepted", what)
	}
	s.equal("derived rows after "+what, s.dump(), before)
}

func (s *suite) equal(what string, got, want any) {
	s.Helper()
	if !reflect.DeepEqual(got, want) {
		s.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// same wants equal lists; no rows may be nil or empty.
func same[T any](s *suite, what string, got []T, err error, want ...T) {
	s.Helper()
	if err != nil {
		s.Fatalf("%s: %v", what, err)
	}
	if len(got) == 0 && len(want) == 0 {
		return
	}
	s.equal(what, got, want)
}

// found wants a row that is there.
func found[T any](s *suite, what string, want T) func(got T, ok bool, err error) {
	s.Helper()
	return func(got T, ok bool, err error) {
		s.Helper()
		if err != nil {
			s.Fatalf("%s: %v", what, err)
		}
		if !ok {
			s.Errorf("%s: not there", what)
			return
		}
		s.equal(what, got, want)
	}
}

// missing wants a row that is not there.
func missing[T any](s *suite, what string) func(got T, ok bool, err error) {
	s.Helper()
	return func(_ T, ok bool, err error) {
		s.Helper()
		if err != nil || ok {
			s.Errorf("%s: ok %v, %v, want no row and no error", what, ok, err)
		}
	}
}

// all runs writes one after the other until one fails.
func all(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
