package directory_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

// rules names the errors in testdata/refused.jsonl.
var rules = map[string]error{
	"malformed": directory.ErrMalformed,
	"prev":      directory.ErrPrev,
	"dirn":      directory.ErrDirn,
	"unknown":   directory.ErrUnknown,
	"conflict":  directory.ErrConflict,
	"foreign":   directory.ErrForeign,
	"cover":     directory.ErrCover,
	"signers":   directory.ErrSigners,
}

// A refusal is a leaf that the golden directory of its first after leaves must
// refuse, by the rule named.
type refusal struct {
	why   string
	after int64
	rule  string
	leaf  []byte
}

type edits map[string]any

// forge makes a leaf without asking Prepare: the head is right, then edits are
// laid over the payload.
func forge(w *world, after int64, t string, body directory.Body, e edits, labels ...string) []byte {
	w.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	payload := edits{}
	if err := json.Unmarshal(raw, &payload); err != nil {
		w.t.Fatal(err)
	}
	for k, v := range map[string]any{"at": at(after), "dirn": after, "prev": w.states[after].Prev(body.Subject()), "t": t, "v": 1} {
		payload[k] = v
	}
	for k, v := range e {
		payload[k] = v
	}
	data, err := statement.Marshal(payload)
	if err != nil {
		w.t.Fatal(err)
	}
	return sign(w.t, statement.TypeDirectory, data, labels...)
}

