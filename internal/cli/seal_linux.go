package cli

import "golang.org/x/sys/unix"

// seal keeps the memory of the program to itself: no core dump is written, not by
// the limit of the shell nor by a handler that ignores limits, and no other
// program of the same user may attach to it or read its memory. Root still may.
//
// Memory is not locked (mlock): the garbage collector's runtime moves and copies
// what it holds, so that locking the pages of a key would promise what nobody
// keeps, and locking everything fails under the usual limits. What swapping would
// write to the disk is the operator's: an encrypted swap, or none.
func seal() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}
