package directory

import "errors"

// Every error of this package wraps exactly one of these, so that a caller can
// say which rule failed. The text around it says what to do.
var (
	// ErrMalformed: the bytes are no directory statement, or a member of it
	// breaks its format or limit.
	ErrMalformed = errors.New("malformed statement")
	// ErrPrev: prev is not the latest leaf about the subject. Prepare and sign
	// anew.
	ErrPrev = errors.New("prev is not the latest leaf about the subject")
	// ErrDirn: dirn is beyond the directory, or not after the leaf that prev
	// names.
	ErrDirn = errors.New("dirn does not fit the directory")
	// ErrUnknown: the statement names what the directory does not hold.
	ErrUnknown = errors.New("not in the directory")
	// ErrConflict: the statement contradicts what the directory holds.
	ErrConflict = errors.New("contradicts the directory")
	// ErrForeign: a statement reaches from one institution into another.
	ErrForeign = errors.New("belongs to another institution")
	// ErrCover: an epoch's packages do not match the active members, or its
	// escrow the custodians.
	ErrCover = errors.New("packages do not cover exactly those entitled")
	// ErrSigners: not exactly the signatures that the statement needs.
	ErrSigners = errors.New("wrong signers")
)
