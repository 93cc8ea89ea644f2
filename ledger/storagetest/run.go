package storagetest

import (
	"testing"

	"github.com/odziv/odziv/ledger"
)

// Run runs the suite. open returns a new, empty Storage; it registers its own
// cleanup and fails t if it cannot.
func Run(t *testing.T, open func(t testing.TB) ledger.Storage) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(newSuite(t, open)) })
	}
}

type testCase struct {
	name string
	run  func(s *suite)
}

var cases = []testCase{
	{"new", caseNew},
	{"append", caseAppend},
	{"append across tile edges", caseTileEdges},
	{"append many at once", caseBig},
	{"append 65,536 and 32 MiB at once", caseHuge},
	{"two logs", caseTwoLogs},
	{"entry sizes", caseEntrySizes},
	{"entry bytes", caseEntryBytes},
	{"head time", caseHeadTime},
	{"reads", caseReads},
	{"savepoint", caseSavepoint},
	{"rollback on error", caseRollback},
	{"rollback on panic", casePanic},
	{"cancelled", caseCancelled},
	{"own writes", caseOwnWrites},
	{"no overwrite", caseNoOverwrite},
	{"head conflict", caseHeadConflict},
	{"head goes forward", caseHeadForward},
	{"snapshot", caseSnapshot},
	{"concurrent", caseConcurrent},
	{"checkpoint order", caseCheckpointOrder},
	{"checkpoint for an entry", caseCheckpointFor},
	{"checkpoint under quorum", caseQuorum},
	{"checkpoints in pages", caseCheckpointPages},
	{"two publishers", casePublishers},
	{"append only", caseAppendOnly},
	{"edited edge", caseEditedEdge},
	{"edited rows", caseEditedRows},
}
