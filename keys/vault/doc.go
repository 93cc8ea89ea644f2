// Package vault keeps keys that leave the disk: a login, a token kept alive, the
// transit engine and the key-value store (version 2) of one HashiCorp Vault. It
// is the only room that talks to Vault, and knows nothing of what is signed or
// kept. The packages below it do.
//
// Most callers use [New] and [Client.Run], or [Open] for a single command, and
// hand the client to a package below. DESIGN.md in this folder says what is asked
// of Vault, which policy each call needs, and what the states mean.
//
// What Vault answers is checked before it is used: a signature verifies under the
// public key that the caller expects, a version is the one asked for. A Vault, or
// whoever sits between, can so refuse to work, but not make a program publish a
// signature of another key. What it can do unseen is keep ciphertexts that do
// not decrypt; callers that store one decrypt it first.
//
// Requests are bounded in time, answers in size; nothing is asked twice on its
// own, no redirect is followed, no proxy used, nothing read from the environment.
package vault
