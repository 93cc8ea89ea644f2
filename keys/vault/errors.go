package vault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
)

// What can be wrong. Each is wrapped with the detail, which never holds a secret
// nor anything that Vault said but the phrases this package knows: an answer may
// repeat what it was asked.
var (
	// ErrSealed: Vault is sealed, or not initialised. Its own keepers unseal it.
	ErrSealed = errors.New("vault is sealed")
	// ErrUnreachable: no answer in time, a connection refused or cut, a standby
	// without its leader. The request may have been carried out or not.
	ErrUnreachable = errors.New("vault does not answer")
	// ErrLogin: no valid token, and none to be had without somebody's help.
	ErrLogin = errors.New("vault login needed")
	// ErrDenied: the token is good, its policy does not allow this.
	ErrDenied = errors.New("vault policy does not allow this")
	// ErrKeyVersion: the key has no such version, or may not use it any more.
	ErrKeyVersion = errors.New("vault does not offer this key version")
	// ErrAnswer: what came back is not what was asked for. Somebody lies, or
	// something that is not Vault sits at the address.
	ErrAnswer = errors.New("vault's answer does not verify")
	// ErrNotFound: there is no such key or path.
	ErrNotFound = errors.New("not found in vault")
	// ErrExists: a key of that name is there already.
	ErrExists = errors.New("exists in vault already")
	// ErrConflict: somebody else wrote first; read again.
	ErrConflict = errors.New("changed in vault meanwhile")
	// ErrCiphertext: not encrypted by this key under this associated data, or altered.
	ErrCiphertext = errors.New("vault cannot decrypt this")
	// errRefused: any other refusal.
	errRefused = errors.New("vault refused the request")
	// errGone: a wrapping token that does not exist: used, expired or never there.
	errGone = errors.New("wrapping token used already or expired")
	// errTrouble: Vault answers that something is wrong on its side.
	errTrouble = fmt.Errorf("%w as it should", ErrUnreachable)
)

// phrases are what Vault is known to say, and what each means. Nothing else of an
// error answer is repeated. The first that fits counts.
var phrases = []struct {
	said string
	kind error
}{
	{"Vault is sealed", ErrSealed},
	{"Vault is not initialized", ErrSealed},
	{"barrier is sealed", ErrSealed},
	{"wrapping token is not valid or does not exist", errGone},
	{"invalid token", ErrLogin},
	{"bad token", ErrLogin},
	{"missing client token", ErrLogin},
	{"invalid role or secret ID", ErrLogin},
	{"invalid role ID", ErrLogin},
	{"invalid secret id", ErrLogin},
	{"invalid username or password", ErrLogin},
	{"user is locked", ErrLogin},
	{"unauthorized through CIDR restrictions", ErrLogin},
	{"ldap operation failed", ErrLogin},
	{"requested version for signing", ErrKeyVersion},
	{"requested version for encryption", ErrKeyVersion},
	{"version is disallowed by policy", ErrKeyVersion},
	{"version is too old", ErrKeyVersion},
	{"message authentication failed", ErrCiphertext},
	{"invalid ciphertext", ErrCiphertext},
	{"check-and-set parameter", ErrConflict},
	{"key not found", ErrNotFound},
	{"no handler for route", ErrNotFound},
	{"unsupported path", ErrNotFound},
	{"no value found", ErrNotFound},
	{"rate limit quota exceeded", ErrUnreachable},
	{"local node not active", ErrUnreachable},
	{"context canceled", ErrUnreachable},
	{"context deadline exceeded", ErrUnreachable},
	{"permission denied", ErrDenied},
}

// refusal is what an answer with an error status means.
func refusal(status int, errs []string) error {
	all := strings.Join(errs, "\n")
	for _, p := range phrases {
		if strings.Contains(all, p.said) {
			return fmt.Errorf("%w (status %d: %s)", p.kind, status, p.said)
		}
	}
	return fmt.Errorf("%w (status %d)", kindOf(status), status)
}

func kindOf(status int) error {
	switch {
	case status == 403:
		return ErrDenied
	case status == 404:
		return ErrNotFound
	case status == 500:
		return errTrouble
	case status == 429 || status > 500:
		return ErrUnreachable
	case status >= 300 && status < 400:
		return ErrAnswer
	}
	return errRefused
}

// silence is what it means that no usable answer came. What the program ended
// itself is its own error. The text says where it failed, never what was sent or
// received: errors of package net/http quote both.
func silence(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, errTooLarge) {
		return fmt.Errorf("%w: %w", ErrAnswer, errTooLarge)
	}
	return fmt.Errorf("%w: %s", ErrUnreachable, plain(err))
}

func plain(err error) string {
	var (
		timeout net.Error
		op      *net.OpError
		cert    *tls.CertificateVerificationError
		host    x509.HostnameError
		signer  x509.UnknownAuthorityError
		record  tls.RecordHeaderError
		alert   tls.AlertError
	)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	case errors.As(err, &cert):
		return cert.Error()
	case errors.As(err, &host):
		return host.Error()
	case errors.As(err, &signer):
		return signer.Error()
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return "no TLS at this address"
	case errors.As(err, &alert):
		return "TLS: " + alert.Error()
	case errors.Is(err, errNotLoopback):
		return errNotLoopback.Error()
	case errors.As(err, &op):
		return op.Error()
	}
	return "connection closed without a whole answer"
}
