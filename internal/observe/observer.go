package observe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/internal/witness"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// Config is what an observer is made of. Dir, Genesis, Inst, Source, Clock and
// Log are required.
type Config struct {
	Dir      string // its folder; see [Open]
	Genesis  string // hex SHA-256 of the genesis leaf, from the annex
	Inst     string // i_…
	Demo     bool   // a demonstration's exchange is accepted
	Source   Source
	Key      *witness.Key                            // cosigns; nil: mirrors and checks only
	Signer   statement.Signer                        // signs lists of expected changes; nil: none
	Clock    func() int64                            // ms since 1970 UTC
	Log      *slog.Logger                            // of no case and no person
	Receipts []string                                // homes of the institution's officers, or folders of such
	Feeds    []Desks                                 // whose feeds are read; none: none
	Wait     time.Duration                           // how long add-checkpoint waits for entries; default 5 s
	Progress func(log ledger.Log, done, total int64) // of long work; may be nil
	Others   []Other                                 // who else shows checkpoints: other observers, the exchange's public face
	Inspect  bool                                    // only look at the folder, which another program may use
}

// Observer is an institution's observer at work, the only one of its folder.
// Its methods are safe for concurrent use.
type Observer struct {
	Config
	Alarms *Alarms

	memory  *witness.Memory
	mirrors map[ledger.Log]*Mirror
	base    context.Context
	stop    context.CancelFunc
	group   sync.WaitGroup // of work that outlives the request that began it

	mu         sync.Mutex
	dir        *directory.State
	changes    []Change // about the own institution and the whole directory, in order
	seen       seen
	flights    map[ledger.Log]*flight
	doubts     [][]byte                         // checkpoints to be looked into; the first is being so
	unrecorded map[string]int64                 // items of feeds that no checkpoint covers, since when
	named      map[ledger.Log]ledger.Checkpoint // trees whose damage was looked into
}

// ErrDemo says that the exchange is a demonstration and the observer was not
// started for one.
var ErrDemo = errors.New("this exchange is a demonstration: nothing in it is safe")

// seen is what an observer remembers beside mirrors and alarms.
type seen struct {
	Published map[string][]byte `json:"published"` // by tree: the largest checkpoint the exchange published
	Quorum    map[string]int64  `json:"quorum"`    // by tree: when enough witnesses cosigned last, ms
	Answered  int64             `json:"answered"`  // when the exchange answered last, ms
	Whole     int64             `json:"whole"`     // when all was compared last, ms
}

const seenFile = "seen.json"

// Open opens an observer's folder, which it makes if there is none:
//
//	dir/, ev/      the mirrors: checkpoint, tile/…
//	cosigned/      what it cosigned last, never to be put back from a backup
//	alarms/        one folder each
//	openings/      what its desks' feeds hold, 0600
//	accepted.json  the statements about the institution that it accepted
//	seen.json      the largest checkpoints that were published, and times
//
// What is mirrored of the directory is replayed.
func Open(ctx context.Context, cfg Config) (*Observer, error) {
	if cfg.Wait == 0 {
		cfg.Wait = 5 * time.Second
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("observe: %w", err)
	}
	o := &Observer{Config: cfg, dir: directory.New(), mirrors: map[ledger.Log]*Mirror{}, flights: map[ledger.Log]*flight{},
		named: map[ledger.Log]ledger.Checkpoint{}, unrecorded: map[string]int64{}, seen: seen{Published: map[string][]byte{}, Quorum: map[string]int64{}}}
	o.base, o.stop = context.WithCancel(context.WithoutCancel(ctx))
	if !cfg.Inspect {
		var err error
		if o.memory, err = witness.OpenMemory(filepath.Join(cfg.Dir, "cosigned")); err != nil {
			return nil, err
		}
	}
	if err := o.load(ctx); err != nil {
		return nil, errors.Join(err, o.Close())
	}
	return o, nil
}

