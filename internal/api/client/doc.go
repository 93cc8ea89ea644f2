// Package client speaks to an exchange over HTTP: one method per operation of
// its OpenAPI document, every request signed under odziv-req-v1 (RFC 9421,
// package request); but for [Public], which reads what needs no key.
//
// An answer of no is a *[wire.Problem]; ask [wire.CodeOf] for its code. Reads
// and writes are repeated after a lost connection, a bounded number of times
// and each time under a fresh nonce: a write is a PUT under a natural id, so
// that it cannot happen twice. A clock that differs from the exchange's is
// corrected once per call from the exchange's own time, see [Client.Offset].
//
// Nothing the exchange says is believed here beyond its form, but that a key, a
// package or a part has the digest or length it is named by. Whether an opening
// is the recorded one is for package evidence, whether a key is in force for
// the replayed directory.
package client
