package office

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/statement"
)

// MaxGift bounds the file by which an officer receives recovered keys, in bytes.
const MaxGift = 64 << 10

// giftLine begins the comment before each key, which age ignores.
const giftLine = "# desk %s epoch %d"

// sealGift wraps recovered keys for the officer who is to receive them: an age
// file, which the age command opens into an identity file.
func sealGift(recipient, desk string, found []recovered) ([]byte, error) {
	to, err := age.ParseHybridRecipient(recipient)
	if err != nil {
		return nil, fmt.Errorf("office: %w", err)
	}
	var file bytes.Buffer
	w, err := age.Encrypt(&file, to)
	if err != nil {
		return nil, fmt.Errorf("office: %w", err)
	}
	for _, r := range found {
		if _, err := fmt.Fprintf(w, giftLine+"\n%s\n", desk, r.e, r.id); err != nil {
			return nil, fmt.Errorf("office: %w", err)
		}
	}
	err = w.Close() // writes the end of the file, so Bytes comes after it
	return file.Bytes(), err
}

// Received is what an officer took out of the custodians' file.
type Received struct {
	Desk   string  `json:"desk"`
	Epochs []int64 `json:"epochs"` // ascending
	Fresh  []int64 `json:"fresh"`  // of these, not held before
}

// AcceptRecovered opens the file that the last custodian made and puts the keys
// into the keystore, each only if it is the one that the directory names, and all
// or none. It may be repeated. Signing keys are never among them.
func (o *Office) AcceptRecovered(ctx context.Context, file []byte) (Received, error) {
	if err := o.Sync(ctx); err != nil {
		return Received{}, err
	}
	got, found, err := openGift(file, o.Keys.Identity())
	if err != nil {
		return got, err
	}
	if _, err := o.Desk(got.Desk); err != nil {
		return got, err
	}
	for _, r := range found {
		epoch, ok := o.Directory().Epoch(got.Desk, r.e)
		if !ok || rkOf(r.id) != epoch.RK {
			return got, fmt.Errorf("office: key %d of desk %s: %w", r.e, got.Desk, ErrEscrow)
		}
	}
	for _, r := range found {
		if have, ok := o.Keys.DeskIdentity(got.Desk, r.e); !ok || rkOf(have) != rkOf(r.id) {
			got.Fresh = append(got.Fresh, r.e)
		}
		if err := o.add(got.Desk, r.e, r.id); err != nil {
			return got, err
		}
	}
	if o.Keep != nil {
		if err := o.Keep(); err != nil {
			return got, fmt.Errorf("office: the keys could not be kept: %w", err)
		}
	}
	return got, nil
}

// openGift reads what sealGift made.
func openGift(file []byte, mine *age.HybridIdentity) (Received, []recovered, error) {
	got := Received{Epochs: []int64{}, Fresh: []int64{}}
	bad := func(why string) (Received, []recovered, error) {
		return Received{}, nil, fmt.Errorf("office: %w: %s", ErrReceived, why)
	}
	if len(file) > MaxGift {
		return bad("it is too long")
	}
	r, err := age.Decrypt(bytes.NewReader(file), mine)
	if err != nil {
		return bad("it does not open with your keys")
	}
	text, err := io.ReadAll(r)
	defer clear(text)
	if err != nil {
		return bad("it is damaged or cut")
	}
	var found []recovered
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(lines)%2 != 0 {
		return bad("it holds something else than keys")
	}
	for pair := range slices.Chunk(lines, 2) {
		var desk string
		var e int64
		if n, _ := fmt.Sscanf(pair[0], giftLine, &desk, &e); n != 2 || fmt.Sprintf(giftLine, desk, e) != pair[0] || !statement.IsID(desk, statement.Desk) {
			return bad("it does not say of which key what is")
		}
		id, err := age.ParseHybridIdentity(pair[1])
		if err != nil {
			return bad("it holds something else than keys")
		}
		if got.Desk != "" && got.Desk != desk || len(found) > 0 && found[len(found)-1].e >= e {
			return bad("it is of several desks, or out of order")
		}
		got.Desk, got.Epochs, found = desk, append(got.Epochs, e), append(found, recovered{e, id})
	}
	return got, found, nil
}
