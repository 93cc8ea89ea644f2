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

// maxPackage bounds the plaintext of a package: one identity and a comment.
const maxPackage = 4 << 10

// errSealedToOther says that a package is sealed to another key.
var errSealedToOther = errors.New("it is sealed to another key than yours")

// wrapFor encrypts a desk identity to each active member and uploads it.
func (o *Office) wrapFor(ctx context.Context, desk string, epoch int64, id *age.HybridIdentity) ([]directory.Package, error) {
	staff, err := o.staff(desk)
	if err != nil {
		return nil, err
	}
	packages := []directory.Package{}
	for _, member := range staff {
		digest, err := o.putPackage(ctx, member.Rcp, desk, epoch, id)
		if err != nil {
			return nil, err
		}
		packages = append(packages, directory.Package{Key: statement.KeyID(member.Key), SHA256: digest})
	}
	return packages, nil
}

// putPackage wraps a desk identity for one officer, uploads it, and names it by
// its digest.
func (o *Office) putPackage(ctx context.Context, recipient, desk string, epoch int64, id *age.HybridIdentity) (string, error) {
	file, err := wrapIdentity(recipient, desk, epoch, id)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(file)
	return hex.EncodeToString(sum[:]), o.Client.PutPackage(ctx, file)
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

// opensOwn wraps a key for this officer as the directory knows her, and opens it
// with the keys that she has: if these are not the same, the desk would get a key
// of which its maker has no copy that works.
func (o *Office) opensOwn(desk string, epoch int64, id *age.HybridIdentity) error {
	me, err := o.Me()
	if err != nil {
		return err
	}
	file, err := wrapIdentity(me.Rcp, desk, epoch, id)
	if err != nil {
		return err
	}
	_, err = unwrapIdentity(file, o.Keys.Identity(), rkOf(id))
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
		if p.Key == mine {
			return o.fetchPackage(ctx, p.SHA256, e.RK)
		}
	}
	return nil, ErrNoPackage
}

// fetchPackage gets a package by its digest and opens it; it must hold the key of
// rk.
func (o *Office) fetchPackage(ctx context.Context, digest, rk string) (*age.HybridIdentity, error) {
	file, err := o.Client.Package(ctx, digest)
	if errors.Is(err, client.ErrDigest) {
		return nil, o.lie("it offered another package than the directory names")
	}
	if err != nil {
		return nil, err
	}
	return unwrapIdentity(file, o.Keys.Identity(), rk)
}

func unwrapIdentity(file []byte, mine *age.HybridIdentity, rk string) (*age.HybridIdentity, error) {
	r, err := age.Decrypt(bytes.NewReader(file), mine)
	if no := (*age.NoIdentityMatchError)(nil); errors.As(err, &no) {
		return nil, fmt.Errorf("%w: %w", ErrPackage, errSealedToOther)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: it does not open: %w", ErrPackage, err)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxPackage))
	if err != nil {
		return nil, fmt.Errorf("%w: it is damaged: %w", ErrPackage, err)
	}
	defer clear(text)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		id, err := age.ParseHybridIdentity(line)
		if err != nil {
			return nil, fmt.Errorf("%w: it holds none", ErrPackage)
		}
		if rkOf(id) != rk {
			return nil, ErrPackage
		}
		return id, nil
	}
	return nil, fmt.Errorf("%w: it is empty", ErrPackage)
}
