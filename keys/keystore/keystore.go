package keystore

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"

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
// desk epochs its owner may open. It prints as "redacted". It is safe for
// concurrent use.
type Keystore struct {
	Owner
	Created int64 // milliseconds since 1970 UTC
	Demo    bool  // weakly locked, for demonstrations only

	// Behind a function because package fmt prints the unexported fields of a
	// struct without asking them, and follows pointers under some verbs.
	secret func() *keys
}

// keys is what a Keystore guards. The fields are read and written under mu.
type keys struct {
	mu       sync.Mutex
	public   ed25519.PublicKey
	signing  statement.SigningKey // of no use where signer is set
	signer   statement.Signer     // the signing key where it is not in this program
	identity *age.HybridIdentity
	desks    map[string]map[int64]*age.HybridIdentity
	dropped  map[deskKey]bool  // forgotten on purpose: a merge does not bring them back
	seen     map[[32]byte]bool // SHA-256 of the files read or written: what Save may replace
	locked   bool
}

// deskKey is one identity of one desk epoch.
type deskKey struct {
	desk      string
	epoch     int64
	recipient string
}

// Generate returns a keystore with fresh keys, not yet in any file.
func Generate(owner Owner, created int64, opts Options) (*Keystore, error) {
	var seed [32]byte
	rand.Read(seed[:]) // never fails since Go 1.24
	defer clear(seed[:])
	k, err := generate(owner, created, opts)
	if err != nil {
		return nil, err
	}
	k.secret().sign(statement.NewSigningKey(seed[:]))
	return k, nil
}

// generate makes everything but the signing key.
func generate(owner Owner, created int64, opts Options) (*Keystore, error) {
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
	k := newKeystore()
	k.Owner, k.Created, k.Demo = owner, created, opts.Demo
	k.secret().identity = identity
	return k, nil
}

func newKeystore() *Keystore {
	s := &keys{desks: map[string]map[int64]*age.HybridIdentity{}, dropped: map[deskKey]bool{}, seen: map[[32]byte]bool{}}
	return &Keystore{secret: func() *keys { return s }}
}

func (s *keys) sign(key statement.SigningKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signing, s.public = key, key.Public()
}

// Signer returns the Ed25519 key that signs statements and requests.
func (k *Keystore) Signer() statement.Signer { return &signer{k.secret} }

// signer is the key as it is handed out: behind a function, for the reason above.
type signer struct{ keys func() *keys }

func (s *signer) Public() ed25519.PublicKey { return s.keys().public }

func (s *signer) Sign(ctx context.Context, message []byte) ([]byte, error) {
	k := s.keys()
	k.mu.Lock()
	key, elsewhere, locked := k.signing, k.signer, k.locked
	k.mu.Unlock()
	switch {
	case locked:
		return nil, fmt.Errorf("keystore: %w", ErrLocked)
	case elsewhere != nil:
		return elsewhere.Sign(ctx, message)
	}
	return key.Sign(ctx, message)
}

// Recipient returns the public half of the owner's age identity, "age1pq1…", to
// which desk packages are sealed; "" after [Keystore.Forget].
func (k *Keystore) Recipient() string {
	if id := k.Identity(); id != nil {
		return id.Recipient().String()
	}
	return ""
}

// Identity returns the owner's age identity, which opens desk packages; nil
// after [Keystore.Forget].
func (k *Keystore) Identity() *age.HybridIdentity {
	s := k.secret()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.identity
}

// DeskIdentity returns the identity of one desk epoch, if it is here.
func (k *Keystore) DeskIdentity(desk string, epoch int64) (*age.HybridIdentity, bool) {
	s := k.secret()
	s.mu.Lock()
	defer s.mu.Unlock()
	id, ok := s.desks[desk][epoch]
	return id, ok
}

// Desks returns the desks with an epoch here, sorted.
func (k *Keystore) Desks() []string {
	s := k.secret()
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.desks))
}

// DeskEpochs returns the epochs of a desk here, ascending.
func (k *Keystore) DeskEpochs(desk string) []int64 {
	s := k.secret()
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.desks[desk]))
}

// AddDeskEpoch adds the identity of a desk epoch. The same one again changes
// nothing; another one for the same epoch is refused, since replacing a key
// loses every message sealed to it.
func (k *Keystore) AddDeskEpoch(desk string, epoch int64, identity *age.HybridIdentity) error {
	s := k.secret()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.locked {
		return fmt.Errorf("keystore: %w", ErrLocked)
	}
	if err := s.add(desk, epoch, identity); err != nil {
		return fmt.Errorf("keystore: %w", err)
	}
	delete(s.dropped, deskKey{desk, epoch, identity.Recipient().String()})
	return nil
}

