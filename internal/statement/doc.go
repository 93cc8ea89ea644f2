// Package statement is the grammar everything signed in Odziv is written in:
// canonical JSON (RFC 8785, narrowed to integers and NFC strings), DSSE
// (github.com/secure-systems-lab/dsse, protocol v1) over Ed25519 (RFC 8032),
// random identifiers and neutral codes.
//
// What is signed are exact bytes. Whoever receives bytes from outside decodes
// them with [Unmarshal], which accepts one spelling of a value and no other,
// so that two programs can never read two meanings out of one signature.
// FORMAT.md in this folder specifies the bytes, testdata/ holds the vectors.
package statement
