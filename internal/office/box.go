package office

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/filelock"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/envelope"
)

// box is the folder of one parcel on its way. It holds ciphertext, signed
// messages, and, sealed to the officer's own key, the drafts: nothing that
// whoever finds the folder could read.
//
//	I.N.age       attachment N (from 1) of message I (from 0)
//	I.body.age    the body of message I, once it is sealed
//	I.notice.json the signed message, once its body is sealed
//	drafts.age    what is needed to go on
//
// Without a notebook on disk it is a temporary folder, and nothing survives the
// program.
//
// Two runs of the program never go on with one parcel at a time: whoever does
// holds its folder.
type box struct {
	dir     string
	lasting bool
	held    *os.File // nil when it is let go
}

const (
	outboxDir  = "outbox"
	draftsFile = "drafts.age"
)

func partName(i, n int) string      { return fmt.Sprintf("%d.%d.age", i, n) }
func bodyName(i int) string         { return fmt.Sprintf("%d.body.age", i) }
func noticeName(i int) string       { return fmt.Sprintf("%d.notice.json", i) }
func (b *box) path(n string) string { return filepath.Join(b.dir, n) }

// newBox makes the folder of a parcel.
func (n *Notebook) newBox(id string) (*box, error) {
	if n.dir == "" {
		dir, err := os.MkdirTemp("", "parcel-*")
		return &box{dir: dir}, err
	}
	b := &box{dir: filepath.Join(n.dir, outboxDir, id), lasting: true}
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return nil, fmt.Errorf("office: %w", err)
	}
	return b, b.hold()
}

// hold keeps other runs of the program away.
func (b *box) hold() (err error) {
	if b.held, err = filelock.Take(b.path(lockName)); errors.Is(err, filelock.ErrHeld) {
		return fmt.Errorf("office: %s: %w", b.dir, ErrSending)
	}
	return err
}

// release lets another run of the program go on with it.
func (b *box) release() error {
	if b.held == nil {
		return nil
	}
	err := b.held.Close()
	b.held = nil
	return err
}

