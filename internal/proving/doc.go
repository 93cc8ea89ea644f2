// Package proving holds the tests of the whole system: real server, real
// clients, real sealing, real database. Each shows one promise of SECURITY.md,
// and most try to break it. Rounds scale with the variable ODZIV_ROUNDS.
//
// The faults, each many times. After each the trees are computed from their
// entries again, every derived row from the openings, every acknowledged message
// stands where it was answered, with its body, and none stands twice:
//
//	fault                                 SQLite                    PostgreSQL
//	commit failed and not written         TestCommitFails           TestCommitFails, TestCommitCut
//	commit failed but written             TestCommitFails           TestCommitFails, TestCommitCut
//	server killed at any moment           TestKill                  TestKill
//	server killed between any two steps   TestKilledBetweenSteps    TestKilledBetweenSteps
//	any step fails                        TestFailedBetweenSteps    TestFailedBetweenSteps
//	database killed at any moment         –                         TestDatabaseKilled
//	connection cut at any message         –                         TestConnectionLost
//	disk full                             TestFullDisk              TestFullDatabase
//	disk of the signer's memory full      TestFullAnchor            (the same)
//	holder of the section stalls          TestStalledHolderSQLite   TestStalledHolder, TestPausedBackend
//	two servers, two signers, one killed  TestTwoServers            TestTwoServers
//	server's clock jumps                  TestServerClockJumps      TestServerClockJumps
//	database's clock jumps                –                         TestDatabaseClockJumps
//	primary lost, synchronous standby     –                         TestFailover
//	primary lost, standby that lagged     –                         TestLostTail
package proving
