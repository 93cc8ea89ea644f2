package envelope

import "errors"

// ErrNotAddressed says that the desk given is no recipient of the message.
var ErrNotAddressed = errors.New("envelope: the desk is not a recipient")

// ErrEpochKey says that the identity given is not the epoch key the message
// names for the desk: the caller holds another epoch.
var ErrEpochKey = errors.New("envelope: the identity is not the epoch key the message names")

// Failure says that sealed bytes are not what the sender signed, or what the
// sender signed does not hold. Anything else that goes wrong (a read error, a
// wrong identity) is no Failure.
type Failure struct {
	Code string // one of messaging's Fail constants, for messaging.DecryptFailed
	what string // never content
}

func (f *Failure) Error() string { return "envelope: " + f.Code + ": " + f.what }

// FailureCode returns the code to file a messaging.DecryptFailed under, or ""
// when the error is not the sender's. Under [messaging.FailDigest] the bytes
// were altered on the way: fetch them again first.
func FailureCode(err error) string {
	var f *Failure
	if errors.As(err, &f) {
		return f.Code
	}
	return ""
}