// Outbox lists what was sealed and is not known to have arrived, by the id that
// [Office.Resume] takes.
func (n *Notebook) Outbox() ([]string, error) {
	ids := []string{}
	if n.dir == "" {
		return ids, nil
	}
	list, err := os.ReadDir(filepath.Join(n.dir, outboxDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("office: %w", err)
	}
	for _, d := range list {
		if _, err := os.Stat(filepath.Join(n.dir, outboxDir, d.Name(), draftsFile)); err == nil {
			ids = append(ids, d.Name())
		}
	}
	return ids, nil
}

// Discard forgets a parcel that is not to be sent any more. What of it is at
// the exchange is dropped there after a day, unless it had arrived in full.
func (n *Notebook) Discard(id string) error {
	ids, err := n.Outbox()
	if err != nil {
		return err
	}
	if !slices.Contains(ids, id) {
		return noBox(id)
	}
	b := &box{dir: filepath.Join(n.dir, outboxDir, id)}
	if err := b.hold(); err != nil {
		return err
	}
	return b.remove()
}

func noBox(id string) error { return fmt.Errorf("office: %.40q: %w", id, ErrNoParcel) }

func (b *box) create(name string) (*os.File, error) {
	return os.OpenFile(b.path(name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
}

func (b *box) open(name string) (*os.File, error) { return os.Open(b.path(name)) }

// remove forgets the folder. It is let go before: some systems keep what is open.
func (b *box) remove() error { return errors.Join(b.release(), os.RemoveAll(b.dir)) }

// draftBox is the content of drafts.age.
type draftBox struct {
	Set  string     `json:"set,omitempty"`
	Msgs []draftMsg `json:"msgs"`
	V    int        `json:"v"`
}

type draftMsg struct {
	Draft  *Draft          `json:"draft"`
	Sealer json.RawMessage `json:"sealer"`
}

// maxDrafts bounds drafts.age, in bytes: sixteen messages with their text.
const maxDrafts = 32 << 20

// keepDrafts writes what is needed to go on, sealed to the officer, and drops
// what was signed for earlier ids.
func (b *box) keepDrafts(p *parcel, recipient string) error {
	if !b.lasting {
		return nil
	}
	content := draftBox{Set: p.set, V: 1}
	for i, m := range p.all {
		kept, err := m.sealer.Keep()
		if err != nil {
			return err
		}
		content.Msgs = append(content.Msgs, draftMsg{Draft: m.draft, Sealer: kept})
		if err := os.Remove(b.path(noticeName(i))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	plain, err := json.Marshal(content)
	if err != nil {
		return err
	}
	defer clear(plain)
	sealed, err := sealTo(recipient, plain)
	if err != nil {
		return err
	}
	return replaceFile(b.path(draftsFile), sealed)
}

func sealTo(recipient string, plain []byte) ([]byte, error) {
	to, err := age.ParseHybridRecipient(recipient)
	if err != nil {
		return nil, err
	}
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, to)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	err = w.Close()
	return sealed.Bytes(), err
}

// keepSealed writes the signed messages, so that the same bytes are sent again.
// The signature comes last: without it the message is sealed anew.
func (b *box) keepSealed(p *parcel) error {
	if !b.lasting {
		return nil
	}
	for i, m := range p.all {
		raw, err := m.sealed.Notice.DSSE.Encode()
		if err != nil {
			return err
		}
		if err := cmp.Or(replaceFile(b.path(bodyName(i)), m.sealed.Body), replaceFile(b.path(noticeName(i)), raw)); err != nil {
			return err
		}
	}
	return nil
}

// openBox reads the folder of a parcel that was interrupted.
func (n *Notebook) openBox(id string, mine *age.HybridIdentity) (*parcel, error) {
	ids, err := n.Outbox()
	if err != nil {
		return nil, err
	}
	if !slices.Contains(ids, id) {
		return nil, noBox(id)
	}
	b := &box{dir: filepath.Join(n.dir, outboxDir, id), lasting: true}
	if err := b.hold(); err != nil {
		return nil, err
	}
	p, err := b.read(mine)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("office: %s: %w: %w", b.dir, ErrDamaged, err), b.release())
	}
	return p, nil
}

func (b *box) read(mine *age.HybridIdentity) (*parcel, error) {
	f, err := b.open(draftsFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := age.Decrypt(f, mine)
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxDrafts))
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	var content draftBox
	if err := json.Unmarshal(plain, &content); err != nil || content.V != 1 || len(content.Msgs) == 0 {
		return nil, errors.New("not the drafts of this program")
	}
	p := &parcel{set: content.Set, box: b}
	for i, m := range content.Msgs {
		next, err := b.message(i, m)
		if err != nil {
			return nil, err
		}
		p.all = append(p.all, next)
	}
	return p, nil
}

func (b *box) message(i int, m draftMsg) (*prepared, error) {
	if m.Draft == nil {
		return nil, errors.New("a draft is missing")
	}
	sealer, err := envelope.Resume(m.Sealer)
	if err != nil {
		return nil, err
	}
	if sealer.Msg() != m.Draft.Msg {
		return nil, errors.New("a draft and its key belong to different messages")
	}
	sealed, err := b.sealedMessage(i, m.Draft.Msg)
	return &prepared{draft: m.Draft, sealer: sealer, sealed: sealed}, err
}

// sealedMessage reads a body with its signature, nil if it was not sealed yet.
func (b *box) sealedMessage(i int, msg string) (*envelope.Sealed, error) {
	raw, err := os.ReadFile(b.path(noticeName(i)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	body, err := os.ReadFile(b.path(bodyName(i)))
	if err != nil {
		return nil, err
	}
	d, err := statement.ParseDSSE(raw)
	if err != nil {
		return nil, err
	}
	notice, err := messaging.Parse(d)
	if err != nil {
		return nil, err
	}
	if notice.Core.Msg != msg {
		return nil, nil // signed for an earlier id
	}
	return &envelope.Sealed{Notice: notice, Body: body}, nil
}
