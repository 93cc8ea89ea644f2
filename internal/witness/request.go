package witness

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/ledger"
)

// Limits of what is said, in bytes and lines.
const (
	MaxRequest = 32 << 10 // body of add-checkpoint: 63 hashes and a note with few signatures
	maxProof   = 63       // hashes (C2SP tlog-witness)
	maxAnswer  = 16 << 10
	maxLines   = 16 // cosignatures in an answer
)

// A Request is the body of add-checkpoint: the size that the witness holds as
// the asker knows it, the proof from there, and the signed checkpoint.
type Request struct {
	Old        int64
	Proof      tlog.TreeProof
	Checkpoint []byte
}

// Format spells the request.
func (r Request) Format() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "old %d\n", r.Old)
	for _, h := range r.Proof {
		fmt.Fprintf(&b, "%s\n", h)
	}
	b.WriteByte('\n')
	b.Write(r.Checkpoint)
	return b.Bytes()
}

// ParseRequest is the inverse of [Request.Format] and accepts no other
// spelling. The checkpoint is not looked into.
func ParseRequest(body []byte) (Request, error) {
	if len(body) > MaxRequest {
		return Request{}, fmt.Errorf("witness: request of %d bytes, at most %d", len(body), MaxRequest)
	}
	head, checkpoint, found := bytes.Cut(body, []byte("\n\n"))
	if !found || len(checkpoint) == 0 {
		return Request{}, errors.New("witness: no empty line before a checkpoint")
	}
	lines := strings.Split(string(head), "\n")
	old, ok := strings.CutPrefix(lines[0], "old ")
	if !ok {
		return Request{}, errors.New("witness: the first line is not the old size")
	}
	size, err := parseSize(old)
	if err != nil {
		return Request{}, err
	}
	proof, err := parseProof(lines[1:])
	if err != nil {
		return Request{}, err
	}
	return Request{Old: size, Proof: proof, Checkpoint: checkpoint}, nil
}

func parseProof(lines []string) (tlog.TreeProof, error) {
	if len(lines) > maxProof {
		return nil, fmt.Errorf("witness: proof of %d hashes, at most %d", len(lines), maxProof)
	}
	proof := make(tlog.TreeProof, len(lines))
	for i, line := range lines {
		h, err := parseHash(line)
		if err != nil {
			return nil, fmt.Errorf("witness: hash %d of the proof: %w", i, err)
		}
		proof[i] = h
	}
	return proof, nil
}

// parseHash accepts the one base64 spelling of 32 bytes.
func parseHash(s string) (h tlog.Hash, err error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(raw) != tlog.HashSize || len(s) != 44 {
		return h, fmt.Errorf("%.60q is not the base64 of 32 bytes", s)
	}
	return tlog.Hash(raw), nil
}

// parseSize accepts 0 to ledger.MaxSize in its one spelling.
func parseSize(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > ledger.MaxSize || strconv.FormatInt(n, 10) != s {
		return 0, fmt.Errorf("witness: %.30q is no size of a log", s)
	}
	return n, nil
}

// sizeMedia is the media type of a 409 (C2SP tlog-witness).
const sizeMedia = "text/x.tlog.size"

// parseSizeAnswer reads the body of a 409.
func parseSizeAnswer(body []byte) (int64, error) {
	line, rest, found := strings.Cut(string(body), "\n")
	if !found || rest != "" {
		return 0, errors.New("witness: the size is not one line")
	}
	return parseSize(line)
}

// parseAnswer splits the body of a 200 into signature lines. Whose they are is
// asked later.
func parseAnswer(body []byte) ([][]byte, error) {
	var lines [][]byte
	for line := range bytes.Lines(body) {
		if !bytes.HasPrefix(line, []byte("\u2014 ")) || !bytes.HasSuffix(line, []byte("\n")) {
			return nil, errors.New("witness: the answer is not lines of signatures")
		}
		lines = append(lines, line)
	}
	if len(lines) < 1 || len(lines) > maxLines {
		return nil, fmt.Errorf("witness: an answer of %d signatures, want 1 to %d", len(lines), maxLines)
	}
	return lines, nil
}

// Head is what a checkpoint says, whoever signed it.
func Head(note []byte) (ledger.Checkpoint, error) {
	text, _, _ := bytes.Cut(note, []byte("\n\n"))
	lines := strings.Split(string(text), "\n")
	if len(lines) != 3 || lines[0] == "" {
		return ledger.Checkpoint{}, errors.New("witness: a checkpoint has three lines")
	}
	size, err := parseSize(lines[1])
	if err != nil {
		return ledger.Checkpoint{}, err
	}
	root, err := parseHash(lines[2])
	return ledger.Checkpoint{Origin: lines[0], Size: size, Root: root}, err
}
