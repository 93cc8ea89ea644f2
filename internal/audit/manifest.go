package audit

import (
	"fmt"
	"strings"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/ledger"
)

// TypeBundle names an audit bundle in its manifest.
const TypeBundle = "application/vnd.odziv.bundle.v1+zip"

// Files of a bundle.
const (
	manifestFile   = "bundle.json"
	checkpointFile = "checkpoint"
	policyFile     = "policy"
	openingsFolder = "openings/"
	packsFolder    = "packs/"
	maxManifest    = 4 << 10
	maxPolicyFile  = 16 << 10
)

// manifest is bundle.json. All but Made is proven by the rest of the bundle.
type manifest struct {
	Dir     treeSize `json:"dir"`
	Ev      treeSize `json:"ev"`
	Genesis string   `json:"genesis"`
	Host    string   `json:"host"`
	Made    int64    `json:"made"` // ms since 1970 UTC, a claim
	Type    string   `json:"type"`
	V       int      `json:"v"`
}

type treeSize struct {
	Root string `json:"root"` // base64
	Size int64  `json:"size"`
}

func (a *archive) manifest() (*manifest, error) {
	data, err := a.file(manifestFile, maxManifest)
	if err != nil {
		return nil, unreadable("%s %w", manifestFile, err)
	}
	var m manifest
	if err := statement.Unmarshal(data, &m); err != nil {
		return nil, wrong("%s: %w", manifestFile, err)
	}
	switch {
	case m.Type != TypeBundle || m.V != 1:
		return nil, wrong("%s: type %.60q, v %d", manifestFile, m.Type, m.V)
	case m.Dir.Size < 1 || m.Dir.Size > ledger.MaxSize || m.Ev.Size < 0 || m.Ev.Size > ledger.MaxSize:
		return nil, wrong("%s: sizes %d and %d", manifestFile, m.Dir.Size, m.Ev.Size)
	case m.Made < 0:
		return nil, wrong("%s: made %d", manifestFile, m.Made)
	case m.Host == "" || strings.ContainsAny(m.Host, "\n\r"):
		return nil, wrong("%s: host %.60q", manifestFile, m.Host)
	}
	return &m, nil
}

func (m *manifest) tree(log ledger.Log) treeSize {
	if log == ledger.Dir {
		return m.Dir
	}
	return m.Ev
}

// openingsFile names the file of the openings of one entry bundle.
func openingsFile(bundle int64) string { return fmt.Sprintf("%s%06d.jsonl", openingsFolder, bundle) }

func packFile(id string) string { return packsFolder + id + ".toml" }
