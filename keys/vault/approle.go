package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// Names beside SecretIDFile.
const (
	reserveSuffix = ".reserve"
	usingSuffix   = ".using" // being unwrapped
)

func (r AppRole) mount() string { return orElse(r.Mount, "approle") }

func (r AppRole) check() error {
	if r.RoleIDFile == "" || r.SecretIDFile == "" {
		return errors.New("approle needs the files of a role id and of a wrapped secret id")
	}
	err := checkName("approle mount", mountName, r.mount())
	if r.Role != "" {
		err = errors.Join(err, checkName("role", keyName, r.Role))
	}
	return err
}

func (r AppRole) login(c *Client, a attempt) (grant, error) {
	roleID, _, err := readSmall(r.RoleIDFile)
	if err != nil {
		return grant{}, fmt.Errorf("%w: role id: %w", ErrLogin, err)
	}
	secret, err := r.secretID(c, a)
	if err != nil {
		return grant{}, err
	}
	g, err := c.authenticate(a, "auth/"+r.mount()+"/login", map[string]string{"role_id": roleID, "secret_id": secret.Reveal()})
	switch {
	case err == nil:
		c.keep(Secret{})
	case errors.Is(err, ErrSealed), errors.Is(err, ErrUnreachable), a.ctx.Err() != nil:
		// The secret id is kept in memory for another try.
	default:
		c.keep(Secret{})
		if errors.Is(err, errRefused) || errors.Is(err, ErrDenied) {
			err = fmt.Errorf("%w: %w", ErrLogin, err)
		}
		err = fmt.Errorf("%w: role id or secret id refused; %s", err, r.advice())
	}
	return g, err
}

// keep remembers a secret id until it was used.
func (c *Client) keep(secret Secret) {
	c.mu.Lock()
	c.pending = secret
	c.mu.Unlock()
}

func (r AppRole) advice() string {
	return "have a fresh wrapped secret id put into " + r.SecretIDFile
}

// secretID is the one kept from an earlier try, or a fresh one out of the files.
func (r AppRole) secretID(c *Client, a attempt) (Secret, error) {
	c.mu.Lock()
	pending := c.pending
	c.mu.Unlock()
	if !pending.IsZero() {
		return pending, nil
	}
	for _, file := range []string{r.SecretIDFile + usingSuffix, r.SecretIDFile, r.SecretIDFile + reserveSuffix} {
		token, err := readSecret(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return Secret{}, fmt.Errorf("%w: secret id: %w", ErrLogin, err)
		}
		secret, err := r.open(c, a, file, token)
		if errors.Is(err, errInterrupted) {
			c.cfg.Log.Warn("vault: a wrapped secret id was spent when this program was last interrupted; was it not, somebody else has it", "file", file)
			continue
		}
		if err == nil {
			c.keep(secret)
		}
		return secret, err
	}
	return Secret{}, fmt.Errorf("%w: no secret id is left; %s", ErrLogin, r.advice())
}

var errInterrupted = errors.New("interrupted while unwrapping")

// open unwraps the token of a file, which can be done once. The order of steps
// is: look at it, set the file aside, unwrap, remove the file. Whatever ends the
// program in between, the next start finds the token still whole, or the file set
// aside and knows that it was this program that spent it.
func (r AppRole) open(c *Client, a attempt, file string, token Secret) (Secret, error) {
	if _, err := r.inspect(c, a, file, token); err != nil {
		if aside := strings.HasSuffix(file, usingSuffix); aside && errors.Is(err, errGone) {
			return Secret{}, errors.Join(errInterrupted, discard(file))
		}
		return Secret{}, err
	}
	aside := r.SecretIDFile + usingSuffix
	if file != aside {
		if err := errors.Join(os.Rename(file, aside), syncFolder(file)); err != nil {
			return Secret{}, fmt.Errorf("%w: secret id cannot be set aside, so it is not unwrapped: %w", ErrLogin, err)
		}
	}
	secret, err := c.unwrap(a, token)
	if errors.Is(err, errGone) && file != aside {
		// It was whole a moment ago. The alarm stays until somebody looks into it.
		return Secret{}, errors.Join(r.alarm(file, errGone), os.Rename(aside, file))
	}
	if err != nil {
		return Secret{}, err
	}
	if err := discard(aside); err != nil {
		c.cfg.Log.Warn("vault: a spent secret id could not be removed", "file", aside, "error", err)
	}
	return secret, nil
}

