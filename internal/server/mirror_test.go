package server_test

import (
	"bytes"
	"context"
	"strings"
	"testing/fstest"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/ledger"
)

// rootAt is the root of the first size entries.
func rootAt(ctx context.Context, r ledger.Reader, l ledger.Log, head ledger.Head, size int64) (tlog.Hash, error) {
	if size == head.Size {
		return head.Root, nil
	}
	return tlog.TreeHash(size, tlog.HashReaderFunc(func(positions []int64) ([]tlog.Hash, error) { return r.Hashes(ctx, l, positions) }))
}

func swap(f *fstest.MapFile, old, new string) *fstest.MapFile {
	return &fstest.MapFile{Data: bytes.Replace(f.Data, []byte("\n"+old+"\n"), []byte("\n"+new+"\n"), 1)}
}

func drop(m fstest.MapFS, prefix string) {
	for name := range m {
		if strings.HasPrefix(name, prefix) {
			delete(m, name)
		}
	}
}

// first is the first file below a folder.
func first(m fstest.MapFS, prefix string) (name string) {
	for n := range m {
		if strings.HasPrefix(n, prefix) && (name == "" || n < name) {
			name = n
		}
	}
	return name
}

func flip(m fstest.MapFS, prefix string, at int) {
	name := first(m, prefix)
	data := bytes.Clone(m[name].Data)
	data[at] ^= 1
	m[name] = &fstest.MapFile{Data: data}
}

func cutShort(m fstest.MapFS, prefix string) {
	name := first(m, prefix)
	m[name] = &fstest.MapFile{Data: m[name].Data[:len(m[name].Data)-1]}
}