func refusals(w *world) []refusal {
	var all []refusal
	refuse := func(why string, after int64, rule, t string, body directory.Body, e edits, labels ...string) {
		w.t.Helper()
		all = append(all, refusal{why, after, rule, forge(w, after, t, body, e, labels...)})
	}
	council := []string{"council/1", "council/2", "council/3"}
	delegates := []string{"A/delegate", "B/delegate"}
	rootA, regA, regB := []string{"A/root/1", "A/root/2"}, []string{"A/registrar/1", "A/registrar/2"}, []string{"B/registrar/1", "B/registrar/2"}
	a, b := id("i", "A"), id("i", "B")
	legal, rep := id("d", "A/legal"), id("d", "B/rep")
	a1, a2, b1 := id("u", "A/officer/1"), id("u", "A/officer/2"), id("u", "B/officer/1")

	// genesis
	refuse("genesis without one council key", 0, "signers", "genesis", genesis(), nil, council[:2]...)
	refuse("genesis with a stranger's signature besides", 0, "signers", "genesis", genesis(), nil, append(council, "council/4")...)
	refuse("second genesis", 3, "conflict", "genesis", genesis(), edits{"dirn": 0}, council...)
	refuse("first leaf is no genesis", 0, "conflict", "policy", newPolicy(), edits{"dirn": 1}, council...)
	refuse("one key decides, without demo", 0, "conflict", "genesis", genesis(), edits{"council": edits{"k": 1, "keys": publics(council...)}}, council...)
	refuse("demo spelled false", 0, "malformed", "genesis", genesis(), edits{"demo": false}, council...)
	refuse("a council key is a delegate too", 0, "malformed", "genesis", genesis(), edits{"delegates": []directory.Delegate{{I: a, Key: public("council/1")}}}, council...)
	refuse("both trees under one key", 0, "malformed", "genesis", genesis(), edits{"logs": directory.Logs{Dir: logs().Dir, Ev: logs().Dir}}, council...)
	refuse("threshold above the number of keys", 0, "malformed", "genesis", genesis(), edits{"council": edits{"k": 4, "keys": publics(council...)}}, council...)
	refuse("a council key of small order", 0, "malformed", "genesis", genesis(), edits{"council": edits{"k": 2, "keys": [][]byte{public("council/1"), append([]byte{1}, make([]byte, 31)...)}}}, council...)

	// policy, delegate.revoke
	refuse("policy by one of a council of two of three", 31, "signers", "policy", newPolicy(), nil, "council/1")
	refuse("changed council without k of the new", 31, "signers", "policy", newPolicy(), nil, "council/1", "council/2")
	refuse("changed council with one signature too many", 31, "signers", "policy", newPolicy(), nil, "council/1", "council/2", "council/3", "council/4")
	refuse("policy by delegates", 31, "signers", "policy", newPolicy(), nil, delegates...)
	refuse("policy takes back a revoked delegate", 31, "conflict", "policy", newPolicy(), edits{"delegates": []directory.Delegate{{I: id("i", "C"), Key: public("C/delegate")}}}, "council/1", "council/2", "council/4")
	refuse("delegate's key moves to another institution", 31, "foreign", "policy", newPolicy(), edits{"delegates": []directory.Delegate{{I: id("i", "C"), Key: public("A/delegate")}}}, "council/1", "council/2", "council/4")
	refuse("council takes an officer's key", 31, "conflict", "policy", newPolicy(), edits{"council": edits{"k": 2, "keys": publics("council/1", "A/officer/1")}}, "council/1", "council/2", "A/officer/1")
	refuse("revocation of a key that is no delegate's", 30, "unknown", "delegate.revoke", &directory.DelegateRevoke{Key: keyID("A/officer/1"), Reason: "left"}, nil, "council/1")
	refuse("second revocation of a delegate", 31, "conflict", "delegate.revoke", &directory.DelegateRevoke{Key: keyID("C/delegate"), Reason: "left"}, nil, "council/1")
	refuse("a revoked delegate revokes another", 31, "signers", "delegate.revoke", &directory.DelegateRevoke{Key: keyID("A/delegate"), Reason: "left"}, nil, "C/delegate")

	// institutions
	join := &directory.InstJoin{I: a, Root: directory.Root{K: 2, Keys: publics("A/root/1", "A/root/2", "A/root/3")}}
	refuse("join by one delegate", 1, "signers", "inst.join", join, nil, "A/delegate", "A/root/1", "A/root/2")
	refuse("join without the root's consent", 1, "signers", "inst.join", join, nil, delegates...)
	refuse("join with all of the root", 1, "signers", "inst.join", join, nil, append(delegates, "A/root/1", "A/root/2", "A/root/3")...)
	refuse("join by a revoked delegate", 31, "signers", "inst.join", &directory.InstJoin{I: id("i", "C"), Root: directory.Root{K: 2, Keys: publics("C/root/1", "C/root/2")}}, nil, "A/delegate", "C/delegate", "C/root/1", "C/root/2")
	refuse("second join", 9, "conflict", "inst.join", join, nil, append(delegates, rootA...)...)
	refuse("root of 1, without demo", 1, "conflict", "inst.join", join, edits{"root": edits{"k": 1, "keys": publics("A/root/1")}}, append(delegates, "A/root/1")...)
	refuse("root key of another institution", 6, "foreign", "inst.join", &directory.InstJoin{I: b, Root: directory.Root{K: 2, Keys: publics("B/root/1", "A/root/1")}}, nil, append(delegates, "B/root/1", "A/root/1")...)
	profile := &directory.InstProfile{I: a, Type: "swc", Level: "local", Territory: []string{}, NB: start, NA: end}
	refuse("profile by the institution itself", 2, "signers", "inst.profile", profile, nil, rootA...)
	refuse("profile of an institution that has not joined", 2, "unknown", "inst.profile", &directory.InstProfile{I: b, Type: "swc", Level: "local", Territory: []string{}, NB: start, NA: end}, nil, delegates...)
	refuse("escalation in a circle", 8, "conflict", "inst.profile", &directory.InstProfile{I: b, Type: "sponsor", Level: "national", Territory: []string{}, EscalatesTo: a, NB: start, NA: end}, nil, delegates...)
	refuse("escalation to itself", 8, "malformed", "inst.profile", profile, edits{"escalates_to": a}, delegates...)
	refuse("term that ends when it begins", 2, "malformed", "inst.profile", profile, edits{"na": start}, delegates...)
	refuse("new root without the old", 29, "signers", "inst.root", &directory.InstRoot{I: a, K: 2, Keys: publics("A/root/4", "A/root/5")}, nil, "A/root/4", "A/root/5")
	refuse("new root without the new", 29, "signers", "inst.root", &directory.InstRoot{I: a, K: 2, Keys: publics("A/root/4", "A/root/5")}, nil, rootA...)
	refuse("root that does not change", 29, "conflict", "inst.root", &directory.InstRoot{I: a, K: 2, Keys: publics("A/root/3", "A/root/2", "A/root/1")}, nil, rootA...)
	refuse("root of 1 in place of 2, without demo", 29, "conflict", "inst.root", &directory.InstRoot{I: a, K: 1, Keys: publics("A/root/1")}, nil, rootA...)
	refuse("root of an institution that has not joined", 3, "unknown", "inst.root", &directory.InstRoot{I: b, K: 2, Keys: publics("B/root/1", "B/root/2")}, nil, "B/root/1", "B/root/2")
	refuse("registrars of an institution that has not joined", 3, "unknown", "inst.registrars", &directory.InstRegistrars{I: b, Keys: publics(regB...)}, nil, "B/root/1", "B/root/2")
	refuse("registrars by one root key", 3, "signers", "inst.registrars", &directory.InstRegistrars{I: a, Keys: publics(regA...)}, nil, "A/root/1")
	refuse("a single registrar", 3, "malformed", "inst.registrars", &directory.InstRegistrars{I: a, Keys: publics("A/registrar/1")}, nil, rootA...)
	refuse("registrar of another institution", 8, "foreign", "inst.registrars", &directory.InstRegistrars{I: b, Keys: publics("B/registrar/1", "A/registrar/1")}, nil, "B/root/1", "B/root/2")
	refuse("root key as registrar", 3, "conflict", "inst.registrars", &directory.InstRegistrars{I: a, Keys: publics("A/registrar/1", "A/root/3")}, nil, rootA...)
	refuse("revoked officer's key as registrar", 26, "conflict", "inst.registrars", &directory.InstRegistrars{I: a, Keys: publics("A/registrar/1", "A/officer/2")}, nil, rootA...)
	refuse("one custodian, without demo", 4, "conflict", "inst.custodians", &directory.InstCustodians{I: a, K: 1, Rcps: []string{recipient("A/custodian/1")}}, nil, rootA...)
	refuse("custodian twice", 4, "malformed", "inst.custodians", &directory.InstCustodians{I: a, K: 2, Rcps: []string{recipient("A/custodian/1"), recipient("A/custodian/1")}}, nil, rootA...)
	refuse("custodian's key twice", 4, "malformed", "inst.custodians", signingCustodians(), edits{"keys": publics("A/custodian/1", "A/custodian/2", "A/custodian/2")}, rootA...)
	refuse("custodians with fewer keys than recipients", 4, "malformed", "inst.custodians", signingCustodians(), edits{"keys": publics("A/custodian/1", "A/custodian/2")}, rootA...)
	refuse("custodians' keys spelled as an empty list", 4, "malformed", "inst.custodians", signingCustodians(), edits{"keys": []string{}}, rootA...)
	refuse("custodian's key of small order", 4, "malformed", "inst.custodians", signingCustodians(), edits{"keys": [][]byte{public("A/custodian/1"), public("A/custodian/2"), append([]byte{1}, make([]byte, 31)...)}}, rootA...)
	refuse("root key as custodian", 4, "conflict", "inst.custodians", signingCustodians(), edits{"keys": publics("A/custodian/1", "A/custodian/2", "A/root/3")}, rootA...)
	refuse("registrar as custodian", 4, "conflict", "inst.custodians", signingCustodians(), edits{"keys": publics("A/custodian/1", "A/custodian/2", "A/registrar/1")}, rootA...)
	refuse("custodian as custodian of another institution", 33, "foreign", "inst.custodians", &directory.InstCustodians{I: b, K: 2, Keys: publics("B/custodian/1", "A/custodian/1"), Rcps: []string{recipient("B/custodian/1"), recipient("B/custodian/2")}}, nil, "B/root/1", "B/root/2")
	refuse("former custodian enrolled as an officer", 33, "conflict", "officer.enrol", enrol("A", "A/custodian/2", "member"), nil, regA...)
	refuse("custodians by registrars", 4, "signers", "inst.custodians", signingCustodians(), nil, regA...)
	refuse("root key as observer", 5, "conflict", "inst.observer", &directory.InstObserver{I: a, Key: public("A/root/3")}, nil, rootA...)
	refuse("observer by registrars", 5, "signers", "inst.observer", &directory.InstObserver{I: a, Key: public("A/observer")}, nil, regA...)

	// officers, cards
	refuse("enrolment by one registrar", 10, "signers", "officer.enrol", enrol("A", "A/officer/2", "member"), nil, "A/registrar/1")
	refuse("enrolment by three registrars", 10, "signers", "officer.enrol", enrol("A", "A/officer/2", "member"), nil, append(regA, "A/registrar/3")...)
	refuse("enrolment by registrars of another institution", 10, "signers", "officer.enrol", enrol("A", "A/officer/2", "member"), nil, regB...)
	refuse("enrolment by a registrar of each", 10, "signers", "officer.enrol", enrol("A", "A/officer/2", "member"), nil, "A/registrar/1", "B/registrar/1")
	refuse("officer of one institution enrolled in another", 10, "foreign", "officer.enrol", enrol("B", "A/officer/1", "member"), nil, regB...)
	refuse("same officer, new key, in another institution", 10, "foreign", "officer.enrol", enrol("B", "B/officer/9", "member"), edits{"u": a1, "prev": w.states[10].Prev(a1)}, regB...)
	refuse("enrolment before the institution joined", 3, "unknown", "officer.enrol", enrol("B", "B/officer/1", "member"), nil, regB...)
	refuse("second officer under the same key", 10, "conflict", "officer.enrol", enrol("A", "A/officer/1", "member"), edits{"u": a2, "prev": ""}, regA...)
	refuse("new key while the old is in force", 10, "conflict", "officer.enrol", enrol("A", "A/officer/3", "member"), edits{"u": a1, "prev": w.states[10].Prev(a1)}, regA...)
	refuse("recipient of another officer", 10, "conflict", "officer.enrol", enrol("A", "A/officer/2", "member"), edits{"rcp": recipient("A/officer/1")}, regA...)
	refuse("recipient exchanged under the same key", 10, "conflict", "officer.enrol", enrol("A", "A/officer/1", "member"), edits{"rcp": recipient("A/officer/9")}, regA...)
	refuse("revoked key enrolled again", 26, "conflict", "officer.enrol", enrol("A", "A/officer/2", "member"), nil, regA...)
	refuse("key id of another key", 10, "malformed", "officer.enrol", enrol("A", "A/officer/2", "member"), edits{"key": keyID("A/officer/9")}, regA...)
	refuse("recipient that is not post-quantum", 10, "malformed", "officer.enrol", enrol("A", "A/officer/2", "member"), edits{"rcp": "age1" + strings.Repeat("q", 58)}, regA...)
	refuse("unknown role", 10, "malformed", "officer.enrol", enrol("A", "A/officer/2", "chief"), nil, regA...)
	refuse("no role", 10, "malformed", "officer.enrol", enrol("A", "A/officer/2", "member"), edits{"roles": []string{}}, regA...)
	revoke := &directory.OfficerRevoke{U: a2, Key: keyID("A/officer/2"), From: start, Reason: "device-lost"}
	refuse("revocation by a registrar of another institution", 25, "signers", "officer.revoke", revoke, nil, "B/registrar/1")
	refuse("revocation by two registrars", 25, "signers", "officer.revoke", revoke, nil, regA...)
	refuse("revocation by a colleague", 25, "signers", "officer.revoke", revoke, nil, "A/officer/1")
	refuse("revocation of a key of another officer", 25, "unknown", "officer.revoke", revoke, edits{"key": keyID("A/officer/1")}, "A/registrar/1")
	refuse("second revocation", 26, "conflict", "officer.revoke", revoke, nil, "A/registrar/1")
	refuse("revocation that only begins later", 25, "malformed", "officer.revoke", revoke, edits{"from": at(25) + 1}, "A/registrar/1")
	refuse("card of somebody unknown", 11, "unknown", "card", &directory.Card{Of: id("u", "nobody"), C: seed("card")}, nil, "A/registrar/1")
	refuse("card by another institution", 11, "signers", "card", &directory.Card{Of: a1, C: seed("card")}, nil, "B/registrar/1")

	// desks
	refuse("desk by a member", 12, "signers", "desk.profile", &directory.DeskProfile{D: legal, I: a, Fn: "legal", NB: start, NA: end}, nil, "A/officer/1")
	refuse("representative's desk by one registrar", 18, "signers", "desk.profile", &directory.DeskProfile{D: rep, I: b, Fn: "rep", NB: start, NA: end}, nil, "B/registrar/1")
	refuse("representative's desk made ordinary by one registrar", 19, "signers", "desk.profile", &directory.DeskProfile{D: rep, I: b, Fn: "legal", NB: start, NA: end}, nil, "B/registrar/1")
	refuse("desk of two members made a representative's", 14, "conflict", "desk.profile", &directory.DeskProfile{D: legal, I: a, Fn: "rep", NB: start, NA: end}, nil, regA...)
	refuse("desk claimed by another institution", 14, "foreign", "desk.profile", &directory.DeskProfile{D: legal, I: b, Fn: "legal", NB: start, NA: end}, nil, "B/registrar/1")
	refuse("unknown function", 12, "malformed", "desk.profile", &directory.DeskProfile{D: legal, I: a, Fn: "canteen", NB: start, NA: end}, nil, "A/registrar/1")
	refuse("members added by one registrar", 13, "signers", "desk.members", &directory.DeskMembers{D: legal, Members: []string{a1, a2}}, nil, "A/registrar/1")
	refuse("members removed by two registrars", 16, "signers", "desk.members", &directory.DeskMembers{D: legal, Members: []string{a1}}, nil, regA...)
	refuse("member of another institution", 18, "foreign", "desk.members", &directory.DeskMembers{D: legal, Members: []string{a1, a2, b1}}, nil, regA...)
	refuse("member who is not enrolled", 13, "unknown", "desk.members", &directory.DeskMembers{D: legal, Members: []string{a1, id("u", "nobody")}}, nil, regA...)
	refuse("member whose key is revoked", 27, "conflict", "desk.members", &directory.DeskMembers{D: legal, Members: []string{a1, a2}}, nil, regA...)
	refuse("members that do not change", 14, "conflict", "desk.members", &directory.DeskMembers{D: legal, Members: []string{a2, a1}}, nil, regA...)
	refuse("member twice", 13, "malformed", "desk.members", &directory.DeskMembers{D: legal, Members: []string{a1, a1}}, nil, regA...)
	refuse("members of no desk", 12, "unknown", "desk.members", &directory.DeskMembers{D: legal, Members: []string{a1}}, nil, regA...)
	rota := &directory.DeskRota{D: legal, From: start, To: end, Contacts: []directory.Contact{{U: a1}}}
	refuse("rota by a member without the role", 16, "signers", "desk.rota", rota, nil, "A/officer/2")
	refuse("rota with a card that is not hers", 16, "unknown", "desk.rota", rota, edits{"contacts": []directory.Contact{{U: a1, Card: seed("other card")}}}, "A/officer/1")
	refuse("rota with a stranger", 18, "foreign", "desk.rota", rota, edits{"contacts": []directory.Contact{{U: b1}}}, "A/officer/1")

	// epochs
	epoch := func(e int64, officers ...string) *directory.DeskEpoch {
		return &directory.DeskEpoch{D: legal, E: e, RK: hash("rk/A/new"), Why: "yearly", Pkg: pkg(officers...), Esc: escrow([]int{0, 1}, []int{0, 2}, []int{1, 2})}
	}
	refuse("epoch without a member's package", 14, "cover", "desk.epoch", epoch(1, "A/officer/1"), nil, "A/officer/1")
	refuse("epoch with a stranger's package", 18, "cover", "desk.epoch", epoch(2, "A/officer/1", "A/officer/2", "B/officer/1"), nil, "A/officer/1")
	refuse("epoch with a package twice", 14, "cover", "desk.epoch", epoch(1, "A/officer/1", "A/officer/1", "A/officer/2"), nil, "A/officer/1")
	refuse("epoch with a package for a revoked member", 26, "cover", "desk.epoch", epoch(2, "A/officer/1", "A/officer/2"), nil, "A/officer/1")
	refuse("epoch after every term has ended", 14, "cover", "desk.epoch", epoch(1, "A/officer/1", "A/officer/2"), edits{"at": int64(end)}, "A/officer/1")
	refuse("epoch without escrow", 14, "cover", "desk.epoch", epoch(1, "A/officer/1", "A/officer/2"), edits{"esc": escrow()}, "A/officer/1")
	refuse("epoch with escrow out of order", 14, "cover", "desk.epoch", epoch(1, "A/officer/1", "A/officer/2"), edits{"esc": escrow([]int{0, 2}, []int{0, 1}, []int{1, 2})}, "A/officer/1")
	refuse("escrow without custodians", 20, "cover", "desk.epoch", &directory.DeskEpoch{D: rep, E: 1, RK: hash("rk/B/1"), Why: "first", Pkg: pkg("B/officer/1"), Esc: escrow([]int{0, 1})}, nil, "B/officer/1")
	refuse("epoch by a registrar", 14, "signers", "desk.epoch", epoch(1, "A/officer/1", "A/officer/2"), nil, "A/registrar/1")
	refuse("epoch by two members", 14, "signers", "desk.epoch", epoch(1, "A/officer/1", "A/officer/2"), nil, "A/officer/1", "A/officer/2")
	refuse("epoch of no desk", 12, "unknown", "desk.epoch", epoch(1, "A/officer/1"), nil, "A/officer/1")
	refuse("rota of no desk", 12, "unknown", "desk.rota", rota, nil, "A/officer/1")
	refuse("desk in an institution that has not joined", 3, "unknown", "desk.profile", &directory.DeskProfile{D: rep, I: b, Fn: "head", NB: start, NA: end}, nil, "B/registrar/1")
	refuse("epoch number left out", 14, "conflict", "desk.epoch", epoch(2, "A/officer/1", "A/officer/2"), nil, "A/officer/1")
	refuse("epoch number again", 15, "conflict", "desk.epoch", epoch(1, "A/officer/1", "A/officer/2"), nil, "A/officer/1")
	refuse("key of an earlier epoch", 27, "conflict", "desk.epoch", epoch(2, "A/officer/1"), edits{"rk": hash("rk/A/1")}, "A/officer/1")
	refuse("officer's recipient as epoch key", 14, "conflict", "desk.epoch", epoch(1, "A/officer/1", "A/officer/2"), edits{"rk": directory.RecipientHash(recipient("A/officer/2"))}, "A/officer/1")
	ack := &directory.DeskEpochAck{D: legal, E: 1}
	refuse("acknowledged by its maker", 15, "signers", "desk.epoch.ack", ack, nil, "A/officer/1")
	refuse("acknowledged by a registrar although there is another member", 15, "signers", "desk.epoch.ack", ack, nil, "A/registrar/1")
	refuse("acknowledged twice by one", 16, "signers", "desk.epoch.ack", ack, nil, "A/officer/2")
	refuse("acknowledged by a stranger", 18, "signers", "desk.epoch.ack", ack, nil, "B/officer/1")
	refuse("acknowledged by a member revoked since", 26, "signers", "desk.epoch.ack", ack, nil, "A/officer/2")
	refuse("acknowledgement of an epoch that is not", 15, "unknown", "desk.epoch.ack", &directory.DeskEpochAck{D: legal, E: 2}, nil, "A/officer/2")
	refuse("single member acknowledges her own", 21, "signers", "desk.epoch.ack", &directory.DeskEpochAck{D: rep, E: 1}, nil, "B/officer/1")
	refuse("single member's acknowledged by another institution", 21, "signers", "desk.epoch.ack", &directory.DeskEpochAck{D: rep, E: 1}, nil, "A/registrar/1")
	refuse("acknowledgement of a disputed epoch", 29, "conflict", "desk.epoch.ack", &directory.DeskEpochAck{D: legal, E: 2}, nil, "A/registrar/1")
	refuse("second dispute", 29, "conflict", "desk.epoch.dispute", &directory.DeskEpochDispute{D: legal, E: 2, Why: "wrong-key"}, nil, "A/registrar/1")
	refuse("dispute by its maker", 15, "signers", "desk.epoch.dispute", &directory.DeskEpochDispute{D: legal, E: 1, Why: "wrong-key"}, nil, "A/officer/1")

	// packs, calendar, audit
	pack := &directory.PackAdopt{ID: "rs-a@1", Hash: hash("pack/rs-a@1"), From: start}
	refuse("pack by one delegate", 22, "signers", "pack.adopt", pack, nil, "A/delegate")
	refuse("pack by the council", 22, "signers", "pack.adopt", pack, nil, council[:2]...)
	refuse("pack changed under its version", 23, "conflict", "pack.adopt", pack, edits{"hash": hash("pack/other")}, delegates...)
	refuse("pack without version", 22, "malformed", "pack.adopt", pack, edits{"id": "rs-a"}, delegates...)
	holiday := &directory.CalendarDay{Zone: "Europe/Belgrade", Date: "2026-02-17", Off: true, Ref: "decree 5/2026"}
	refuse("day that does not exist", 23, "malformed", "calendar.day", holiday, edits{"date": "2026-02-29"}, delegates...)
	refuse("day by registrars", 23, "signers", "calendar.day", holiday, nil, regA...)
	refuse("audit by one delegate", 24, "signers", "audit.grant", &directory.AuditGrant{D: rep, Scope: "meta", From: start, To: end}, nil, "A/delegate")
	refuse("audit of no desk", 24, "unknown", "audit.grant", &directory.AuditGrant{D: id("d", "none"), Scope: "meta", From: start, To: end}, nil, delegates...)
	refuse("audit of content", 24, "malformed", "audit.grant", &directory.AuditGrant{D: rep, Scope: "content", From: start, To: end}, nil, delegates...)

	// head
	refuse("prev of an earlier leaf", 16, "prev", "desk.members", &directory.DeskMembers{D: legal, Members: []string{a1}}, edits{"prev": w.states[15].Prev(legal)}, "A/registrar/1")
	refuse("prev empty although there is one", 16, "prev", "desk.members", &directory.DeskMembers{D: legal, Members: []string{a1}}, edits{"prev": ""}, "A/registrar/1")
	refuse("prev although there is none", 10, "prev", "officer.enrol", enrol("A", "A/officer/2", "member"), edits{"prev": w.states[10].Prev(a1)}, regA...)
	refuse("dirn beyond the directory", 10, "dirn", "officer.enrol", enrol("A", "A/officer/2", "member"), edits{"dirn": 11}, regA...)
	refuse("dirn before the leaf that prev names", 16, "dirn", "desk.members", &directory.DeskMembers{D: legal, Members: []string{a1}}, edits{"dirn": 15}, "A/registrar/1")
	refuse("dirn 0", 10, "malformed", "officer.enrol", enrol("A", "A/officer/2", "member"), edits{"dirn": 0}, regA...)
	refuse("version 2", 10, "malformed", "officer.enrol", enrol("A", "A/officer/2", "member"), edits{"v": 2}, regA...)
	refuse("unknown kind", 10, "malformed", "officer.promote", enrol("A", "A/officer/2", "member"), nil, regA...)
	refuse("unknown member", 10, "malformed", "officer.enrol", enrol("A", "A/officer/2", "member"), edits{"name": "x"}, regA...)
	refuse("member of another kind", 23, "malformed", "pack.adopt", holiday, nil, delegates...)
	refuse("no time", 10, "malformed", "officer.enrol", enrol("A", "A/officer/2", "member"), edits{"at": 0}, regA...)
	return append(all, spellings(w)...)
}

