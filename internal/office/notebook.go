package office

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/odziv/odziv/keys/directory"
)

// Notebook is what a program remembers between runs: which exchange it belongs
// to, the directory it verified, the last checkpoints, which entries it found in
// the ledger, how far the feeds went, and the openings and proofs of own acts.
// FORMAT.md describes its files. It holds no secret and no content of a message.
// Without a folder it lives in memory.
//
// Several programs may use one folder at a time: what they write is merged, and
// each keeps for itself what it read when it began.
type Notebook struct {
	Pin    Pin
	dir    string // folder, "" for memory
	leaves [][]byte
	marks  marks

	patience time.Duration // with other programs in the folder

	mu        sync.Mutex // guards what follows
	verified  map[int64][32]byte
	feeds     map[string]int64 // desk to the last number known of its feed
	watch     watchNotes       // without a folder
	forgotten forgottenNotes   // without a folder
}

// Pin says which exchange a program belongs to. The genesis hash is compared
// with the annex on the wall when the program is set up.
type Pin struct {
	URL     string `json:"url"`
	Genesis string `json:"genesis"` // hex SHA-256 of the genesis leaf
}

// maxLeafLine bounds a line of the directory file: a leaf in base64.
const maxLeafLine = 4 * (directory.MaxLeaf + 3) / 3

// MemoryNotebook forgets everything at the end: for a representative's borrowed
// computer, and for tests.
func MemoryNotebook(pin Pin) *Notebook {
	return &Notebook{Pin: pin, verified: map[int64][32]byte{}, feeds: map[string]int64{}, patience: lockWithin}
}

// CreateNotebook begins a notebook in a folder that has none.
func CreateNotebook(dir string, pin Pin) (*Notebook, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("office: %w", err)
	}
	n := MemoryNotebook(pin)
	n.dir = dir
	if _, err := os.Stat(n.path(pinFile)); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("office: %s: %w", dir, ErrSetUp)
	}
	return n, n.write(pinFile, pin)
}

// OpenNotebook reads the notebook of a folder.
func OpenNotebook(dir string) (*Notebook, error) {
	n := MemoryNotebook(Pin{})
	n.dir = dir
	err := n.read(pinFile, &n.Pin)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("office: %s: %w", dir, ErrNotSetUp)
	}
	if err != nil {
		return nil, err
	}
	for name, into := range map[string]any{marksFile: &n.marks, feedsFile: &n.feeds} {
		if err := n.read(name, into); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if n.marks.V > marksVersion {
		return nil, fmt.Errorf("office: %s: %w", n.path(marksFile), ErrNewer)
	}
	if n.feeds == nil {
		n.feeds = map[string]int64{}
	}
	return n, errors.Join(n.readLeaves(), n.readVerified())
}

const (
	pinFile    = "exchange.json"
	marksFile  = "marks.json"
	feedsFile  = "feeds.json"
	leavesFile = "directory.b64"

	verifiedFile = "verified.txt"
)

func (n *Notebook) path(name string) string { return filepath.Join(n.dir, name) }

// write replaces a file whole, durably.
func (n *Notebook) write(name string, v any) error {
	if n.dir == "" {
		return nil
	}
	data, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	return replaceFile(n.path(name), data)
}

// replaceFile replaces a file whole: whatever happens, it is the old or the new.
func replaceFile(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("office: %w", err)
	}
	defer os.Remove(f.Name()) // fails, as it should, once renamed
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("office: %w", err)
	}
	return os.Rename(f.Name(), name)
}

// readLeaves reads the directory's leaves, one in base64 a line. A last line
// that a power loss cut off is dropped: it will be fetched again.
func (n *Notebook) readLeaves() (err error) {
	n.leaves, err = n.storedLeaves()
	return err
}

func (n *Notebook) storedLeaves() ([][]byte, error) {
	f, err := os.Open(n.path(leavesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("office: %w", err)
	}
	defer f.Close()
	var leaves [][]byte
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxLeafLine+2)
	for lines.Scan() {
		leaf, err := base64.StdEncoding.DecodeString(lines.Text())
		if err != nil {
			break
		}
		leaves = append(leaves, leaf)
	}
	return leaves, lines.Err()
}

// replay applies the leaves held. From one that does not apply on, the file was
// damaged: those entries are forgotten and fetched again.
func (n *Notebook) replay() *directory.State {
	if whole, err := directory.New().Replay(n.leaves); err == nil {
		return whole
	}
	dir := directory.New()
	for i, leaf := range n.leaves {
		next, err := dir.Apply(leaf)
		if err != nil {
			n.leaves = n.leaves[:i]
			break
		}
		dir = next
	}
	return dir
}

// maxVerifiedLine bounds a line of the file of verified entries.
const maxVerifiedLine = 128

// readVerified reads which entries were found in the ledger before: lines of
// index and hex SHA-256 of the leaf. A line that a power loss cut off, or that
// is none, is forgotten: that entry is asked for again.
func (n *Notebook) readVerified() error {
	f, err := os.Open(n.path(verifiedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("office: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxVerifiedLine)
	for lines.Scan() {
		index, digest, _ := strings.Cut(lines.Text(), " ")
		idx, err := strconv.ParseInt(index, 10, 64)
		sum, hexErr := hex.DecodeString(digest)
		if err == nil && hexErr == nil && len(sum) == 32 {
			n.verified[idx] = [32]byte(sum)
		}
	}
	return nil
}

func (n *Notebook) verifiedLeaf(idx int64) ([32]byte, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	sum, ok := n.verified[idx]
	return sum, ok
}

// keepVerified remembers an entry that was found in the ledger.
func (n *Notebook) keepVerified(idx int64, sum [32]byte) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.verified[idx] == sum {
		return nil
	}
	n.verified[idx] = sum
	if n.dir == "" {
		return nil
	}
	f, err := os.OpenFile(n.path(verifiedFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("office: %w", err)
	}
	_, err = fmt.Fprintf(f, "%d %x\n", idx, sum)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("office: %w", err)
	}
	return nil
}
