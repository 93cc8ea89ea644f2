// Package pgtest starts throw-away PostgreSQL clusters for tests: real servers
// from the machine's own packages, in a folder under /dev/shm or /tmp, that end with
// the test program however it ends.
//
//   - [Run] goes into TestMain, [Shared] gives the one cluster of a test
//     program (fsync off), [Start] one of the test's own (fsync on), and
//     [Cluster.Database] an empty database in either.
//   - A test hurts a cluster with [Cluster.Kill], [Cluster.Stop],
//     [Cluster.Pause] and [Cluster.SetClock], and builds pairs of them with
//     [Cluster.Standby], [Cluster.Detach], [Cluster.Promote] and
//     [Cluster.Rewind].
//
// A machine without PostgreSQL fails the test and is told what to install. The
// servers never run as root: under root they run as the user postgres, or
// nobody. Linux only, as far as the processes of a server are looked at.
//
// The folder is in memory where there is room for it (see Options.Disk): killing
// processes needs no disk to be survived, and a power cut cannot be tested here.
//
// Every cluster sorts text by the rules of Serbian (ICU), not by bytes, and
// lives in the time zone of Belgrade: a program that relies on the locale of the
// server is found out here.
package pgtest