// spellings are leaves whose statement is good and whose bytes are not.
func spellings(w *world) []refusal {
	leaf := forge(w, 10, "officer.enrol", enrol("A", "A/officer/2", "member"), nil, "A/registrar/1", "A/registrar/2")
	if _, err := w.states[10].Apply(leaf); err != nil {
		w.t.Fatalf("the base of the spellings is refused: %v", err)
	}
	d, err := statement.ParseDSSE(leaf)
	if err != nil {
		w.t.Fatal(err)
	}
	resigned := func(payloadType string, payload []byte) []byte {
		return sign(w.t, payloadType, payload, "A/registrar/1", "A/registrar/2")
	}
	replaced := func(old, now string) []byte {
		if !bytes.Contains(d.Payload, []byte(old)) {
			w.t.Fatalf("%q is not in the payload", old)
		}
		return resigned(statement.TypeDirectory, bytes.Replace(d.Payload, []byte(old), []byte(now), 1))
	}
	twice := *d
	twice.Signatures = append(twice.Signatures[:1:1], twice.Signatures[0])
	double, err := directory.Leaf(&twice)
	if err != nil {
		w.t.Fatal(err)
	}
	swapped := *d
	swapped.Signatures = []statement.Signature{{KeyID: d.Signatures[0].KeyID, Sig: d.Signatures[1].Sig}, {KeyID: d.Signatures[1].KeyID, Sig: d.Signatures[0].Sig}}
	crossed, err := directory.Leaf(&swapped)
	if err != nil {
		w.t.Fatal(err)
	}
	list := []struct {
		why, rule string
		leaf      []byte
	}{
		{"nothing", "malformed", []byte{}},
		{"null", "malformed", []byte("null")},
		{"leaf with a blank before", "malformed", append([]byte(" "), leaf...)},
		{"leaf with a line end behind", "malformed", append(bytes.Clone(leaf), '\n')},
		{"payload with a blank", "malformed", replaced(`"v":1`, `"v": 1`)},
		{"payload with a member twice", "malformed", replaced(`"v":1`, `"v":1,"v":1`)},
		{"payload with another case", "malformed", replaced(`"nb":`, `"NB":`)},
		{"payload with null", "malformed", replaced(`"roles":["member"]`, `"roles":null`)},
		{"payload with a fraction", "malformed", replaced(`"v":1`, `"v":1.0`)},
		{"payload with an escape", "malformed", replaced(`"member"`, `"\u006dember"`)},
		{"type of another statement", "malformed", resigned(statement.TypeNotice, d.Payload)},
		{"one signature twice", "signers", double},
		{"signatures exchanged", "signers", crossed},
		{"signature for another payload", "signers", bytes.Replace(leaf, []byte(`"sig":"`+b64(d.Signatures[0].Sig)), []byte(`"sig":"`+b64(d.Signatures[1].Sig)), 1)},
		{"no signature", "signers", sign(w.t, statement.TypeDirectory, d.Payload)},
	}
	var all []refusal
	for _, l := range list {
		all = append(all, refusal{l.why, 10, l.rule, l.leaf})
	}
	return all
}

