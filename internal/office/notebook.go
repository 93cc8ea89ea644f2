package office

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/odziv/odziv/keys/directory"
)

// Notebook is what a program remembers between runs: which exchange it belongs
// to, the directory it verified, the last checkpoints, and how far it read each
// feed. It holds no secret and no content. Without a folder it lives in memory.
type Notebook struct {
	Pin    Pin
	dir    string // folder, "" for memory
	leaves [][]byte
	marks  marks
}

// Pin says which exchange a program belongs to. The genesis hash is compared
// with the annex on the wall when the program is set up.
type Pin struct {
	URL     string `json:"url"`
	Genesis string `json:"genesis"` // hex SHA-256 of the genesis leaf
}

// marks are the last verified checkpoints and the last number read per feed.
type marks struct {
	Dir   []byte           `json:"dir,omitempty"`
	Ev    []byte           `json:"ev,omitempty"`
	Feeds map[string]int64 `json:"feeds,omitempty"`
}

// maxLeafLine bounds a line of the directory file: a leaf in base64.
const maxLeafLine = 4 * (directory.MaxLeaf + 3) / 3

// MemoryNotebook forgets everything at the end: for a representative's borrowed
// computer, and for tests.
func MemoryNotebook(pin Pin) *Notebook {
	return &Notebook{Pin: pin, marks: marks{Feeds: map[string]int64{}}}
}

// CreateNotebook begins a notebook in a folder that has none.
func CreateNotebook(dir string, pin Pin) (*Notebook, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("office: %w", err)
	}
	n := MemoryNotebook(pin)
	n.dir = dir
	if _, err := os.Stat(n.path(pinFile)); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("office: %s belongs to an exchange already", dir)
	}
	return n, n.write(pinFile, pin)
}

// OpenNotebook reads the notebook of a folder.
func OpenNotebook(dir string) (*Notebook, error) {
	n := MemoryNotebook(Pin{})
	n.dir = dir
	if err := n.read(pinFile, &n.Pin); err != nil {
		return nil, fmt.Errorf("office: %s is not set up: run odziv enroll first: %w", dir, err)
	}
	if err := n.read(marksFile, &n.marks); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("office: %w", err)
	}
	if n.marks.Feeds == nil {
		n.marks.Feeds = map[string]int64{}
	}
	return n, n.readLeaves()
}

const (
	pinFile    = "exchange.json"
	marksFile  = "marks.json"
	leavesFile = "directory.b64"
)

func (n *Notebook) path(name string) string { return filepath.Join(n.dir, name) }

func (n *Notebook) read(name string, v any) error {
	data, err := os.ReadFile(n.path(name))
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
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

// keep appends verified leaves, rewriting the file when its end was cut.
func (n *Notebook) keep(leaves [][]byte) error {
	n.leaves = append(n.leaves, leaves...)
	if n.dir == "" || len(leaves) == 0 {
		return nil
	}
	f, err := os.CreateTemp(n.dir, leavesFile+".*")
	if err != nil {
		return fmt.Errorf("office: %w", err)
	}
	defer os.Remove(f.Name())
	w := bufio.NewWriter(f)
	for _, leaf := range n.leaves {
		fmt.Fprintln(w, base64.StdEncoding.EncodeToString(leaf))
	}
	if err := errors.Join(w.Flush(), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("office: %w", err)
	}
	return os.Rename(f.Name(), n.path(leavesFile))
}

// replay applies the leaves held.
func (n *Notebook) replay() (*directory.State, error) {
	dir := directory.New()
	for i, leaf := range n.leaves {
		next, err := dir.Apply(leaf)
		if err != nil {
			return nil, fmt.Errorf("office: directory entry %d in %s does not apply: %w", i, n.dir, err)
		}
		dir = next
	}
	return dir, nil
}

// feedMark and setFeedMark remember how far a desk's feed was read.
func (n *Notebook) feedMark(desk string) int64 { return n.marks.Feeds[desk] }

func (n *Notebook) setFeedMark(desk string, number int64) error {
	n.marks.Feeds[desk] = number
	return n.write(marksFile, n.marks)
}
