package scenario

import (
	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/keys/transparency"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/obligation"
)

// words of the format, by sort.
var words = map[string][]string{
	"urgency": {messaging.Immediate, messaging.Urgent, messaging.Regular},
	"op": {messaging.OpAck, messaging.OpInterim, messaging.OpFulfil, messaging.OpExtend, messaging.OpSuspend,
		messaging.OpDispute, messaging.OpWaive, messaging.OpTransfer, messaging.OpCancel, messaging.OpDeclare},
	"what":    {messaging.WhatSent, messaging.WhatReceived},
	"outcome": {messaging.OutcomeServed, messaging.OutcomeConsigned, messaging.OutcomeAttempted},
	"scope":   {evidence.ScopeConsent, evidence.ScopeDisclosures, evidence.ScopeDuties},
	"side":    {"program", "exchange"},
	"owing":   {"owed", "owing"},
	"content": {"none", "some"},
	"view":    {"open", "overdue", "fulfilled", "fulfilled-late", "in-progress", "acknowledged", "suspended", "waived", "cancelled", "ended", "transferred"},
	"state":   states(),
	"status":  statuses(),
	"event":   events(),
	"role":    directory.Roles,
	"adds": {transparency.AddsReader, transparency.AddsKey, transparency.AddsTerm, transparency.AddsRole, transparency.AddsPackage,
		transparency.AddsMaker, transparency.AddsEscrow, transparency.AddsChecker, transparency.AddsFormer, transparency.AddsRegistrar,
		transparency.AddsRoot, transparency.AddsCustodian, transparency.AddsThreshold, transparency.AddsObserver, transparency.AddsCustodianKey},
	"escrow": {evidence.PurposeRecovery, evidence.PurposeRehearsal},
	"cheat":  {cheatKey, cheatNothing},
}

func states() []string {
	var list []string
	for _, s := range []obligation.State{obligation.Open, obligation.Acknowledged, obligation.InProgress, obligation.Suspended,
		obligation.Transferred, obligation.Fulfilled, obligation.FulfilledLate, obligation.Waived, obligation.Cancelled, obligation.Ended} {
		list = append(list, string(s))
	}
	return list
}

func statuses() []string {
	list := []string{string(consent.NotYet), string(consent.Expired)}
	for _, a := range consent.Acts() {
		list = append(list, string(a))
	}
	return list
}

func events() []string {
	list := []string{evidence.MessageSubmitted, evidence.MessageRefused, evidence.MessageRetrieved, evidence.MessageDecrypted,
		evidence.MessageDecryptFailed, evidence.FactMismatch, evidence.Attested, evidence.CaseLink, evidence.ConflictSet,
		evidence.ConflictLifted, evidence.RepGrant, evidence.RepEnd, evidence.DeskGrant, evidence.ObligationOverdue,
		evidence.ObligationEscalated, evidence.ObligationKept, evidence.Silence, evidence.NoticeOwed, evidence.NoticeConsentChange,
		evidence.NoticeReminder, evidence.NoticeEscalation, evidence.AccessRead, evidence.DocumentIssued, evidence.ErasureDone,
		evidence.EscrowRequested, evidence.EscrowRefused, evidence.EscrowReleased, evidence.EscrowOpened}
	for _, a := range consent.Acts() {
		list = append(list, a.Event())
	}
	return list
}
