// Package request signs and verifies HTTP requests: RFC 9421 (HTTP Message
// Signatures) and RFC 9530 (Content-Digest), narrowed to the one profile
// odziv-req-v1 that FORMAT.md in this folder specifies.
//
// A client calls [Sign], or [SignDigest] when it knows the digest of a body too
// large to hold. A server calls [Verify] before it routes the request and reads
// req.Body to io.EOF before it acts on it.
//
// A signature here authenticates the transport of one request. It is no
// evidence; evidence is a DSSE statement (package statement).
package request

import "errors"

const (
	tag   = "odziv-req-v1"
	label = "sig1"

	// MaxPast and MaxFuture bound the age of a signature and the lead of the
	// signer's clock, both inclusive, in milliseconds.
	MaxPast   = 120_000
	MaxFuture = 30_000

	minNonce  = 22 // 128 bits in unpadded base64
	maxNonce  = 64
	maxField  = 1024 // bytes of one signature field
	maxTarget = 4096 // bytes of path and query together
)

// What is wrong with a request. Each is wrapped with the detail.
var (
	// ErrSignature: a field is missing, repeated or outside the profile, or
	// the signature does not verify.
	ErrSignature = errors.New("signature refused")
	// ErrAuthority: the request names another authority than the configured one.
	ErrAuthority = errors.New("other authority")
	// ErrClockSkew: created lies outside the window around now.
	ErrClockSkew = errors.New("signature too old or too new")
	// ErrUnknownKey: lookup knows no such key.
	ErrUnknownKey = errors.New("unknown key")
	// ErrDigest: the body is not the one that was signed for.
	ErrDigest = errors.New("body does not match its content-digest")
)

// components are the covered components, in the order of the profile.
var components = [...]string{"@method", "@authority", "@path", "@query", "content-digest"}
