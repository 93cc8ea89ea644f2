package main

import (
	"os"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// tmpfs reports whether small disks are to be mounted, which only root may.
// Whoever runs the tests without says so in ODZIV_TEST_WITHOUT=tmpfs.
func tmpfs() bool { return !strings.Contains(os.Getenv("ODZIV_TEST_WITHOUT"), "tmpfs") }

// disk mounts a file system of a size at a folder of the script, or gives the
// one that is there another size.
func disk(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: disk FOLDER SIZE")
	}
	folder, flags := ts.MkAbs(args[0]), uintptr(0)
	if _, err := os.Stat(folder); err == nil {
		flags = syscall.MS_REMOUNT
	} else {
		ts.Check(os.Mkdir(folder, 0o700))
		ts.Defer(func() { ts.Check(syscall.Unmount(folder, syscall.MNT_DETACH)) })
	}
	if err := syscall.Mount("tmpfs", folder, "tmpfs", flags, "mode=700,size="+args[1]); err != nil {
		ts.Fatalf("cannot mount a small disk: %v; run as root, or set ODZIV_TEST_WITHOUT=tmpfs to leave this out", err)
	}
}
