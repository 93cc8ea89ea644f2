package main

import "golang.org/x/sys/unix"

// silence has a terminal show nothing of what is typed from now on, until the
// returned function is called. It comes before the question: whoever types at
// once, or pastes, must not see it appear.
func silence(fd int) (undo func()) {
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return func() {}
	}
	quiet := *before
	quiet.Lflag &^= unix.ECHO
	if unix.IoctlSetTermios(fd, unix.TCSETS, &quiet) != nil {
		return func() {}
	}
	return func() { unix.IoctlSetTermios(fd, unix.TCSETS, before) }
}
