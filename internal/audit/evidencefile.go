package audit

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
)

// Types of the files, in their member "type" and as media types.
const (
	TypeEvidence = statement.TypeEvidence
	TypeReceipt  = "application/vnd.odziv.receipt.v1+json"
)

// Limits of an evidence file and a receipt.
const (
	MaxFile     = 16 << 20 // bytes of a file
	MaxChain    = 512      // directory entries in a file
	MaxVersions = 256      // items in a receipt
)

// evidenceFile is an evidence file as its JSON spells it.
type evidenceFile struct {
	Dir     []dirEntry `json:"dir"`
	Idx     int64      `json:"idx"`
	Opening opening    `json:"opening"`
	Proof   string     `json:"proof"`
	Type    string     `json:"type"`
	V       int        `json:"v"`
}

// receiptFile is a consent receipt: the items of one consent's versions, in
// their order, over one key chain.
type receiptFile struct {
	Consent string     `json:"consent"`
	Dir     []dirEntry `json:"dir"`
	Items   []item     `json:"items"`
	Type    string     `json:"type"`
	V       int        `json:"v"`
}

// dirEntry is a leaf of the directory tree with its proof.
type dirEntry struct {
	Idx   int64           `json:"idx"`
	Leaf  json.RawMessage `json:"leaf"`
	Proof string          `json:"proof"`
}

// item is one leaf of the evidence tree, opened, with its proof.
type item struct {
	Idx     int64   `json:"idx"`
	Opening opening `json:"opening"`
	Proof   string  `json:"proof"`
}

type opening struct {
	Meta json.RawMessage `json:"meta"`
	Priv json.RawMessage `json:"priv"`
	RM   []byte          `json:"rm"`
	RP   []byte          `json:"rp"`
}

func openingOf(o evidence.Opening) opening { return opening{o.Meta, o.Priv, o.RM, o.RP} }

func (o *opening) evidence() evidence.Opening {
	return evidence.Opening{Meta: o.Meta, RM: o.RM, Priv: o.Priv, RP: o.RP}
}

// Is reports whether data looks like a file of a type: an evidence file or a
// receipt names it in itself. Only verifying tells whether it is one.
func Is(data []byte, fileType string) bool {
	return len(data) > 0 && data[0] == '{' && bytes.Contains(data, []byte(`"type":"`+fileType+`"`))
}

func parseEvidence(data []byte) (*evidenceFile, error) {
	var f evidenceFile
	if err := parseFile(data, TypeEvidence, &f); err != nil {
		return nil, err
	}
	if f.Type != TypeEvidence || f.V != 1 {
		return nil, unreadable("type %.60q, v %d", f.Type, f.V)
	}
	return &f, checkChainLength(f.Dir)
}

func parseReceipt(data []byte) (*receiptFile, error) {
	var f receiptFile
	if err := parseFile(data, TypeReceipt, &f); err != nil {
		return nil, err
	}
	if f.Type != TypeReceipt || f.V != 1 {
		return nil, unreadable("type %.60q, v %d", f.Type, f.V)
	}
	if len(f.Items) < 1 || len(f.Items) > MaxVersions {
		return nil, wrong("%d items, want 1 to %d", len(f.Items), MaxVersions)
	}
	return &f, checkChainLength(f.Dir)
}

// parseFile decodes a file strictly. What names its type and cannot be read
// does not verify; anything else is no such file.
func parseFile(data []byte, fileType string, into any) error {
	if !Is(data, fileType) {
		return unreadable("it does not name the type %s", fileType)
	}
	if len(data) > MaxFile {
		return wrong("%d bytes, at most %d", len(data), MaxFile)
	}
	if err := statement.Unmarshal(data, into); err != nil {
		return wrong("%w", err)
	}
	return nil
}

func checkChainLength(dir []dirEntry) error {
	if len(dir) < 1 || len(dir) > MaxChain {
		return wrong("%d directory entries, want 1 to %d", len(dir), MaxChain)
	}
	return nil
}

func encodeFile(f any) ([]byte, error) {
	data, err := statement.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	if len(data) > MaxFile {
		return nil, fmt.Errorf("audit: a file of %d bytes, at most %d", len(data), MaxFile)
	}
	return data, nil
}
