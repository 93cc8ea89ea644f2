package observe

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/witness"
	"github.com/odziv/odziv/ledger"
)

// receipt is what an officer's program found in the ledger, by the proof that
// the exchange showed it then.
type receipt struct {
	idx  int64
	leaf [sha256.Size]byte
}

// receipts are those of one officer's home, with the checkpoints that her
// program verified, and the lies that it caught.
type receipts struct {
	list  []receipt
	marks [][]byte
	lies  []string // files
}

// Names of the files of an officer's notebook (internal/office/FORMAT.md), and
// the bound of a line.
const (
	pinFile      = "exchange.json"
	verifiedFile = "verified.txt"
	marksFile    = "marks.json"
	proofFiles   = "proofs/*.tlog-proof"
	openingFile  = ".opening.json"
	lieFiles     = "evidence-*.json"
	maxLine      = 128
)

// readReceipts reads the homes that Receipts names: each is one, or holds some.
func (o *Observer) readReceipts() ([]receipts, error) {
	var all []receipts
	var errs []error
	for _, dir := range o.Receipts {
		homes := []string{dir}
		if _, err := os.Stat(filepath.Join(dir, pinFile)); err != nil {
			if homes, err = filepath.Glob(filepath.Join(dir, "*")); err != nil {
				return nil, err
			}
		}
		found := false
		for _, home := range homes {
			r, ours, err := o.readHome(home)
			if err != nil {
				errs = append(errs, err)
			}
			if ours {
				found, all = true, append(all, r)
			}
		}
		if !found {
			errs = append(errs, fmt.Errorf("observe: %s: no home of an officer at this exchange: %w", dir, fs.ErrNotExist))
		}
	}
	return all, errors.Join(errs...)
}

// readHome reads one; ours says whether it is of this exchange.
func (o *Observer) readHome(home string) (r receipts, ours bool, err error) {
	var pin struct {
		Genesis string `json:"genesis"`
	}
	if err := readJSON(filepath.Join(home, pinFile), &pin); err != nil || pin.Genesis != o.Genesis {
		return r, false, err
	}
	var marks struct {
		Dir        []byte `json:"dir"`
		Ev         []byte `json:"ev"`
		DirCounted []byte `json:"dir_counted"`
		EvCounted  []byte `json:"ev_counted"`
	}
	if err := readJSON(filepath.Join(home, marksFile), &marks); err != nil {
		return r, true, err
	}
	for _, mark := range [][]byte{marks.Dir, marks.Ev, marks.DirCounted, marks.EvCounted} {
		if len(mark) > 0 {
			r.marks = append(r.marks, mark)
		}
	}
	if r.lies, err = filepath.Glob(filepath.Join(home, lieFiles)); err != nil {
		return r, true, err
	}
	if r.list, err = readVerified(filepath.Join(home, verifiedFile)); err != nil {
		return r, true, err
	}
	return r, true, r.readProofs(home)
}

// readProofs adds the proofs that were kept of own acts: the entry that each
// opening makes, and the checkpoint over it. Her program may be replacing one.
func (r *receipts) readProofs(home string) error {
	files, err := filepath.Glob(filepath.Join(home, filepath.FromSlash(proofFiles)))
	if err != nil {
		return err
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("observe: %w", err)
		}
		proof, err := ledger.ParseProof(data)
		if err != nil {
			return fmt.Errorf("observe: %s: %w: %w", name, ErrDamaged, err)
		}
		r.marks = append(r.marks, proof.Checkpoint)
		var item evidence.Item
		if err := readJSON(filepath.Join(filepath.Dir(name), strconv.FormatInt(proof.Index, 10)+openingFile), &item); err != nil {
			return err
		}
		if opening, err := item.Opening(); err == nil && item.Idx == proof.Index {
			if leaf, err := opening.Leaf(); err == nil {
				r.list = append(r.list, receipt{item.Idx, sha256.Sum256(leaf)})
			}
		}
	}
	return nil
}

// readVerified reads lines of index and hex SHA-256 of a leaf. The last may be
// being written.
func readVerified(name string) ([]receipt, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("observe: %w", err)
	}
	defer f.Close()
	var list []receipt
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		index, digest, _ := strings.Cut(lines.Text(), " ")
		idx, err := strconv.ParseInt(index, 10, 64)
		sum, hexErr := hex.DecodeString(digest)
		if err == nil && hexErr == nil && len(sum) == sha256.Size && idx >= 0 {
			list = append(list, receipt{idx, [sha256.Size]byte(sum)})
		}
	}
	return list, lines.Err()
}

// checkReceipts wants everything that officers were shown to stand in the
// mirrored ledger, at its place.
func (o *Observer) checkReceipts(ctx context.Context, all []receipts) error {
	for _, home := range all {
		for _, name := range home.lies {
			err := o.Alarms.raise(Receipt, Severe, "lie "+name, "an officer's program caught the exchange showing what an honest one cannot: its evidence lies in her program's folder",
				map[string][]byte{"where.txt": []byte(name + "\n")})
			if err != nil {
				return err
			}
		}
		for _, mark := range home.marks {
			verdict, err := o.Compare(ctx, mark)
			if err != nil {
				return err
			}
			if verdict == Larger {
				if err := o.missingMark(mark); err != nil {
					return err
				}
			}
		}
		for _, r := range home.list {
			if err := o.checkReceipt(ctx, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// missingMark is the alarm of a checkpoint beyond what the exchange shows.
func (o *Observer) missingMark(mark []byte) error {
	c, err := witness.Head(mark)
	if err != nil {
		return err
	}
	log, err := logOf(c.Origin)
	if err != nil {
		return err
	}
	o.mu.Lock()
	shown := o.seen.Published[log.String()]
	o.mu.Unlock()
	if size, err := sizeOf(shown); err != nil || size >= c.Size {
		return nil // the exchange could not be asked, or shows it by now
	}
	return o.Alarms.raise(Rollback, Severe, fmt.Sprintf("%s mark %d %s", log, c.Size, c.Root),
		fmt.Sprintf("an officer's program was shown the %s with %d entries; the exchange shows fewer now", treeName(log), c.Size),
		map[string][]byte{"officer.checkpoint": mark, "shown.checkpoint": shown})
}

func sizeOf(signed []byte) (int64, error) {
	c, err := witness.Head(signed)
	return c.Size, err
}

func (o *Observer) checkReceipt(ctx context.Context, r receipt) error {
	m := o.mirrors[ledger.Ev]
	at, held := m.At()
	if r.idx >= at.Size {
		return nil // the checkpoint that covered it is among the officer's marks
	}
	leaf, err := m.Entry(ctx, r.idx)
	if err != nil || sha256.Sum256(leaf) == r.leaf {
		return err
	}
	files := map[string][]byte{"held.checkpoint": held, fmt.Sprintf("entry-%d.json", r.idx): leaf,
		"receipt.txt": fmt.Appendf(nil, "%d %x\n", r.idx, r.leaf)}
	m.grow.Lock()
	err = o.addProof(ctx, m, r.idx, files)
	m.grow.Unlock()
	if err != nil {
		return err
	}
	return o.Alarms.raise(Receipt, Severe, fmt.Sprintf("%d %x", r.idx, r.leaf),
		fmt.Sprintf("entry %d of the evidence tree is not the one that an officer's program was shown, with a proof", r.idx), files)
}