func discard(file string) error { return errors.Join(os.Remove(file), syncFolder(file)) }

// inspect asks where a wrapping token comes from, without using it up, and how
// long it lasts from its making.
func (r AppRole) inspect(c *Client, a attempt, file string, token Secret) (time.Duration, error) {
	var out struct {
		Data struct {
			Path string `json:"creation_path"`
			TTL  int64  `json:"creation_ttl"`
		} `json:"data"`
	}
	err := c.send(a.ctx, c.anyone, request{verb: "PUT", path: "sys/wrapping/lookup", body: map[string]string{"token": token.Reveal()}}, &out)
	switch {
	case errors.Is(err, errGone):
		return 0, r.alarm(file, errGone)
	case errors.Is(err, ErrDenied), errors.Is(err, errRefused), errors.Is(err, ErrNotFound):
		return 0, fmt.Errorf("%w: secret id: Vault does not know what is in %s; %s", ErrLogin, file, r.advice())
	case err != nil:
		return 0, err
	case !r.rightPath(out.Data.Path):
		return 0, r.alarm(file, errors.New("it wraps something else than a secret id of this role"))
	}
	return time.Duration(out.Data.TTL) * time.Second, nil
}

// rightPath: who intercepts a secret id can wrap it again, but not at this path.
func (r AppRole) rightPath(path string) bool {
	rest, ok := strings.CutPrefix(path, "auth/"+r.mount()+"/role/")
	role, ok2 := strings.CutSuffix(rest, "/secret-id")
	return ok && ok2 && keyName.MatchString(role) && (r.Role == "" || r.Role == role)
}

// alarmWord marks what somebody must look into at once.
const alarmWord = "ALARM"

func (r AppRole) alarm(file string, why error) error {
	return fmt.Errorf("%w: "+alarmWord+": the secret id in %s: %w. Unless it is merely too old, somebody else holds it: "+
		"have Vault's keeper destroy it by its accessor and read the audit log; then %s", ErrLogin, file, why, r.advice())
}

// unwrap uses the token up.
func (c *Client) unwrap(a attempt, token Secret) (Secret, error) {
	d, err := c.transport.door(c.cfg, token)
	if err != nil {
		return Secret{}, err
	}
	var out struct {
		Data struct {
			SecretID string `json:"secret_id"`
		} `json:"data"`
	}
	if err := c.send(a.ctx, d, request{verb: "PUT", path: "sys/wrapping/unwrap"}, &out); err != nil {
		return Secret{}, err
	}
	if out.Data.SecretID == "" {
		return Secret{}, fmt.Errorf("%w: nothing was wrapped", ErrAnswer)
	}
	return NewSecret(out.Data.SecretID), nil
}

// reserve is what is known of the reserve file.
type reserve struct {
	valid  bool
	looked time.Time // monotonic
	said   string    // what was logged last
}

// reserveEvery is how often the reserve is looked at.
const reserveEvery = time.Hour

// examineReserve looks at the reserve without using it up, so that a theft is
// noticed before the reserve is needed.
func (r AppRole) examineReserve(c *Client, a attempt) {
	c.mu.Lock()
	known := c.reserve
	c.mu.Unlock()
	file := r.SecretIDFile + reserveSuffix
	token, err := readSecret(file)
	if known.valid && err == nil && time.Since(known.looked) < reserveEvery {
		return
	}
	if err == nil {
		_, err = r.inspect(c, a, file, token)
	}
	if errors.Is(err, ErrSealed) || errors.Is(err, ErrUnreachable) || a.ctx.Err() != nil {
		return
	}
	next := reserve{valid: err == nil, looked: time.Now(), said: known.said}
	switch {
	case err == nil:
		next.said = ""
	case errors.Is(err, fs.ErrNotExist) && !known.valid:
		// There was none before.
	case err.Error() != known.said:
		next.said = err.Error()
		c.cfg.Log.Error("vault: there is no valid reserve secret id any more", "error", err)
	}
	c.mu.Lock()
	c.reserve = next
	c.mu.Unlock()
}
