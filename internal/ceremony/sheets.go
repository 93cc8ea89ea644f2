package ceremony

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/odziv/odziv/keys/directory"
)

// Texts of the sheets.
var (
	readAloud   = phrase{"read aloud", "прочитано наглас"}
	sameOnPaper = phrase{"the same in the program", "исто у програму"}

	date      = phrase{"Date", "Датум"}
	place     = phrase{"Place", "Место"}
	byHand    = phrase{"Signature", "Потпис"}
	nameHand  = phrase{"Name and office (by hand)", "Име и функција (руком)"}
	inst      = phrase{"Institution", "Институција"}
	ownerKey  = phrase{"Fingerprint of the key", "Отисак кључа"}
	whoCompar = phrase{"Who compared it (by hand)", "Ко је упоредио (руком)"}

	roleNames = map[string]phrase{
		Council:   {"member of the council", "члан савета"},
		Delegate:  {"delegate of the council", "овлашћено лице савета"},
		Root:      {"root key of an institution", "коренски кључ институције"},
		Registrar: {"registrar", "регистратор"},
		Officer:   {"officer", "службеник"},
		Custodian: {"custodian", "чувар кључева"},
		Observer:  {"observer", "посматрач"},
	}

	howToRead = phrase{
		"Read the fingerprint aloud from this sheet, group by group, while another person looks at the screen. Tick the boxes only if all sixteen groups are the same. If one differs, stop: the key was mixed up or exchanged.",
		"Прочитајте отисак наглас са овог листа, групу по групу, док друго лице гледа у екран. Означите поља само ако је свих шеснаест група исто. Ако се једна разликује, станите: кључ је помешан или замењен."}
	notSecret = phrase{
		"Nothing on this sheet is secret. The passphrase never belongs on it.",
		"На овом листу нема тајних података. Лозинка се никада не уписује на њега."}
)

// KeySheet is the paper that the owner of a key brings, from which it is read.
func KeySheet(s Script, k *Key) *Sheet {
	sheet := &Sheet{script: s, title: phrase{"Sheet of a key", "Лист кључа"}}
	role := roleNames[k.Role]
	if k.Role == "" {
		role = phrase{"not told", "није наведено"}
	}
	sheet.add(part{kind: fact, label: phrase{"Kind of key", "Врста кључа"}, phrase: role})
	if k.Inst != "" {
		sheet.add(part{kind: fact, label: inst, text: k.Inst})
	}
	if k.Officer != "" {
		sheet.add(part{kind: fact, label: phrase{"Officer", "Службеник"}, text: k.Officer})
	}
	sheet.add(part{kind: paragraph, phrase: howToRead}, part{kind: fingerprint, label: ownerKey, text: k.Digest()})
	if k.Role == Custodian && k.Rcp != "" {
		sheet.add(part{kind: fingerprint, label: phrase{"Fingerprint of the key that opens", "Отисак кључа који отвара"}, text: directory.RecipientHash(k.Rcp)})
	}
	sheet.add(
		part{kind: heading, label: phrase{"The owner confirms", "Власник потврђује"}},
		part{kind: check, phrase: phrase{"I made this key myself, on a computer that I trust.", "Кључ је направљен лично, на рачунару од поверења."}},
		part{kind: check, phrase: phrase{"The passphrase is written on paper and kept apart from the computer.", "Лозинка је записана на папиру и чува се одвојено од рачунара."}},
		part{kind: check, phrase: phrase{"A copy of the keystore is kept in another place.", "Копија датотеке са кључем чува се на другом месту."}},
		part{kind: fill, label: nameHand}, part{kind: fill, label: place}, part{kind: fill, label: date}, part{kind: signature, label: byHand},
		part{kind: heading, label: phrase{"Who compared it", "Ко је упоредио"}},
		part{kind: fill, label: nameHand}, part{kind: signature, label: byHand},
		part{kind: paragraph, phrase: notSecret})
	return sheet
}