func (s *keys) add(desk string, epoch int64, identity *age.HybridIdentity) error {
	if err := statement.CheckID("desk", desk, statement.Desk); err != nil {
		return err
	}
	if epoch < 1 || epoch > maxInteger {
		return fmt.Errorf("epoch %d out of range", epoch)
	}
	if have, ok := s.desks[desk][epoch]; ok {
		if have.String() != identity.String() {
			return fmt.Errorf("%s epoch %d is here with another key", desk, epoch)
		}
		return nil
	}
	if s.desks[desk] == nil {
		s.desks[desk] = map[int64]*age.HybridIdentity{}
	}
	s.desks[desk][epoch] = identity
	return nil
}

// DropDeskEpoch forgets the identity of a desk epoch, when no message sealed to
// it is retained any more, and reports whether it was here. The previous
// version of the file keeps it until [DropPrevious].
func (k *Keystore) DropDeskEpoch(desk string, epoch int64) bool {
	s := k.secret()
	s.mu.Lock()
	defer s.mu.Unlock()
	id, ok := s.desks[desk][epoch]
	if ok {
		s.dropped[deskKey{desk, epoch, id.Recipient().String()}] = true
	}
	delete(s.desks[desk], epoch)
	if len(s.desks[desk]) == 0 {
		delete(s.desks, desk)
	}
	return ok
}

// Merge adds the desk epochs that other holds and this one lacks, and returns
// how many those were. What was dropped here stays dropped. Both must hold the
// same keys of the same owner: two versions of one keystore.
func (k *Keystore) Merge(other *Keystore) (added int, err error) {
	if k.Owner != other.Owner || !k.secret().public.Equal(other.Signer().Public()) || k.Recipient() != other.Recipient() {
		return 0, fmt.Errorf("keystore: %w: it holds other keys", ErrOther)
	}
	return k.adopt(other)
}

// Adopt adds the desk epochs of another keystore of the same officer, whose own
// keys these replace.
func (k *Keystore) Adopt(other *Keystore) (added int, err error) {
	if k.Owner != other.Owner {
		return 0, fmt.Errorf("keystore: %w: it is somebody else's", ErrOther)
	}
	return k.adopt(other)
}

func (k *Keystore) adopt(other *Keystore) (added int, err error) {
	theirs := map[string]map[int64]*age.HybridIdentity{}
	for _, desk := range other.Desks() { // copied first: never two locks at once
		theirs[desk] = map[int64]*age.HybridIdentity{}
		for _, epoch := range other.DeskEpochs(desk) {
			if id, ok := other.DeskIdentity(desk, epoch); ok {
				theirs[desk][epoch] = id
			}
		}
	}
	s := k.secret()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.locked {
		return 0, fmt.Errorf("keystore: %w", ErrLocked)
	}
	for desk, epochs := range theirs {
		for epoch, id := range epochs {
			if _, here := s.desks[desk][epoch]; s.dropped[deskKey{desk, epoch, id.Recipient().String()}] {
				continue
			} else if !here {
				added++
			}
			if err := s.add(desk, epoch, id); err != nil {
				return added, fmt.Errorf("keystore: %w", err)
			}
		}
	}
	return added, nil
}

// Forget drops the keys. From then on, signing, adding and saving give
// [ErrLocked], for whoever still holds this Keystore or its signer, and there is
// no identity any more. The memory itself is the garbage collector's, which may
// have copied it before: what keeps keys off the disk is an encrypted swap, not
// this program.
func (k *Keystore) Forget() {
	s := k.secret()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.locked = true
	s.signing, s.signer, s.identity = statement.SigningKey{}, nil, nil
	clear(s.desks)
}

// saw notes a file that this keystore knows and may replace.
func (k *Keystore) saw(file []byte) {
	s := k.secret()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[sha256.Sum256(file)] = true
}

func (k *Keystore) knows(file []byte) bool {
	s := k.secret()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[sha256.Sum256(file)]
}

// Format, String, MarshalText and LogValue keep the keys out of every output.
func (Keystore) Format(f fmt.State, _ rune)   { fmt.Fprint(f, "redacted") }
func (Keystore) String() string               { return "redacted" }
func (Keystore) MarshalText() ([]byte, error) { return []byte("redacted"), nil }
func (Keystore) LogValue() slog.Value         { return slog.StringValue("redacted") }
