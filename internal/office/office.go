package office

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"filippo.io/age"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

// Keys opens and signs for one officer, from a file or a Vault. It is safe for
// concurrent use.
type Keys interface {
	Signer() statement.Signer
	Recipient() string                                                   // age1pq1…
	Identity() *age.HybridIdentity                                       // opens packages
	DeskIdentity(desk string, epoch int64) (*age.HybridIdentity, bool)   // opens messages
	AddDeskEpoch(desk string, epoch int64, id *age.HybridIdentity) error // does not persist
}

// Config is what an Office is made of.
type Config struct {
	Client   *client.Client
	Keys     Keys
	Notebook *Notebook
	Packs    *rules.Set
	Clock    func() int64    // of this computer, ms; corrected by the client's offset
	Progress client.Progress // of attachments; may be nil
	Demo     bool            // a demonstration's exchange is accepted
	WeakKeys bool            // the keys are weakly locked, for demonstrations alone

	// KeepProofs keeps openings and proofs of own acts in the notebook's folder
	// for a representative too; others' are kept anyway.
	KeepProofs bool
	// Keep stores the keys durably, before anybody is told of one that they hold
	// now. It may be nil where AddDeskEpoch does that itself, or nothing lasts.
	Keep func() error
	// ConfirmWithin is how long to wait for a checkpoint over what was written,
	// and QuorumWithin how long, of that, for witnesses to cosign it. Default:
	// 60 s and 3 s.
	ConfirmWithin, QuorumWithin time.Duration
}

// Office acts for one officer. Its methods are safe for concurrent use.
type Office struct {
	Config
	mu      sync.Mutex // guards what follows and what the notebook holds
	held    replica
	roots   map[int64]tlog.Hash // of the evidence tree, by size: all of one history
	counted int64               // entries of the evidence tree that a quorum confirmed
	notKept error               // what could not be written to this computer, until it is said
	judged  *judgement          // of the directory as held; nil: not judged yet
	awaited map[int64]string    // own directory statements: where the exchange says they stand, by digest
}

// ErrDemo says that the exchange is a demonstration and this program was not
// started for one.
var ErrDemo = errors.New("this exchange is a demonstration: nothing in it is safe")

// ErrWeakKeys says that the keys were made for a demonstration and the exchange
// is none: locked as weakly as they are, they must not guard real mail.
var ErrWeakKeys = errors.New("these keys were made for a demonstration, and this exchange is none")

// Open replays what the notebook holds of the directory. [Office.Sync] brings
// it up to date.
func Open(cfg Config) (*Office, error) {
	cfg.ConfirmWithin = cmp.Or(cfg.ConfirmWithin, time.Minute)
	cfg.QuorumWithin = cmp.Or(cfg.QuorumWithin, 3*time.Second)
	o := &Office{Config: cfg, roots: map[int64]tlog.Hash{}}
	dir := cfg.Notebook.replay()
	o.held = replay(dir, cfg.Notebook.leaves)
	o.held.vouched = countedSize(o.held, cfg.Notebook.marks)
	o.counted = max(0, claimedSize(cfg.Notebook.marks.EvCounted))
	return o, nil
}

// Directory is the directory as last verified, whoever vouches for it: what the
// next statement builds on. What gives somebody a right counts only as far as
// [Office.Counted] goes.
func (o *Office) Directory() *directory.State {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.held.state
}

// Counted is the beginning of the directory that a quorum of witnesses
// confirmed; all of it, where nobody is asked.
func (o *Office) Counted() directory.View {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.held.state.At(o.held.vouched)
}

// Now is the exchange's time as far as this computer knows it, in ms.
func (o *Office) Now() int64 { return o.Clock() + o.Client.Offset() }

// Me is the officer whose keys these are, as the directory knows them.
func (o *Office) Me() (directory.Officer, error) {
	me, ok := o.Directory().OfficerByKey(statement.KeyID(o.Keys.Signer().Public()))
	if !ok {
		return me, fmt.Errorf("office: %w", ErrNotEnrolled)
	}
	return me, nil
}

// Desk chooses the desk to act for: the one named, else the officer's only one.
func (o *Office) Desk(named string) (string, error) {
	me, err := o.Me()
	if err != nil {
		return "", err
	}
	desks := o.Directory().DesksOf(me.U)
	if named == "" && len(desks) == 1 {
		return desks[0], nil
	}
	for _, d := range desks {
		if d == named {
			return d, nil
		}
	}
	if named == "" {
		if len(desks) > 1 {
			return "", fmt.Errorf("office: %w", ErrManyDesks)
		}
		return "", fmt.Errorf("office: %w: you are a member of none", ErrNoDesk)
	}
	return "", fmt.Errorf("office: %s: %w", named, ErrNoDesk)
}

// Pack is the rule pack of a family in force now.
func (o *Office) Pack(family string) (*rules.Pack, error) {
	id, hash := o.Directory().AdoptedPack(family, o.Now())
	if id == "" {
		return nil, fmt.Errorf("office: %q: %w", family, ErrNoPack)
	}
	return o.Packs.Adopted(id, hash)
}

// head fills the head of a statement signed by this officer.
func (o *Office) head(desk, event, id, cas string, pack *rules.Pack) statement.Head {
	return statement.Head{At: o.Now(), By: o.by(desk), Case: cas, DirN: o.Directory().N(), Ev: event, ID: id,
		Pack: pack.ID(), V: 1}
}

func (o *Office) by(desk string) statement.By {
	return statement.By{Desk: desk, Inst: o.Directory().InstOfDesk(desk), Key: statement.KeyID(o.Keys.Signer().Public())}
}

// sign signs the canonical form of an evidence statement.
func (o *Office) sign(ctx context.Context, event string, body any) (*statement.DSSE, error) {
	payload, err := statement.Marshal(body)
	if err != nil {
		return nil, err
	}
	return statement.Sign(ctx, statement.TypeOfEvent(event), payload, o.Keys.Signer())
}