// Annex is the annex of the agreement: what the council laid down, with the hash
// by which everybody recognises it. It hangs on the wall of each institution.
func Annex(s Script, g *directory.Genesis, hash string) *Sheet {
	sheet := &Sheet{script: s, title: phrase{"Annex of the agreement: keys of the exchange", "Прилог споразума: кључеви система за размену"}}
	if g.Demo {
		sheet.add(part{kind: paragraph, phrase: phrase{"REHEARSAL. Nothing in it is safe, and nothing in it counts.", "ПРОБА. Ништа у њој није безбедно и ништа се не рачуна."}})
	}
	sheet.add(
		part{kind: fact, label: phrase{"Directory", "Именик"}, text: g.Name},
		part{kind: fact, label: phrase{"Made on", "Сачињено"}, text: time.UnixMilli(g.At).UTC().Format("2006-01-02 15:04 UTC")},
		part{kind: fingerprint, label: phrase{"Genesis hash", "Отисак почетног записа"}, text: hash},
		part{kind: paragraph, phrase: phrase{
			"Whoever sets up a program compares this hash with the one on the screen. An exchange with another hash is not this one.",
			"Ко подешава програм, упоређује овај отисак са оним на екрану. Систем са другим отиском није овај систем."}},
		part{kind: heading, label: phrase{"Council", "Савет"}},
		part{kind: paragraph, phrase: decides(g.Council.K, len(g.Council.Keys))})
	for i, k := range g.Council.Keys {
		sheet.add(part{kind: fingerprint, label: numberedPhrase(phrase{"Council key", "Кључ савета"}, i), text: Digest(k)},
			part{kind: fill, label: nameHand})
	}
	sheet.add(part{kind: heading, label: phrase{"Delegates of the council", "Овлашћена лица савета"}})
	for i, d := range g.Delegates {
		sheet.add(part{kind: fingerprint, label: numberedPhrase(phrase{"Delegate", "Овлашћено лице"}, i), text: Digest(d.Key)},
			part{kind: fact, label: inst, text: d.I}, part{kind: fill, label: nameHand})
	}
	sheet.annexLogs(g)
	sheet.add(part{kind: heading, label: phrase{"Signed by hand", "Својеручни потписи"}},
		part{kind: paragraph, phrase: phrase{
			"Each member of the council confirms with this signature that the key above is hers or his, and that the hash was read aloud.",
			"Сваки члан савета овим потписом потврђује да је горе наведени кључ његов и да је отисак прочитан наглас."}},
		part{kind: fill, label: place}, part{kind: fill, label: date})
	for i := range g.Council.Keys {
		sheet.add(part{kind: signature, label: numberedPhrase(phrase{"Council member", "Члан савета"}, i)})
	}
	return sheet
}

func (sheet *Sheet) annexLogs(g *directory.Genesis) {
	sheet.add(
		part{kind: heading, label: phrase{"Logs and witnesses", "Евиденције и њихови сведоци"}},
		part{kind: fact, label: phrase{"Key of the directory's log", "Кључ евиденције именика"}, text: g.Logs.Dir},
		part{kind: fact, label: phrase{"Key of the evidence log", "Кључ евиденције доказа"}, text: g.Logs.Ev})
	for i, w := range g.Witnesses {
		sheet.add(part{kind: fact, label: numberedPhrase(phrase{"Witness", "Сведок евиденције"}, i), text: w.Operator + "\n" + w.VKey})
	}
	if g.Quorum.Dir == directory.QuorumNone || g.Quorum.Ev == directory.QuorumNone {
		sheet.add(part{kind: paragraph, phrase: phrase{
			"NOBODY WATCHES: no witness must confirm the logs. Every proof says \"unwitnessed\".",
			"НИКО НЕ ПОТВРЂУЈЕ: ниједан сведок не мора да потврди евиденције. Сваки доказ носи ознаку „без сведока“."}})
	}
	for _, q := range []struct {
		label phrase
		text  string
	}{
		{phrase{"Quorum of the directory's log", "Кворум евиденције именика"}, g.Quorum.Dir},
		{phrase{"Quorum of the evidence log", "Кворум евиденције доказа"}, g.Quorum.Ev},
	} {
		sheet.add(part{kind: fact, label: q.label, text: strings.TrimSpace(q.text)})
	}
}

func decides(k, n int) phrase {
	return phrase{fmt.Sprintf("%d of %d keys decide.", k, n), fmt.Sprintf("Одлучују кључеви: %d од %d.", k, n)}
}

func numberedPhrase(p phrase, i int) phrase {
	n := " " + strconv.Itoa(i+1)
	return phrase{p.en + n, p.sr + n}
}

