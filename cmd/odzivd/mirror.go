package main

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"time"

	"github.com/odziv/odziv/internal/cli"
)

// mirrorHelp says what --from takes, in every command that has it.
const mirrorHelp = `A mirror is a folder that "odziv observe export" wrote, a zip of one, an audit
bundle, or an address that shows such a folder. It is believed nothing but what
this ledger's own keys signed.`

// openMirror opens a folder, a zip or an address. The caller calls shut.
func openMirror(ctx context.Context, from string) (files fs.FS, shut func() error, err error) {
	if strings.HasPrefix(from, "https://") || strings.HasPrefix(from, "http://") {
		files, err := openWeb(ctx, from)
		return files, func() error { return nil }, err
	}
	info, err := os.Stat(from)
	if err != nil {
		return nil, nil, cli.Hint(err, "name the folder, the zip or the address of a mirror")
	}
	if info.IsDir() {
		return os.DirFS(from), func() error { return nil }, nil
	}
	z, err := zip.OpenReader(from)
	if err != nil {
		return nil, nil, cli.Hint(fmt.Errorf("%s: %w", from, err), "name the folder, the zip or the address of a mirror")
	}
	return z, z.Close, nil
}

// maxTile bounds a file of a mirror, in bytes: 256 of the longest entries.
const maxTile = 17 << 20

// webTime bounds one answer of a mirror.
const webTime = time.Minute

// web is the fs.FS of a mirror that is read over HTTP, one file a request.
type web struct {
	ctx    context.Context
	base   *url.URL
	client *http.Client
}

func openWeb(ctx context.Context, address string) (fs.FS, error) {
	base, err := url.Parse(address)
	if err != nil || base.Host == "" || base.RawQuery != "" || base.User != nil {
		return nil, cli.UsageError("%.80q is no address of a mirror, such as https://mirror.example.rs/odziv", address)
	}
	return &web{ctx, base, &http.Client{Timeout: webTime}}, nil
}

// Open implements fs.FS.
func (w *web) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	data, err := w.get(name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &page{Reader: strings.NewReader(string(data)), name: path.Base(name), size: int64(len(data))}, nil
}

func (w *web) get(name string) (data []byte, err error) {
	req, err := http.NewRequestWithContext(w.ctx, http.MethodGet, w.base.JoinPath(name).String(), nil)
	if err != nil {
		return nil, err
	}
	res, err := w.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return nil, fs.ErrNotExist
	default:
		return nil, fmt.Errorf("the mirror answers %s", res.Status)
	}
	data, err = io.ReadAll(io.LimitReader(res.Body, maxTile+1))
	if err == nil && len(data) > maxTile {
		return nil, fmt.Errorf("longer than %d MiB", maxTile>>20)
	}
	return data, err
}

// page is a file that was read whole.
type page struct {
	*strings.Reader
	name string
	size int64
}

func (p *page) Close() error               { return nil }
func (p *page) Stat() (fs.FileInfo, error) { return pageInfo{p}, nil }

type pageInfo struct{ p *page }

func (i pageInfo) Name() string       { return i.p.name }
func (i pageInfo) Size() int64        { return i.p.size }
func (i pageInfo) Mode() fs.FileMode  { return 0o444 }
func (i pageInfo) ModTime() time.Time { return time.Time{} }
func (i pageInfo) IsDir() bool        { return false }
func (i pageInfo) Sys() any           { return nil }
