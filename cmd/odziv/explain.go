package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"syscall"

	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/keys/escrow"
	"github.com/odziv/odziv/keys/keystore"
	"github.com/odziv/odziv/keys/transparency"
	"github.com/odziv/odziv/keys/vault"
	"github.com/odziv/odziv/keys/vault/officer"
)

// explain says what to do about errors of the packages below.
func explain(err error) (hint string, code int) {
	var problem *wire.Problem
	var refused *office.Refused
	var security *office.SecurityError
	var unsent *office.Unsent
	switch {
	case errors.As(err, &security):
		return securityHint(security), cli.Failed
	case errors.As(err, &unsent):
		return unsentHint(unsent), cli.Away
	case errors.As(err, &refused):
		return refusedHint(refused), cli.Refused
	case errors.As(err, &problem):
		return problemHint(problem), problemCode(problem)
	}
	for _, known := range known {
		if errors.Is(err, known.is) {
			return known.hint, known.code
		}
	}
	return otherwise(err)
}

// known are errors with one cause each, and what to do about it.
var known = []struct {
	is   error
	hint string
	code int
}{
	{office.ErrDemo, "add --demo if you mean to look at a demonstration", cli.Refused},
	{office.ErrWeakKeys, "keys made with --demo stay in demonstrations: make others with odziv enroll, without --demo", cli.Refused},
	{keystore.ErrDemo, "this keystore belongs to a demonstration: add --demo", cli.Refused},
	{keystore.ErrPassphrase, "type the six words again, with one space between them; after a mistake nothing is lost", cli.Failed},
	{keystore.ErrFormat, "the keystore was damaged: put its previous version in its place with: odziv keys restore-previous", cli.Failed},
	{keystore.ErrChanged, "another program of yours changed the keystore meanwhile: run the same command again", cli.Failed},
	{office.ErrUnexpected, "look at it: odziv directory watch; when you have checked it on paper or by telephone: odziv directory accept ENTRY. In danger to life: --urgency I --despite-unexpected", cli.Refused},
	{office.ErrNoChange, "odziv directory watch lists what waits", cli.Failed},
	{office.ErrObserver, "type the observer's fingerprint from paper: odziv directory watch --observer SOURCE --fingerprint …; if it is another than on paper, call your institution's administrator", cli.Refused},
	{transparency.ErrExpected, "ask your institution's observer for its list of expected changes (odziv observe announce)", cli.Failed},
	{keystore.ErrOther, "nothing was changed; take the folder, the keystore or the login that belong together", cli.Refused},
	{keystore.ErrReadOnly, "unlock the stick or take another medium, and run the same command again; nothing was lost", cli.Failed},
	{keystore.ErrBusy, "let the other program end, and run the same command again", cli.Away},
	{keystore.ErrLocked, "unlock the keys, and run the same command again", cli.Failed},
	{keystore.ErrElsewhere, "the signing key never leaves Vault: odziv keys move --to file makes a new one", cli.Refused},
	{vault.ErrSealed, "whoever keeps your institution's Vault unseals it; nothing was lost, run the same command again then", cli.Away},
	{vault.ErrUnreachable, "check the network and the address in vault.json; nothing was lost, run the same command again", cli.Away},
	{vault.ErrLogin, "log in again, as yourself: vault login -method=oidc, or type your password again", cli.Failed},
	{vault.ErrDenied, "ask whoever keeps your institution's Vault for the policy institution-officer", cli.Refused},
	{vault.ErrKeyVersion, "call whoever keeps your institution's Vault: it no longer signs with your key; nothing was signed", cli.Failed},
	{vault.ErrAnswer, "do not go on; call whoever keeps your institution's Vault: it, or something in front of it, answers wrongly", cli.Failed},
	{officer.ErrNone, "bring your keys there with odziv keys move --to vault, or make them there with odziv enroll --vault", cli.Failed},
	{officer.ErrHalf, "run the command that was interrupted again; if none was, call whoever keeps your institution's Vault", cli.Failed},
	{office.ErrNotEnrolled, "two registrars of your institution sign your enrol-request.json: odziv officer enrol", cli.Failed},
	{office.ErrNoDesk, "odziv status lists the desks you act for", cli.Failed},
	{office.ErrManyDesks, "say for which one with --desk; odziv status lists them", cli.Usage},
	{office.ErrNoMessage, "odziv inbox lists them", cli.Failed},
	{office.ErrNoEntry, "odziv inbox --json shows the indexes of messages", cli.Failed},
	{office.ErrNoRecord, "odziv consent list shows them", cli.Failed},
	{office.ErrNoParcel, "odziv status lists what waits to be sent", cli.Failed},
	{office.ErrNoPack, "name another with --family, or wait until two delegates adopted one", cli.Refused},
	{office.ErrNoEpoch, "a member of the desk makes one: odziv directory rotate", cli.Refused},
	{office.ErrNoPackage, "ask a colleague with the role desk-key to run: odziv directory grant YOUR-OFFICER-ID", cli.Refused},
	{office.ErrPackage, "do not confirm this key: run odziv directory dispute, and call whoever made it; then somebody rotates again", cli.Failed},
	{office.ErrDraft, "take the keystore of another computer, or ask whoever looks after your keys", cli.Failed},
	{office.ErrIncomplete, "odziv pending shows what waits", cli.Failed},
	{office.ErrForgotten, "a colleague who still has it and the role desk-key runs: odziv directory grant YOUR-OFFICER-ID", cli.Refused},
	{office.ErrKeepsAll, "they are kept elsewhere; ask whoever looks after your institution's Vault", cli.Refused},
	{office.ErrCustodian, "take the keystore of a custodian of that institution, with --home; odziv recovery status shows who they are", cli.Refused},
	{office.ErrNoEscrow, "a member of the desk runs odziv directory rotate after the root has named custodians; older keys only members hold", cli.Refused},
	{office.ErrNoRelease, "as many custodians as the institution wants ask for the same within a week: odziv recovery status", cli.Refused},
	{office.ErrNotYours, "let her open it first, and take the file that she writes: odziv recovery open DESK FILE", cli.Refused},
	{office.ErrHandover, "take the file that the custodian before you wrote for this release, whole", cli.Failed},
	{office.ErrEscrow, "call the head of the institution: whoever made this key sealed another to the custodians, or the file was exchanged on the way; the desk rotates at once", cli.Failed},
	{office.ErrReceived, "take the file that the last custodian wrote for you, whole, and the keystore that you were enrolled with last", cli.Failed},
	{escrow.ErrFormat, "ask the custodian before you for her file once more; if you fetched it yourself, the desk rotates and you rehearse again", cli.Failed},
	{office.ErrSetUp, "nothing was changed; take another folder with --home", cli.Failed},
	{office.ErrNotSetUp, "name the folder with --home, or set it up with: odziv enroll", cli.Failed},
	{office.ErrDamaged, "put a copy of the file back; without one delete it, and this program forgets what it held", cli.Failed},
	{office.ErrBehind, "run odziv status, then the same command again", cli.Away},
	{office.ErrNotConfirmed, "it is stored, but no checkpoint covers it yet: run odziv status in a minute", cli.Away},
	{office.ErrSending, "let it end; odziv status lists what still waits to be sent", cli.Away},
	{office.ErrBusy, "let the other end, or stop it, and run the same command again", cli.Away},
	{office.ErrNewer, "install the newer program, or take another folder with --home", cli.Failed},
	{directory.ErrSigners, "somebody else signs this: odziv pending says who, keys/directory/FORMAT.md who signs what", cli.Refused},
	{directory.ErrUnknown, "check the ids it names; odziv directory lists what there is", cli.Refused},
	{directory.ErrConflict, "look at odziv directory: it may have been done already", cli.Refused},
	{directory.ErrForeign, "an institution speaks for itself only", cli.Refused},
	{directory.ErrMalformed, "see keys/directory/FORMAT.md for the members of each statement", cli.Failed},
	{syscall.ENOSPC, "free space on this disk and run the same command again; nothing was lost", cli.Failed},
	{syscall.EDQUOT, "free space on this disk and run the same command again; nothing was lost", cli.Failed},
	{fs.ErrNotExist, "check the name of the file", cli.Failed},
	{fs.ErrPermission, "check who owns the file and its folder", cli.Failed},
	{client.ErrAway, "check the network and the address in exchange.json; nothing was lost, run the same command again", cli.Away},
	{context.Canceled, "nothing was lost, run the same command again", cli.Failed},
}

