// Package ceremony is what people do with keys and paper: it says every
// statement of the directory in words ([Teller]), reads the files that pass
// between people who have no common exchange yet ([ParseKey], [ParseInvite]),
// plans a genesis ([Plan]) and prints the sheets on which fingerprints are
// compared ([Sheet]).
//
// It holds no private key, reads no clock and touches no file: the program that
// asks the questions does. Everything it makes is deterministic. Its functions
// may be called at the same time.
package ceremony