func b64(b []byte) string {
	raw, _ := json.Marshal(b)
	return strings.Trim(string(raw), `"`)
}

func TestRefusedLeaves(t *testing.T) {
	w := golden(t)
	var file bytes.Buffer
	seen := map[string]bool{}
	for _, r := range refusals(w) {
		if seen[r.why] {
			t.Errorf("%q: listed twice", r.why)
		}
		seen[r.why] = true
		state := w.states[r.after]
		before := digest(t, state)
		next, err := state.Apply(r.leaf)
		if next != nil || !errors.Is(err, rules[r.rule]) {
			t.Errorf("%s: got %v, want an error of rule %s", r.why, err, r.rule)
		}
		for name, other := range rules {
			if name != r.rule && errors.Is(err, other) {
				t.Errorf("%s: error is of rule %s too: %v", r.why, name, err)
			}
		}
		if err != nil && !strings.HasPrefix(err.Error(), "directory: ") {
			t.Errorf("%s: %v", r.why, err)
		}
		if digest(t, state) != before {
			t.Errorf("%s: the refusal changed the state", r.why)
		}
		line, err := json.Marshal(map[string]any{"after": r.after, "error": r.rule, "leaf": string(r.leaf), "why": r.why})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&file, "%s\n", line)
	}
	for name := range rules {
		if !strings.Contains(file.String(), `"error":"`+name+`"`) {
			t.Errorf("no leaf is refused by rule %s", name)
		}
	}
	compare(t, "refused.jsonl", file.Bytes())
}