// otherwise is for what only its type tells.
func otherwise(err error) (string, int) {
	var network *net.OpError
	if errors.As(err, &network) {
		return "check the network and the address in exchange.json; nothing was lost, run the same command again", cli.Away
	}
	return "", 0
}

func securityHint(e *office.SecurityError) string {
	if e.Kept == "" {
		return "send nothing more; write down what you did and call your institution's administrator"
	}
	return "send nothing more, and give " + e.Kept + " to your institution's administrator or auditor: it is evidence"
}

// unsentHint says how a kept message goes on, and what it waits for.
func unsentHint(u *office.Unsent) string {
	resume := "odziv send --resume " + u.ID
	var r *office.Refused
	if !errors.As(u.Err, &r) {
		return "it is kept, sealed; go on with: " + resume
	}
	switch r.Code {
	case "epoch_stale":
		return "it is kept, sealed: a member of that desk runs odziv directory rotate, another odziv directory acknowledge (call them, or a registrar there), then: " + resume + "; in danger now: " + resume + " --urgency I"
	case "epoch_provisional":
		return "it is kept, sealed: witnesses confirm the key within seconds when they are there, then: " + resume + "; in danger now: " + resume + " --urgency I"
	}
	return "it is kept, sealed: a second member of that desk runs odziv directory acknowledge, then: " + resume
}

