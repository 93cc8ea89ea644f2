package observe

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/ledger"
)

// Exported is one tree as it was exported.
type Exported struct {
	Log    string `json:"log"`
	Size   int64  `json:"size"`
	Folder string `json:"folder"`
}

// Export copies both mirrors into a folder that does not exist yet: of each tree
// "checkpoint" and its tiles, as C2SP tlog-tiles names them. The exchange imports
// from such a folder what it lost. With archive each tree is instead a series of
// 000.zip, 001.zip, …, in the form that CT archives have: a zip for each 2^24
// entries, and what is not a full tile of the lowest levels in every one.
func (o *Observer) Export(ctx context.Context, dir string, archive bool) ([]Exported, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, fmt.Errorf("observe: %w", err)
	}
	list := []Exported{}
	for _, log := range ledger.Logs {
		m := o.mirrors[log]
		to := filepath.Join(dir, log.String())
		if err := os.Mkdir(to, 0o700); err != nil {
			return nil, fmt.Errorf("observe: %w", err)
		}
		write := m.exportFolder
		if archive {
			write = m.exportZips
		}
		size, err := write(ctx, to)
		if err != nil {
			return nil, err
		}
		list = append(list, Exported{log.String(), size, to})
	}
	return list, nil
}

func (m *Mirror) exportFolder(ctx context.Context, to string) (int64, error) {
	m.grow.Lock()
	defer m.grow.Unlock()
	at, held := m.At()
	for t := range ledger.TreeTiles(at.Size) {
		data, err := m.Tile(ctx, t)
		if err != nil {
			return 0, err
		}
		name := filepath.Join(to, filepath.FromSlash(ledger.TilePath(t)))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return 0, fmt.Errorf("observe: %w", err)
		}
		if err := os.WriteFile(name, data, 0o600); err != nil {
			return 0, fmt.Errorf("observe: %w", err)
		}
	}
	if held == nil {
		return 0, nil
	}
	return at.Size, replaceWhole(filepath.Join(to, checkpointFile), held)
}

// zipShift is how many entries, as a power of two, one zip holds: those below one
// tile of level 2.
const zipShift = 3 * ledger.TileHeight

func (m *Mirror) exportZips(ctx context.Context, to string) (int64, error) {
	m.grow.Lock()
	defer m.grow.Unlock()
	at, held := m.At()
	if held == nil {
		return 0, nil
	}
	for n := int64(0); n == 0 || n<<zipShift < at.Size; n++ {
		if err := m.exportZip(ctx, filepath.Join(to, fmt.Sprintf("%03d.zip", n)), n, at.Size, held); err != nil {
			return 0, err
		}
	}
	return at.Size, nil
}

func (m *Mirror) exportZip(ctx context.Context, name string, n, size int64, note []byte) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("observe: %w", err)
	}
	z := zip.NewWriter(f)
	err = addToZip(z, checkpointFile, note)
	for t := range ledger.TreeTiles(size) {
		if err != nil {
			break
		}
		if !inZip(t, n) {
			continue
		}
		var data []byte
		if data, err = m.Tile(ctx, t); err == nil {
			err = addToZip(z, path.Clean(ledger.TilePath(t)), data)
		}
	}
	if err == nil {
		err = z.Close()
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("observe: %w", err)
	}
	return nil
}

// inZip reports whether a tile belongs into zip n: those that are not full and
// those of the upper levels belong into all.
func inZip(t tlog.Tile, n int64) bool {
	if t.W < ledger.TileWidth || t.L > 2 {
		return true
	}
	return t.N>>(ledger.TileHeight*(2-max(t.L, 0))) == n
}

func addToZip(z *zip.Writer, name string, data []byte) error {
	w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Unix(0, 0).UTC()})
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}