func (o *Observer) load(ctx context.Context) (err error) {
	if o.Alarms, err = openAlarms(filepath.Join(o.Dir, "alarms"), o.Clock, o.told); err != nil {
		return err
	}
	for _, log := range ledger.Logs {
		if o.mirrors[log], err = openMirror(filepath.Join(o.Dir, log.String()), log); err != nil {
			return err
		}
	}
	if err := readJSON(filepath.Join(o.Dir, seenFile), &o.seen); err != nil {
		return err
	}
	return o.replay(ctx)
}

// told logs an alarm when it is raised.
func (o *Observer) told(a Alarm) {
	level := slog.LevelWarn
	if a.Level == Severe {
		level = slog.LevelError
	}
	o.Log.Log(context.Background(), level, a.Text, "kind", string(a.Kind), "alarm", a.ID)
}

// replay applies the directory as mirrored.
func (o *Observer) replay(ctx context.Context) error {
	var changes []Change
	dir := o.dir
	err := o.mirrors[ledger.Dir].Each(ctx, 0, func(idx int64, leaf []byte) error {
		if idx == 0 && directory.LeafHash(leaf) != o.Genesis {
			return fmt.Errorf("observe: %s holds another exchange: %w", o.Dir, ErrDamaged)
		}
		next, err := dir.Apply(leaf)
		if err != nil {
			return fmt.Errorf("observe: mirrored directory entry %d: %w", idx, err)
		}
		dir = next
		changes = o.noteChange(changes, dir, idx, leaf)
		return nil
	})
	o.dir, o.changes = dir, changes
	return errors.Join(err, o.checkNotes())
}

// checkNotes wants the mirrors' checkpoints to be signed as they were.
func (o *Observer) checkNotes() error {
	for log, m := range o.mirrors {
		if _, held := m.At(); held != nil {
			if _, err := o.openedByAny(log, held); err != nil {
				return fmt.Errorf("observe: %s: %w: %w", filepath.Join(m.dir, checkpointFile), ErrDamaged, err)
			}
		}
	}
	return nil
}

// Close ends what runs in the background.
func (o *Observer) Close() error {
	o.stop()
	o.group.Wait()
	if o.memory == nil {
		return nil
	}
	return o.memory.Close()
}

// Directory is the directory as mirrored and replayed.
func (o *Observer) Directory() *directory.State {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.dir
}

// Mirror is that of a tree.
func (o *Observer) Mirror(log ledger.Log) *Mirror { return o.mirrors[log] }

// Witness cosigns what this observer has mirrored and replayed. It needs a key.
func (o *Observer) Witness() *witness.Witness {
	return &witness.Witness{Key: o.Key, Memory: o.memory, Clock: o.Clock, Verifiers: o.verifiers, Admit: o.admit, Doubted: o.doubted}
}

// verifiers is the key that signs for an origin, as the directory names it now.
func (o *Observer) verifiers(origin string) []note.Verifier {
	log, err := logOf(origin)
	if err != nil {
		return nil
	}
	v, err := verifier(o.Directory(), log)
	if err != nil || v.Name() != origin {
		return nil
	}
	return []note.Verifier{v}
}

func verifier(dir *directory.State, log ledger.Log) (note.Verifier, error) {
	vkey := dir.Logs().Ev
	if log == ledger.Dir {
		vkey = dir.Logs().Dir
	}
	return ledger.ParseVerifierKey(vkey)
}

// policy is who must cosign a tree, as the directory says now.
func (o *Observer) policy(log ledger.Log) (*ledger.Policy, error) {
	text := o.Directory().Quorum().Ev
	if log == ledger.Dir {
		text = o.Directory().Quorum().Dir
	}
	return ledger.ParsePolicy(text)
}

// remember edits what is kept in seen.json.
func (o *Observer) remember(edit func(s *seen)) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	edit(&o.seen)
	return writeJSON(filepath.Join(o.Dir, seenFile), o.seen)
}

// treeName is what people call a tree.
func treeName(log ledger.Log) string {
	if log == ledger.Dir {
		return "directory"
	}
	return "evidence tree"
}
