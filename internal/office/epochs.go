package office

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

func newStatementID() string { return statement.NewID(statement.Other) }

// maxPackage bounds the plaintext of a package: one identity and a comment.
const maxPackage = 4 << 10

// Rotate makes a new key for a desk: one package for each active member, so
// that only they can open what is sealed to the desk from now on. Senders use
// it once another member has acknowledged it ([Office.Acknowledge]).
func (o *Office) Rotate(ctx context.Context, desk, why string) (int64, error) {
	if err := o.Sync(ctx); err != nil {
		return 0, err
	}
	id, err := age.GenerateHybridIdentity()
	if err != nil {
		return 0, err
	}
	dir := o.Directory()
	last, _ := dir.LatestEpoch(desk)
	epoch := last.E + 1
	packages, err := o.wrapFor(ctx, desk, epoch, id)
	if err != nil {
		return 0, err
	}
	recipient := id.Recipient().String()
	rk := directory.RecipientHash(recipient)
	if err := o.Client.PutKey(ctx, recipient); err != nil {
		return 0, err
	}
	if err := o.Keys.AddDeskEpoch(desk, epoch, id); err != nil {
		return 0, err
	}
	p, err := o.Propose(ctx, &directory.DeskEpoch{D: desk, E: epoch, Esc: []directory.Escrow{}, Pkg: packages, RK: rk, Why: why})
	if err != nil {
		return 0, err
	}
	_, err = o.Await(ctx, p.Idx)
	return epoch, err
}

// wrapFor encrypts a desk identity to each active member and uploads it.
func (o *Office) wrapFor(ctx context.Context, desk string, epoch int64, id *age.HybridIdentity) ([]directory.Package, error) {
	staff, err := o.staff(desk)
	if err != nil {
		return nil, err
	}
	packages := []directory.Package{}
	for _, member := range staff {
		file, err := wrapIdentity(member.Rcp, desk, epoch, id)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(file)
		digest := hex.EncodeToString(sum[:])
		if err := o.Client.PutPackage(ctx, file); err != nil {
			return nil, err
		}
		packages = append(packages, directory.Package{Key: statement.KeyID(member.Key), SHA256: digest})
	}
	return packages, nil
}

func wrapIdentity(recipient, desk string, epoch int64, id *age.HybridIdentity) ([]byte, error) {
	to, err := age.ParseHybridRecipient(recipient)
	if err != nil {
		return nil, err
	}
	var file bytes.Buffer
	w, err := age.Encrypt(&file, to)
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(w, "# desk %s epoch %d\n%s\n", desk, epoch, id.String()); err != nil {
		return nil, err
	}
	err = w.Close() // writes the end of the file, so Bytes comes after it
	return file.Bytes(), err
}

// Acknowledge opens the package of a desk's latest key, compares the key with
// the directory, keeps it and says so: from then on senders use it.
func (o *Office) Acknowledge(ctx context.Context, desk string) error {
	if err := o.Sync(ctx); err != nil {
		return err
	}
	e, ok := o.Directory().LatestEpoch(desk)
	if !ok {
		return fmt.Errorf("office: %s: %w", desk, ErrNoEpoch)
	}
	if _, err := o.staff(desk); err != nil {
		return err // senders would seal to somebody whom witnesses did not confirm
	}
	id, err := o.openPackage(ctx, desk, e.E)
	if err != nil {
		return err
	}
	if err := o.Keys.AddDeskEpoch(desk, e.E, id); err != nil {
		return err
	}
	p, err := o.Propose(ctx, &directory.DeskEpochAck{D: desk, E: e.E})
	if err != nil {
		return err
	}
	_, err = o.Await(ctx, p.Idx)
	return err
}

// openPackage fetches the package of an epoch for this officer and compares
// what is inside with what the directory says.
func (o *Office) openPackage(ctx context.Context, desk string, epoch int64) (*age.HybridIdentity, error) {
	e, ok := o.Directory().Epoch(desk, epoch)
	if !ok {
		return nil, ErrNoEpoch
	}
	mine := statement.KeyID(o.Keys.Signer().Public())
	for _, p := range e.Pkg {
		if p.Key != mine {
			continue
		}
		file, err := o.Client.Package(ctx, p.SHA256)
		if errors.Is(err, client.ErrDigest) {
			return nil, o.lie("it offered another package than the directory names")
		}
		if err != nil {
			return nil, err
		}
		return unwrapIdentity(file, o.Keys.Identity(), e.RK)
	}
	return nil, ErrNoPackage
}

func unwrapIdentity(file []byte, mine *age.HybridIdentity, rk string) (*age.HybridIdentity, error) {
	r, err := age.Decrypt(bytes.NewReader(file), mine)
	if err != nil {
		return nil, fmt.Errorf("the package does not open: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxPackage))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		id, err := age.ParseHybridIdentity(line)
		if err != nil {
			return nil, fmt.Errorf("%w: it holds none", ErrPackage)
		}
		if directory.RecipientHash(id.Recipient().String()) != rk {
			return nil, ErrPackage
		}
		return id, nil
	}
	return nil, fmt.Errorf("%w: it is empty", ErrPackage)
}
