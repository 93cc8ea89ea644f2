package keystore

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/statement"
)

// Roles a keystore may have: the word says whose keys these are. What the owner
// may do, the directory says.
const (
	Officer   = "officer"
	Registrar = "registrar"
	Delegate  = "delegate"
	Root      = "root"
	Council   = "council"
	Custodian = "custodian"
	Observer  = "observer"
)

var roles = []string{Officer, Registrar, Delegate, Root, Council, Custodian, Observer}

// Owner says whose keys these are. Inst is empty for the council only; Officer
// is present for role officer and may be present for others.
type Owner struct {
	Role    string
	Inst    string // i_…
	Officer string // u_…
}

func (o Owner) check() error {
	if !slices.Contains(roles, o.Role) {
		return fmt.Errorf("%q is not a role", clip(o.Role))
	}
	if o.Inst != "" || o.Role != Council {
		if err := statement.CheckID("inst", o.Inst, statement.Institution); err != nil {
			return err
		}
	}
	if o.Officer != "" || o.Role == Officer {
		return statement.CheckID("officer", o.Officer, statement.Officer)
	}
	return nil
}

// Keystore holds one signing key, one age identity, and the identities of the
// desk epochs its owner may open. It prints as "redacted".
type Keystore struct {
	Owner
	Created int64 // milliseconds since 1970 UTC
	Demo    bool  // weakly locked, for demonstrations only

	// Behind a function because package fmt prints the unexported fields of a
	// struct without asking them, and follows pointers under some verbs.
	secret func() *keys
	seen   map[[32]byte]bool // SHA-256 of the files read or written: what Save may replace
}

type keys struct {
	signing  statement.SigningKey
	identity *age.HybridIdentity
	desks    map[string]map[int64]*age.HybridIdentity
}

// Generate returns a keystore with fresh keys, not yet in any file.
func Generate(owner Owner, created int64, opts Options) (*Keystore, error) {
	if err := owner.check(); err != nil {
		return nil, fmt.Errorf("keystore: %w", err)
	}
	if created < 0 || created > maxInteger {
		return nil, errors.New("keystore: created out of range")
	}
	identity, err := age.GenerateHybridIdentity()
	if err != nil {
		return nil, fmt.Errorf("keystore: %w", err)
	}
	var seed [32]byte
	rand.Read(seed[:]) // never fails since Go 1.24
	k := newKeystore(keys{signing: statement.NewSigningKey(seed[:]), identity: identity})
	k.Owner, k.Created, k.Demo = owner, created, opts.Demo
	return k, nil
}

func newKeystore(s keys) *Keystore {
	s.desks = map[string]map[int64]*age.HybridIdentity{}
	return &Keystore{secret: func() *keys { return &s }, seen: map[[32]byte]bool{}}
}

// Signer returns the Ed25519 key that signs statements and requests.
func (k *Keystore) Signer() statement.Signer { return &signer{k.secret} }

// signer is the key as it is handed out: behind a function, for the reason above.
type signer struct{ keys func() *keys }

func (s *signer) Public() ed25519.PublicKey { return s.keys().signing.Public() }

func (s *signer) Sign(ctx context.Context, message []byte) ([]byte, error) {
	return s.keys().signing.Sign(ctx, message)
}

// Recipient returns the public half of the owner's age identity, "age1pq1…", to
// which desk packages are sealed.
func (k *Keystore) Recipient() string { return k.secret().identity.Recipient().String() }

// Identity returns the owner's age identity, which opens desk packages.
func (k *Keystore) Identity() *age.HybridIdentity { return k.secret().identity }

// DeskIdentity returns the identity of one desk epoch, if it is here.
func (k *Keystore) DeskIdentity(desk string, epoch int64) (*age.HybridIdentity, bool) {
	id, ok := k.secret().desks[desk][epoch]
	return id, ok
}

// Desks returns the desks with an epoch here, sorted.
func (k *Keystore) Desks() []string { return slices.Sorted(maps.Keys(k.secret().desks)) }

// DeskEpochs returns the epochs of a desk here, ascending.
func (k *Keystore) DeskEpochs(desk string) []int64 {
	return slices.Sorted(maps.Keys(k.secret().desks[desk]))
}

// AddDeskEpoch adds the identity of a desk epoch. The same one again changes
// nothing; another one for the same epoch is refused, since replacing a key
// loses every message sealed to it.
func (k *Keystore) AddDeskEpoch(desk string, epoch int64, identity *age.HybridIdentity) error {
	if err := statement.CheckID("desk", desk, statement.Desk); err != nil {
		return fmt.Errorf("keystore: %w", err)
	}
	if epoch < 1 || epoch > maxInteger {
		return fmt.Errorf("keystore: epoch %d out of range", epoch)
	}
	if have, ok := k.DeskIdentity(desk, epoch); ok {
		if have.String() != identity.String() {
			return fmt.Errorf("keystore: %s epoch %d is here with another key", desk, epoch)
		}
		return nil
	}
	desks := k.secret().desks
	if desks[desk] == nil {
		desks[desk] = map[int64]*age.HybridIdentity{}
	}
	desks[desk][epoch] = identity
	return nil
}

// DropDeskEpoch forgets the identity of a desk epoch, when no message sealed to
// it is retained any more, and reports whether it was here. The previous
// version of the file keeps it until [DropPrevious].
func (k *Keystore) DropDeskEpoch(desk string, epoch int64) bool {
	_, ok := k.DeskIdentity(desk, epoch)
	desks := k.secret().desks
	delete(desks[desk], epoch)
	if len(desks[desk]) == 0 {
		delete(desks, desk)
	}
	return ok
}

// Format, String, MarshalText and LogValue keep the keys out of every output.
func (Keystore) Format(f fmt.State, _ rune)   { fmt.Fprint(f, "redacted") }
func (Keystore) String() string               { return "redacted" }
func (Keystore) MarshalText() ([]byte, error) { return []byte("redacted"), nil }
func (Keystore) LogValue() slog.Value         { return slog.StringValue("redacted") }
