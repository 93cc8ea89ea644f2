package audit

import (
	"errors"
	"fmt"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging/obligation"
)

// readData decodes what the server itself put on record.
func readData(meta *evidence.Meta, priv *evidence.Priv) (*said, error) {
	if priv.Stmt != nil || priv.Data == nil {
		return nil, fmt.Errorf("%.40s is made by the exchange, and its data is not in it", meta.Ev)
	}
	if meta.By != evidence.System && meta.Ev != evidence.MessageRefused {
		return nil, fmt.Errorf("by: %.80q, but the exchange made it", meta.By)
	}
	s := &said{obj: meta.Obj}
	body := bodyOf(meta.Ev)
	if body == nil { // an event whose data this program does not interpret
		return s, nil
	}
	if err := statement.Unmarshal(priv.Data, body); err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	s.body = body
	return s, checkData(meta, body)
}

func bodyOf(event string) any {
	switch event {
	case evidence.MessageRefused:
		return &evidence.RefusedData{}
	case evidence.ObligationOverdue, evidence.ObligationEscalated, evidence.NoticeOwed, evidence.NoticeReminder,
		evidence.NoticeEscalation, evidence.Silence:
		return &evidence.DutyData{}
	case evidence.ObligationKept:
		return &obligation.Kept{}
	case evidence.NoticeConsentChange:
		return &evidence.ConsentChangeData{}
	case evidence.AccessRead:
		return &evidence.AccessData{}
	case evidence.ErasureDone:
		return &evidence.ErasureData{}
	case evidence.EscrowReleased:
		return &evidence.ReleasedData{}
	case evidence.ClockAccepted:
		return &evidence.ClockData{}
	}
	return nil
}

func checkData(meta *evidence.Meta, body any) error {
	switch b := body.(type) {
	case *evidence.RefusedData:
		if meta.Dec != evidence.Refuse(b.Code) {
			return errors.New("dec: not the refusal that the data names")
		}
	case *evidence.ReleasedData:
		return checkReleased(meta, b)
	case *evidence.DutyData:
		if meta.Ev == evidence.Silence && b.Size != meta.Idx {
			return fmt.Errorf("size: a silence statement speaks of the tree before it, %d entries, not %d", meta.Idx, b.Size)
		}
	}
	return nil
}
