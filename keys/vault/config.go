package vault

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Config says which Vault, and how to log in. Nothing is taken from the
// environment: VAULT_ADDR and its like change nothing here.
type Config struct {
	// Address is https://host:port, or http:// on this machine's loopback.
	Address string
	// CACert is a file of PEM certificates that alone vouch for Vault's. Empty
	// means the system's authorities.
	CACert string
	// Transit and KV are the mounts, "transit" and "kv" if empty. The key-value
	// store is of version 2.
	Transit, KV string
	// Auth is an [AppRole], a [TokenFile] or a [Userpass].
	Auth Auth
	// Timeout bounds every request; 5 seconds if zero.
	Timeout time.Duration
	// Log gets changes of state and alarms, never a secret. Nil discards.
	Log *slog.Logger
	// Clock dates [State]; time.Now if nil. No decision depends on it: what a
	// token has left is counted in elapsed time.
	Clock func() time.Time
}

// Auth is a way to log in: [AppRole], [TokenFile] or [Userpass].
type Auth interface {
	check() error
	login(*Client, attempt) (grant, error)
	advice() string // what a person does where no login succeeds any more
}

// AppRole logs a program in with a role id and a secret id that can be used
// once. See the package comment for the life of the files.
type AppRole struct {
	// RoleIDFile holds the role id, which is no secret.
	RoleIDFile string
	// SecretIDFile holds a token that wraps a secret id. "<SecretIDFile>.reserve"
	// is used when login is needed again. The program must be able to remove both.
	SecretIDFile string
	// Mount of the method, "approle" if empty.
	Mount string
	// Role is the name that the wrapped secret id must be of. Empty means any of
	// the mount; Vault itself refuses one that does not fit the role id.
	Role string
}

// TokenFile takes the token that somebody else keeps alive in a file: `vault
// login`, or Vault Agent.
type TokenFile struct{ Path string }

// Userpass logs a person in with name and password.
type Userpass struct {
	// Mount of the method, "userpass" if empty; that of ldap works the same.
	Mount    string
	Name     string
	Password Secret
}

const (
	maxName = 200     // bytes of a mount, key or path
	maxFile = 4 << 10 // bytes of a file with a token or a role id
)

var (
	mountName = regexp.MustCompile(`^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$`)
	keyName   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)
	pathName  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$`)
)

// complete fills in what is not said and checks the rest.
func (cfg Config) complete() (Config, error) {
	cfg.Transit = orElse(cfg.Transit, "transit")
	cfg.KV = orElse(cfg.KV, "kv")
	if cfg.Timeout <= 0 {
		cfg.Timeout = 5 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Auth == nil {
		return cfg, errors.New("vault: no way to log in is configured")
	}
	_, err := parseAddress(cfg.Address)
	err = errors.Join(err, checkName("transit mount", mountName, cfg.Transit), checkName("kv mount", mountName, cfg.KV), cfg.Auth.check())
	if err != nil {
		return cfg, fmt.Errorf("vault: %w", err)
	}
	return cfg, nil
}

func orElse(s, standard string) string {
	if s == "" {
		return standard
	}
	return s
}

// parseAddress admits https, and http where it stays on this machine.
func parseAddress(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("address must be https://host:port and nothing more")
	}
	switch {
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return u, nil
	case u.Scheme == "http":
		return nil, errors.New("address is http: a token would cross the network in the clear; use https")
	}
	return nil, errors.New("address must begin with https://")
}

// isLoopback takes localhost at its word; the dialer does not, see transport.go.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func checkName(what string, form *regexp.Regexp, name string) error {
	if len(name) > maxName || !form.MatchString(name) || strings.Contains(name, "..") {
		return fmt.Errorf("%s %.40q is not a name that can be used", what, name)
	}
	return nil
}