// JoinSheet is the paper of an institution that joins: its root keys, which the
// delegates compare.
func JoinSheet(s Script, b *directory.InstJoin) *Sheet {
	sheet := &Sheet{script: s, title: phrase{"Request of an institution to join", "Захтев институције за приступање"}}
	sheet.add(part{kind: fact, label: inst, text: b.I},
		part{kind: fill, label: phrase{"Name of the institution (by hand)", "Назив институције (руком)"}},
		part{kind: paragraph, phrase: howToRead},
		part{kind: heading, label: phrase{"Root keys", "Коренски кључеви"}},
		part{kind: paragraph, phrase: decides(b.Root.K, len(b.Root.Keys))})
	for i, k := range b.Root.Keys {
		sheet.add(part{kind: fingerprint, label: numberedPhrase(phrase{"Root key", "Коренски кључ"}, i), text: Digest(k)}, part{kind: fill, label: nameHand})
	}
	sheet.add(part{kind: heading, label: phrase{"The institution confirms", "Институција потврђује"}},
		part{kind: check, phrase: phrase{"Each root key was made by the person named above and is kept in a place of its own.", "Сваки коренски кључ направило је горе наведено лице и чува се на засебном месту."}},
		part{kind: check, phrase: phrase{"The genesis hash on our screens is that of the annex.", "Отисак почетног записа на нашим екранима исти је као у прилогу споразума."}},
		part{kind: fill, label: place}, part{kind: fill, label: date},
		part{kind: signature, label: phrase{"Head of the institution", "Руководилац институције"}},
		part{kind: heading, label: phrase{"Delegates who compared the fingerprints", "Овлашћена лица која су упоредила отиске"}},
		part{kind: signature, label: numberedPhrase(phrase{"Delegate", "Овлашћено лице"}, 0)},
		part{kind: signature, label: numberedPhrase(phrase{"Delegate", "Овлашћено лице"}, 1)},
		part{kind: paragraph, phrase: notSecret})
	return sheet
}

// EnrolmentSheet is the paper that an officer brings to two registrars.
func EnrolmentSheet(s Script, b *directory.OfficerEnrol) *Sheet {
	sheet := &Sheet{script: s, title: phrase{"Enrolment of an officer", "Упис службеника"}}
	sheet.add(part{kind: fact, label: phrase{"Officer", "Службеник"}, text: b.U}, part{kind: fact, label: inst, text: b.I},
		part{kind: fact, label: phrase{"Roles", "Улоге"}, text: strings.Join(b.Roles, ", ")},
		part{kind: fact, label: phrase{"Valid", "Важи"}, text: time.UnixMilli(b.NB).UTC().Format(time.DateOnly) + " – " + time.UnixMilli(b.NA).UTC().Format(time.DateOnly)},
		part{kind: paragraph, phrase: howToRead},
		part{kind: fingerprint, label: ownerKey, text: Digest(b.Ed)},
		part{kind: fill, label: nameHand}, part{kind: signature, label: byHand})
	for i := range 2 {
		sheet.add(part{kind: heading, label: numberedPhrase(phrase{"Registrar", "Регистратор"}, i)},
			part{kind: check, phrase: phrase{"The person is here, and I saw the ID card.", "Лице је присутно и увид у личну карту је извршен."}},
			part{kind: check, phrase: phrase{"The fingerprint on the screen is the one on this sheet.", "Отисак на екрану исти је као на овом листу."}},
			part{kind: fill, label: date}, part{kind: fill, label: whoCompar}, part{kind: signature, label: byHand})
	}
	sheet.add(part{kind: paragraph, phrase: notSecret})
	return sheet
}

// StatementSheet is the paper for any other statement: its words, and the
// fingerprint of its text, so that all who sign know that they sign the same.
// The words are English, as on the screen.
func StatementSheet(s Script, w Words, digest string) *Sheet {
	sheet := &Sheet{script: s, title: phrase{"A statement to be signed", "Изјава за потписивање"}}
	sheet.add(part{kind: paragraph, phrase: phrase{w.Title, w.Title}})
	for _, l := range w.Lines {
		sheet.add(part{kind: fact, label: phrase{l.Label, l.Label}, text: l.Text})
	}
	for _, warning := range w.Warnings {
		sheet.add(part{kind: paragraph, phrase: phrase{"! " + warning, "! " + warning}})
	}
	sheet.add(part{kind: fingerprint, label: phrase{"Fingerprint of its text", "Отисак текста"}, text: digest},
		part{kind: fill, label: date}, part{kind: signature, label: byHand}, part{kind: signature, label: byHand})
	return sheet
}
