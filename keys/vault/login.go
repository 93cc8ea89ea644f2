package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// grant is what a login brings.
type grant struct {
	token     Secret
	lease     time.Duration
	renewable bool
	revocable bool
}

// attempt is one try to log in.
type attempt struct{ ctx context.Context }

// auth is the part of an answer that grants a token.
type auth struct {
	Auth struct {
		ClientToken   string `json:"client_token"`
		LeaseDuration int64  `json:"lease_duration"`
		Renewable     bool   `json:"renewable"`
	} `json:"auth"`
}

// logIn gets a token and takes it into use, unless one is in use.
func (c *Client) logIn(ctx context.Context) error {
	c.login.Lock()
	defer c.login.Unlock()
	if s, _ := c.current(); s != nil {
		return nil
	}
	g, err := c.cfg.Auth.login(c, attempt{ctx})
	if err == nil {
		err = c.take(ctx, g)
	}
	if err != nil && ctx.Err() == nil {
		c.mu.Lock()
		c.become(whyNot(err), err.Error())
		c.mark++
		c.mu.Unlock()
	}
	return err
}

func whyNot(err error) string {
	switch {
	case errors.Is(err, ErrSealed):
		return Sealed
	case errors.Is(err, ErrUnreachable):
		return Unreachable
	case errors.Is(err, ErrDenied):
		return Denied
	}
	return NeedLogin
}

// take makes a session of a grant. A token that was paid for with a secret id is
// taken even if it may not look itself up: the state says what its policy lacks.
func (c *Client) take(ctx context.Context, g grant) error {
	d, err := c.transport.door(c.cfg, g.token)
	if err != nil {
		return err
	}
	s := &session{door: d, revocable: g.revocable}
	denied := map[door]bool{}
	switch found, err := c.lookUp(ctx, s); {
	case err == nil:
		g.lease, g.renewable = found.lease, found.renewable
	case errors.Is(err, ErrDenied):
		denied[door{selfPath, "read"}] = true
	case !g.revocable: // nothing is lost with it
		return fmt.Errorf("%w; %s", err, c.cfg.Auth.advice())
	}
	s.granted(g.lease, g.renewable)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errClosed
	}
	c.session, c.denied = s, denied
	c.good()
	c.wake()
	return nil
}

// selfPath is where a token looks itself up.
const selfPath = "auth/token/lookup-self"

// granted plans the renewal at a third of the lease, give or take a tenth.
func (s *session) granted(lease time.Duration, renewable bool) {
	s.renewAt = time.Time{}
	if lease <= 0 {
		return
	}
	now, third := time.Now(), lease/3
	s.until = now.Add(lease)
	if renewable {
		s.renewAt = now.Add(third - third/10 + rand.N(third/5+1))
	}
}

// lookUp asks what the token of a session is worth. A lease of 0 is one without
// end; what is left of another is said in whole seconds, so its last one is 0 too
// and taken for a second.
func (c *Client) lookUp(ctx context.Context, s *session) (grant, error) {
	var out struct {
		Data struct {
			TTL       int64   `json:"ttl"`
			Expires   *string `json:"expire_time"`
			Renewable bool    `json:"renewable"`
		} `json:"data"`
	}
	err := c.send(ctx, s.door, request{verb: "GET", path: selfPath}, &out)
	found := grant{lease: time.Duration(out.Data.TTL) * time.Second, renewable: out.Data.Renewable}
	if out.Data.Expires != nil {
		found.lease = max(found.lease, time.Second)
	}
	return found, err
}

// authenticate posts what a method of Vault wants and returns the token granted.
func (c *Client) authenticate(a attempt, path string, body any) (grant, error) {
	var out auth
	if err := c.send(a.ctx, c.anyone, request{verb: "PUT", path: path, body: body}, &out); err != nil {
		return grant{}, err
	}
	if out.Auth.ClientToken == "" {
		return grant{}, fmt.Errorf("%w: a login without a token", ErrAnswer)
	}
	return grant{NewSecret(out.Auth.ClientToken), time.Duration(out.Auth.LeaseDuration) * time.Second, out.Auth.Renewable, true}, nil
}

func (t TokenFile) check() error {
	if t.Path == "" {
		return errors.New("no token file is configured")
	}
	return nil
}

func (t TokenFile) advice() string {
	return "log in again, or see to the agent that keeps " + t.Path
}

func (t TokenFile) login(*Client, attempt) (grant, error) {
	token, err := readSecret(t.Path)
	if err != nil {
		return grant{}, fmt.Errorf("%w: token file: %w; %s", ErrLogin, err, t.advice())
	}
	return grant{token: token}, nil
}

func (u Userpass) check() error {
	if u.Password.IsZero() {
		return errors.New("no password is given")
	}
	return errors.Join(checkName("userpass mount", mountName, orElse(u.Mount, "userpass")), checkName("user name", keyName, u.Name))
}

func (u Userpass) advice() string { return "begin again with the right name and password" }

// login tries a refused password once only: Vault locks the account of who goes
// on trying.
func (u Userpass) login(c *Client, a attempt) (grant, error) {
	c.mu.Lock()
	barred := c.barred
	c.mu.Unlock()
	if barred != nil {
		return grant{}, barred
	}
	path := "auth/" + orElse(u.Mount, "userpass") + "/login/" + u.Name
	g, err := c.authenticate(a, path, map[string]string{"password": u.Password.Reveal()})
	if errors.Is(err, errRefused) || errors.Is(err, ErrDenied) || errors.Is(err, ErrLogin) {
		err = fmt.Errorf("%w: name or password refused; %s", ErrLogin, u.advice())
		c.mu.Lock()
		c.barred = err
		c.mu.Unlock()
	}
	return g, err
}

// readSecret reads a token from a file that only its owner may read.
func readSecret(name string) (Secret, error) {
	text, mode, err := readSmall(name)
	if err != nil {
		return Secret{}, err
	}
	if mode&0o077 != 0 && runtime.GOOS != "windows" {
		return Secret{}, fmt.Errorf("%s may be read by others: chmod 600 it, after asking who did", name)
	}
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return Secret{}, fmt.Errorf("%s does not hold one token", name)
	}
	return NewSecret(text), nil
}

func readSmall(name string) (string, fs.FileMode, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", 0, err
	}
	if !info.Mode().IsRegular() {
		return "", 0, fmt.Errorf("%s is not a file", name)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s is too large", name)
	}
	return strings.TrimSpace(string(text)), info.Mode().Perm(), err
}

// syncFolder makes a rename or removal in a folder survive a power loss.
func syncFolder(name string) error {
	if runtime.GOOS == "windows" { // where a folder cannot be synced
		return nil
	}
	d, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
