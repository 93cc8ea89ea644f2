package main

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/keys/keystore"
	"github.com/odziv/odziv/keys/vault"
	"github.com/odziv/odziv/keys/vault/officer"
)

const (
	// vaultFile says that the keys of a folder are in a Vault, and in which. It is
	// no secret. While it is there, it decides.
	vaultFile = "vault.json"
	// beforeVault is the keystore that was moved to Vault.
	beforeVault = "keystore.before-vault.age"

	maxVaultFile = 16 << 10 // bytes
)

// Ways to log in to an institution's Vault.
const (
	byToken    = "token" // a file that vault login or Vault Agent keeps
	byUserpass = "userpass"
	byLDAP     = "ldap"
)

// vaultPlace is vault.json.
type vaultPlace struct {
	V         int    `json:"v"`
	Address   string `json:"address"`
	CA        string `json:"ca,omitempty"` // file of PEM certificates
	Auth      string `json:"auth"`
	Mount     string `json:"mount,omitempty"` // of the login method
	Name      string `json:"name,omitempty"`  // of who logs in
	TokenFile string `json:"token_file,omitempty"`
	Transit   string `json:"transit"`
	KV        string `json:"kv"`
	Public    []byte `json:"public,omitempty"` // of the signing key, as it was when the keys came there
}

func readVaultFile(home string) (*vaultPlace, error) {
	var p vaultPlace
	name := filepath.Join(home, vaultFile)
	if err := cli.ReadJSON(name, maxVaultFile, &p); err != nil {
		return nil, err
	}
	if p.V != 1 {
		return nil, cli.Hint(fmt.Errorf("%s is of version %d", name, p.V), "install the newer program")
	}
	return &p, p.check()
}

// addFlags adds the flags that say which Vault.
func (p *vaultPlace) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&p.Address, "vault", "", "address of your institution's Vault, https://…")
	f.StringVar(&p.CA, "vault-ca", "", "file of the certificates that vouch for it (default: this computer's)")
	f.StringVar(&p.Auth, "vault-auth", byToken, "how you log in there: token, userpass or ldap")
	f.StringVar(&p.Mount, "vault-mount", "", "mount of that login, if it is another than its usual")
	f.StringVar(&p.Name, "vault-user", "", "your name there, for userpass and ldap")
	f.StringVar(&p.TokenFile, "vault-token-file", "", "file of the token, from vault login or Vault Agent (default: ~/.vault-token)")
	f.StringVar(&p.Transit, "vault-transit", "transit-odziv", "mount of the transit engine")
	f.StringVar(&p.KV, "vault-kv", "kv-odziv", "mount of the key-value store, version 2")
}

// complete makes file names independent of the folder that somebody stands in.
func (p *vaultPlace) complete() (err error) {
	p.V = 1
	if p.Auth == byToken && p.TokenFile == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return cli.Hint(err, "name the file of the token with --vault-token-file")
		}
		p.TokenFile = filepath.Join(home, ".vault-token")
	}
	for _, name := range []*string{&p.CA, &p.TokenFile} {
		if *name != "" {
			if *name, err = filepath.Abs(*name); err != nil {
				return err
			}
		}
	}
	return p.check()
}

func (p *vaultPlace) check() error {
	switch {
	case p.Address == "":
		return cli.UsageError("name your institution's Vault with --vault https://…")
	case !slices.Contains([]string{byToken, byUserpass, byLDAP}, p.Auth):
		return cli.UsageError("--vault-auth: %.20q is none of token, userpass and ldap", p.Auth)
	case p.Auth != byToken && p.Name == "":
		return cli.UsageError("name yourself with --vault-user")
	}
	return nil
}

// login opens a client, asking for a password where the way needs one.
func (p *vaultPlace) login(cmd *cobra.Command) (*vault.Client, error) { return p.loginWith(cmd, "") }

// loginWith is login with a file for the password, "" for none: of a command that
// needs a passphrase too.
func (p *vaultPlace) loginWith(cmd *cobra.Command, file string) (*vault.Client, error) {
	cfg := vault.Config{Address: p.Address, CACert: p.CA, Transit: p.Transit, KV: p.KV}
	switch p.Auth {
	case byToken:
		cfg.Auth = vault.TokenFile{Path: p.TokenFile}
	default:
		password, err := p.password(cmd, file)
		if err != nil {
			return nil, err
		}
		auth := vault.Userpass{Mount: p.Mount, Name: p.Name, Password: vault.NewSecret(password.Reveal())}
		if p.Auth == byLDAP && auth.Mount == "" {
			auth.Mount = byLDAP
		}
		cfg.Auth = auth
	}
	return vault.Open(cmd.Context(), cfg)
}

func (p *vaultPlace) password(cmd *cobra.Command, file string) (keystore.Secret, error) {
	if file != "" {
		return passphraseFrom(file)
	}
	password, _, err := askSecret(cmd, fmt.Sprintf("password of %s at Vault: ", p.Name))
	return password, err
}

// vaulted keeps keys in a Vault.
type vaulted struct {
	client *vault.Client
	keys   *officer.Keys
	stop   context.CancelFunc
	ended  chan struct{}
}

func (v *vaulted) keep(ctx context.Context) error         { return v.keys.Save(ctx) }
func (v *vaulted) dropPrevious(ctx context.Context) error { return v.keys.DropPrevious(ctx) }

func (v *vaulted) reread(ctx context.Context) (*keystore.Keystore, error) {
	k, err := officer.Open(ctx, v.client)
	if err != nil {
		return nil, err
	}
	return k.Keystore, nil
}

// end has Vault forget the token, where it was ours alone.
func (v *vaulted) end() {
	v.stop()
	<-v.ended
	v.client.Close()
}

// unlockVault reads the keys from Vault.
func unlockVault(cmd *cobra.Command, home string, where *vaultPlace) (*unlocked, error) {
	client, err := where.login(cmd)
	if err != nil {
		return nil, err
	}
	keys, err := officer.Open(cmd.Context(), client)
	if err == nil && len(where.Public) > 0 && !keys.Signer().Public().Equal(ed25519.PublicKey(where.Public)) {
		keys.Forget()
		err = fmt.Errorf("%w: Vault holds another key than it did (%s)", keystore.ErrOther, base64.StdEncoding.EncodeToString(where.Public))
	}
	if err != nil {
		client.Close()
		return nil, err
	}
	return &unlocked{home, keys.Keystore, tend(client, keys)}, nil
}

// tend keeps the token alive while the keys are open.
func tend(client *vault.Client, keys *officer.Keys) *vaulted {
	ctx, stop := context.WithCancel(context.Background())
	v := &vaulted{client, keys, stop, make(chan struct{})}
	go func() {
		defer close(v.ended)
		if err := client.Run(ctx); !errors.Is(err, context.Canceled) {
			<-ctx.Done() // calls say what is wrong
		}
	}()
	return v
}
