package office

import "errors"

// What a person may have meant otherwise. Each is wrapped with the id it is
// about.
var (
	ErrNotEnrolled = errors.New("your key is not enrolled")
	ErrNoDesk      = errors.New("you do not act for this desk")
	ErrManyDesks   = errors.New("you act for several desks")
	ErrNoMessage   = errors.New("the desk has no message of this id")
	ErrNoEntry     = errors.New("the desk sees no such entry")
	ErrNoRecord    = errors.New("the desk sees no such record")
	ErrNoParcel    = errors.New("nothing of that name waits to be sent")
	ErrNoPack      = errors.New("no rule pack of this family is in force here")
	ErrNoEpoch     = errors.New("the desk has no key yet")
	ErrNoPackage   = errors.New("no package of this key was made for you")
	ErrForgotten   = errors.New("you deleted this key, and nobody granted it to you since")
	ErrKeepsAll    = errors.New("these keys cannot be forgotten one by one")
	ErrDraft       = errors.New("the keys hold another one of this number, which nobody else has")
	ErrIncomplete  = errors.New("it is not on record yet")
	ErrPackage     = errors.New("the package holds another key than the directory names")
	ErrSetUp       = errors.New("the folder belongs to an exchange already")
	ErrNotSetUp    = errors.New("the folder belongs to no exchange yet")
	ErrDamaged     = errors.New("the file is damaged")
	ErrBehind      = errors.New("the message speaks of a directory this program has not seen yet")
	ErrNewer       = errors.New("the file was written by a later version of this program")
	ErrSending     = errors.New("another run of this program is sending it")
	ErrBusy        = errors.New("another run of this program writes into the same folder and does not end")

	// ErrNotConfirmed: an entry is stored, but no checkpoint covers it yet.
	ErrNotConfirmed = errors.New("NOT CONFIRMED: no checkpoint covers it yet")
)
