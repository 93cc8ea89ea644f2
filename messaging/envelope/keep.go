package envelope

import (
	"errors"
	"fmt"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
)

// kept is a message whose attachments are sealed and whose body is not.
type kept struct {
	Att   []Attachment     `json:"att"`
	MK    string           `json:"mk"`
	Msg   string           `json:"msg"`
	Parts []messaging.Part `json:"parts"`
	V     int              `json:"v"`
}

// Keep returns what [Resume] needs to go on with this message after the program
// ended: canonical JSON that holds mk and the names of files. It is a secret;
// whoever stores it seals it first.
func (s *Sealer) Keep() ([]byte, error) {
	k := kept{Att: append([]Attachment{}, s.att...), MK: s.mk().String(), Msg: s.msg, Parts: append([]messaging.Part{}, s.parts...), V: 1}
	data, err := statement.Marshal(k)
	if err != nil {
		return nil, errors.New("envelope: the message cannot be kept") // the cause may quote a file's name
	}
	return data, nil
}

// Resume is the inverse of [Sealer.Keep]. Its errors repeat nothing of data.
func Resume(data []byte) (*Sealer, error) {
	var k kept
	if err := statement.Unmarshal(data, &k); err != nil || k.V != 1 || len(k.Att) != len(k.Parts) || len(k.Att) > messaging.MaxParts {
		return nil, errors.New("envelope: not a message that was kept")
	}
	mk, err := age.ParseHybridIdentity(k.MK)
	if err != nil {
		return nil, errors.New("envelope: not a message that was kept: no identity")
	}
	if err := statement.CheckID("msg", k.Msg, statement.Message); err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	for i, a := range k.Att {
		if err := a.check(); err != nil {
			return nil, fmt.Errorf("envelope: %w", err)
		}
		if k.Parts[i].Len != SealedSize(a.Size) || !statement.IsHash(k.Parts[i].SHA256) {
			return nil, errors.New("envelope: not a message that was kept: a part does not belong to its file")
		}
	}
	return &Sealer{msg: k.Msg, mk: hide(mk), att: k.Att, parts: k.Parts}, nil
}

// Move gives the message another identifier, under which it is uploaded anew:
// its attachments are sealed to mk alone and stay as they are.
func (s *Sealer) Move(msg string) error {
	if err := statement.CheckID("msg", msg, statement.Message); err != nil {
		return fmt.Errorf("envelope: %w", err)
	}
	s.msg = msg
	return nil
}

// Msg is the message's identifier.
func (s *Sealer) Msg() string { return s.msg }

// Parts are the attachments sealed so far, as core.parts will name them.
func (s *Sealer) Parts() []messaging.Part { return append([]messaging.Part{}, s.parts...) }
