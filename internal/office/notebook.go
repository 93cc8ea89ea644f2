package office

import (
	"bufio"
	"bytes"
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

	"github.com/odziv/odziv/keys/directory"
)

// Notebook is what a program remembers between runs: which exchange it belongs
// to, the directory it verified, the last checkpoints, and which entries it found
// in the ledger. It holds no secret and no content. Without a folder it lives in memory.
type Notebook struct {
	Pin    Pin
	dir    string // folder, "" for memory
	leaves [][]byte
	marks  marks

	mu       sync.Mutex // guards verified
	verified map[int64][32]byte
}

// Pin says which exchange a program belongs to. The genesis hash is compared
// with the annex on the wall when the program is set up.
type Pin struct {
	URL     string `json:"url"`
	Genesis string `json:"genesis"` // hex SHA-256 of the genesis leaf
}

// marks are the last verified checkpoints.
type marks struct {
	Dir []byte `json:"dir,omitempty"`
	Ev  []byte `json:"ev,omitempty"`
}

// maxLeafLine bounds a line of the directory file: a leaf in base64.
const maxLeafLine = 4 * (directory.MaxLeaf + 3) / 3

// MemoryNotebook forgets everything at the end: for a representative's borrowed
// computer, and for tests.
func MemoryNotebook(pin Pin) *Notebook {
	return &Notebook{Pin: pin, verified: map[int64][32]byte{}}
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
	if err := n.read(marksFile, &n.marks); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return n, errors.Join(n.readLeaves(), n.readVerified())
}

const (
	pinFile    = "exchange.json"
	marksFile  = "marks.json"
	leavesFile = "directory.b64"

	verifiedFile = "verified.txt"
)

func (n *Notebook) path(name string) string { return filepath.Join(n.dir, name) }

func (n *Notebook) read(name string, v any) error {
	data, err := os.ReadFile(n.path(name))
	if err != nil {
		return fmt.Errorf("office: %w", err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("office: %s: %w: %w", n.path(name), ErrDamaged, err)
	}
	return nil
}

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
func (n *Notebook) readLeaves() error {
	f, err := os.Open(n.path(leavesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("office: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxLeafLine+2)
	for lines.Scan() {
		leaf, err := base64.StdEncoding.DecodeString(lines.Text())
		if err != nil {
			break
		}
		n.leaves = append(n.leaves, leaf)
	}
	return lines.Err()
}

// keep appends verified leaves. The file is written whole: a line that was cut
// off goes with it. What could not be written is not held either.
func (n *Notebook) keep(leaves [][]byte) error {
	all := append(n.leaves[:len(n.leaves):len(n.leaves)], leaves...)
	if n.dir != "" && len(leaves) > 0 {
		var text bytes.Buffer
		for _, leaf := range all {
			fmt.Fprintln(&text, base64.StdEncoding.EncodeToString(leaf))
		}
		if err := replaceFile(n.path(leavesFile), text.Bytes()); err != nil {
			return err
		}
	}
	n.leaves = all
	return nil
}

// replay applies the leaves held. From one that does not apply on, the file was
// damaged: those entries are forgotten and fetched again.
func (n *Notebook) replay() *directory.State {
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
