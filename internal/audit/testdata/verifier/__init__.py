"""A second verifier of what an exchange hands out, written from the FORMAT.md
files alone: Python's standard library, and cryptography for Ed25519."""
