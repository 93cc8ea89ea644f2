package audit

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/ledger"
)

// Limits of a bundle's archive. Nothing in it is compressed, so it cannot grow
// when it is opened; whoever mails it may compress the whole.
const (
	MaxBundleFiles = 1 << 17 // room for 11 million entries
	maxDirectory   = 16 << 20
)

// archive reads the files of a bundle. It trusts no length: each file lies
// within the archive, and all together are no larger than it.
type archive struct {
	r       io.ReaderAt
	files   map[string]*zip.File
	read    map[string]bool // files that the audit asked for
	damaged []string        // files whose checksum is not that of the archive
}

// openArchive reads the table of contents. Errors wrap [ErrFormat] if the bytes
// are no zip, [ErrVerify] if the zip is no bundle.
func openArchive(r io.ReaderAt, size int64) (*archive, error) {
	z, err := zip.NewReader(&rationed{r: r, left: maxDirectory + 1<<17}, size)
	if errors.Is(err, errRation) {
		return nil, wrong("the archive's table of contents is larger than %d bytes", maxDirectory)
	}
	if err != nil {
		return nil, unreadable("%w", err)
	}
	if len(z.File) > MaxBundleFiles {
		return nil, wrong("%d files in the archive, at most %d", len(z.File), MaxBundleFiles)
	}
	// The files are read past the ration.
	if z, err = zip.NewReader(r, size); err != nil {
		return nil, unreadable("%w", err)
	}
	a := &archive{r: r, files: make(map[string]*zip.File, len(z.File)), read: make(map[string]bool, len(z.File))}
	left := size
	for _, f := range z.File {
		if err := a.admit(f, &left); err != nil {
			return nil, wrong("file %.80q: %w", f.Name, err)
		}
	}
	return a, nil
}

// admit takes a file into the table if it is stored as a bundle's files are.
func (a *archive) admit(f *zip.File, left *int64) error {
	switch {
	case f.Method != zip.Store:
		return errors.New("is compressed; the files of a bundle are stored as they are")
	case f.Flags&1 != 0:
		return errors.New("is encrypted")
	case f.UncompressedSize64 != f.CompressedSize64:
		return errors.New("has two lengths")
	case f.UncompressedSize64 > uint64(*left):
		return errors.New("the files are larger than the archive")
	case a.files[f.Name] != nil:
		return errors.New("is there twice")
	}
	*left -= int64(f.UncompressedSize64)
	a.files[f.Name] = f
	return nil
}

var errRation = errors.New("table of contents too large")

// rationed bounds what a reader may be asked for.
type rationed struct {
	r    io.ReaderAt
	left int64
}

func (r *rationed) ReadAt(p []byte, off int64) (int, error) {
	if r.left -= int64(len(p)); r.left < 0 {
		return 0, errRation
	}
	return r.r.ReadAt(p, off)
}

// errAbsent says that the archive has no such file.
var errAbsent = errors.New("is not in the bundle")

// file reads a whole file of at most limit bytes.
func (a *archive) file(name string, limit int64) ([]byte, error) {
	f := a.files[name]
	if f == nil {
		return nil, errAbsent
	}
	a.read[name] = true
	if f.UncompressedSize64 > uint64(limit) {
		return nil, fmt.Errorf("%d bytes, at most %d", f.UncompressedSize64, limit)
	}
	off, err := f.DataOffset()
	if err != nil {
		return nil, err
	}
	data := make([]byte, f.UncompressedSize64)
	if _, err := a.r.ReadAt(data, off); err != nil && !(err == io.EOF && len(data) == 0) {
		return nil, fmt.Errorf("is cut short: %w", err)
	}
	if crc32.ChecksumIEEE(data) != f.CRC32 && len(a.damaged) < MaxFindings {
		a.damaged = append(a.damaged, name)
	}
	return data, nil
}

// unread lists the files that nobody asked for, sorted.
func (a *archive) unread() []string {
	var names []string
	for name := range a.files {
		if !a.read[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// withPrefix lists the files below a folder, sorted.
func (a *archive) withPrefix(prefix string) []string {
	var names []string
	for name := range a.files {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

const maxEntryBundle = ledger.TileWidth * (2 + ledger.MaxEntry)

// tiles is the ledger.TileSource of one log of the archive.
type tiles struct {
	a   *archive
	log ledger.Log
}

func (t tiles) Tile(_ context.Context, tile tlog.Tile) ([]byte, error) {
	name := t.log.String() + "/" + ledger.TilePath(tile)
	limit := int64(ledger.TileWidth * tlog.HashSize)
	if tile.L == ledger.EntryLevel {
		limit = maxEntryBundle
	}
	data, err := t.a.file(name, limit)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, ledger.ErrMissing, err)
	}
	return data, nil
}