func refusedHint(r *office.Refused) string {
	switch r.Code {
	case "basis":
		return "choose a basis that the rules permit for this recipient; odzivd rules print shows them"
	case "kind":
		return "odzivd rules print shows the kinds there are"
	case "epoch":
		return "ask a member of that desk to run odziv directory acknowledge"
	case "epoch_provisional":
		return "witnesses confirm it within seconds when they are there: try again; in danger send with --urgency I"
	case "epoch_stale":
		return "ask the desk to run odziv directory rotate; in danger send with --urgency I"
	case "own_epoch":
		return "a colleague at the desk runs odziv directory acknowledge; where there is none, a registrar, to whom you read the fingerprint"
	case "desk_key":
		return "ask two registrars of your institution to enrol you with the role desk-key; for what arrives from now on, odziv directory rotate is enough"
	case "grantee":
		return "odziv status shows your colleague's officer id to her; two registrars make her a member first"
	case "fingerprint":
		return "let the officer read it out again, group by group; if it stays another, confirm nothing: somebody else made this key"
	case "signed":
		return "go on with it without --urgency"
	case "member_provisional":
		return "witnesses confirm it within seconds when they are there: try again"
	case "escrow_officer":
		return "two registrars enrol her with new keys and make her a member of the desk first"
	case "to":
		return "odziv directory lists the desks"
	case "despite":
		return "look at it: odziv directory watch; in danger to life send with --urgency I"
	}
	return "nothing was sealed or sent"
}

func problemHint(p *wire.Problem) string {
	switch {
	case p.Hint != "":
		return p.Hint
	case p.Status >= 500:
		return "try again in a minute; if it stays so, call whoever runs the exchange"
	}
	return "nothing was recorded"
}

func problemCode(p *wire.Problem) int {
	switch {
	case p.Status >= 500:
		return cli.Away
	case p.Status == 403, p.Status == 409, p.Status == 422:
		return cli.Refused
	}
	return cli.Failed
}
