package scenario

import (
	"fmt"
	"strings"
	"time"

	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

// phrases are the sentences of a story. Serbian uses no names of offices inside
// a sentence, so that none needs to be declined.
var phrases = map[string]Text{
	"send":          {"%s → %s: %s. Basis: %s.", "%s → %s: %s. Основ: %s."},
	"set":           {"One act, %d messages, accepted together or not at all:", "Једна радња, %d порука, примљене заједно или ниједна:"},
	"files":         {"Attachments: %d, %d bytes, sealed for the recipients alone.", "Прилози: %d, %d бајтова, запечаћени само за примаоце."},
	"read":          {"%s signs for it and opens it: %s.", "%s потврђује пријем и отвара: %s."},
	"retrieve":      {"%s signs for it: %s.", "%s потврђује пријем: %s."},
	"attest":        {"%s puts on record what happened off the system: %s, %s, %s (%s).", "%s бележи шта је учињено ван система: %s, %s, %s (%s)."},
	"letter":        {"a letter", "писмо"},
	"link":          {"%s notes that %d case handles are one matter. Nobody else learns of it.", "%s бележи да су %d ознаке предмета један предмет. За то нико други не сазнаје."},
	"consent":       {"%s records: consent %s, version %d. May receive: %s.", "%s бележи: сагласност – %s, верзија %d. Могу да приме: %s."},
	"nobody":        {"nobody", "нико"},
	"cosign":        {"Second signature: %s.", "Други потпис: %s."},
	"grant":         {"%s lets a representative read the record of the person until %s: %s.", "%s омогућава пуномоћнику увид у запис о лицу до %s: %s."},
	"end-grant":     {"%s ends the grant: %s.", "%s окончава увид: %s."},
	"exclude":       {"%s records a conflict of interest. It takes effect at once.", "%s бележи сукоб интереса. Дејствује одмах."},
	"silence":       {"%s puts the silence on record, with its proof: %s.", "%s бележи да одговора нема, са доказом: %s."},
	"issue":         {"%s issues a document from the record: %s. Its digest is in the ledger.", "%s издаје исправу из записа: %s. Њен отисак је у књизи."},
	"look":          {"%s reads the record: versions of consents: %d, disclosures: %d, withheld: %d.", "%s врши увид у запис: верзија сагласности: %d, достављања: %d, задржано: %d."},
	"join":          {"%s: a new officer, signed in by two registrars.", "%s: нови службеник, уписан од два регистратора."},
	"leave":         {"%s: an officer leaves. One registrar revokes the key.", "%s: службеник одлази. Један регистратор опозива кључ."},
	"lost":          {"%s: a computer is lost. The key is revoked; two registrars sign a new one.", "%s: изгубљен рачунар. Кључ је опозван; нови уписују два регистратора."},
	"rotate":        {"%s makes a new key of the desk, for those who are there now.", "%s израђује нови кључ јединице, за оне који су сада ту."},
	"acknowledge":   {"%s: a second person confirms the new key. Senders use it from now on.", "%s: друго лице потврђује нови кључ. Пошиљаоци га од сада користе."},
	"share":         {"%s hands earlier keys of the desk to a colleague, on record.", "%s предаје раније кључеве јединице колегиници, уз запис."},
	"steal":         {"%s: somebody copies an officer's keys.", "%s: неко копира кључеве службеника."},
	"accept":        {"%s: an officer looks at who was added, and finds it right.", "%s: службеник проверава ко је додат и налази да је у реду."},
	"custodians":    {"%s: the institution's root names custodians, %d of %d of whom can recover a desk.", "%s: корен институције именује чуваре; %d од %d могу да врате кључеве јединице."},
	"ask-recovery":  {"%s: custodian %d asks, on record, that the desk's keys be opened.", "%s: чувар %d тражи, уз запис, да се кључеви јединице отворе."},
	"ask-rehearsal": {"%s: custodian %d asks, on record, for a rehearsal.", "%s: чувар %d тражи, уз запис, пробу."},
	"decline":       {"%s: custodian %d takes no part, on record.", "%s: чувар %d одбија учешће, уз запис."},
	"recovery":      {"%s: the custodians take their turns; the officer has the keys of the desk again.", "%s: чувари редом скидају слојеве; службеник опет има кључеве јединице."},
	"rehearsal":     {"%s: the custodians take their turns; the keys come out right, and nobody keeps them.", "%s: чувари редом скидају слојеве; кључеви су исправни, и нико их не задржава."},
	"cheat":         {"Whoever runs the exchange answers with a key of its own.", "Ко води размену, одговара сопственим кључем."},
	"honest":        {"Whoever runs the exchange answers honestly again.", "Ко води размену, опет одговара поштено."},
	"opened":        {"Owed from now on: %s. %s → %s, until %s.", "Од сада се дугује: %s. %s → %s, до %s."},
	"opened-no":     {"Owed from now on: %s. %s → %s; its term has not begun.", "Од сада се дугује: %s. %s → %s; рок још није почео."},
	"overdue":       {"NO REPLY RECORDED: %s. %s → %s, late since %s.", "НИЈЕ ЗАБЕЛЕЖЕН ОДГОВОР: %s. %s → %s, касни од %s."},
	"because":       {"why: %s", "зашто: %s"},
	"refused":       {"Refused by the %s (%s): %s", "Одбија %s (%s): %s"},
	"exchange":      {"exchange", "размена"},
	"program":       {"sender's own program", "програм пошиљаоца"},
	"person":        {"the person", "лице"},
	"rep":           {"Representative", "Пуномоћник"},
	"end-of":        {"the end of %s", "краја дана %s"},
	"held":          {"%d expectations hold", "Очекивања испуњено: %d"},
	"missing":       {"Missing replies on %s: %d", "Изостали одговори на дан %s: %d"},
	"what":          {"what", "шта"},
	"owed-by":       {"owed by", "дугује"},
	"owed-to":       {"to", "коме"},
	"since":         {"late since", "касни од"},
	"days":          {"days", "дана"},
	"level":         {"level", "степен"},
	"levels":        {"Level: the highest step of escalation on record; - for none. Days are local days begun since the last day in time.", "Степен: највиши забележени степен обраћања; - ако га нема. Дани су започети дани после последњег дана рока."},
	"ledger":        {"%d institutions with %d desks; the ledger holds %d entries of the directory and %d of evidence.", "Институција: %d, јединица: %d; у књизи је %d уноса именика и %d уноса доказа."},
}

var weekdays = [...]Text{{"Sun", "нед."}, {"Mon", "пон."}, {"Tue", "уто."}, {"Wed", "сре."}, {"Thu", "чет."}, {"Fri", "пет."}, {"Sat", "суб."}}

// say puts arguments into a phrase, each a Text, a string or a number.
func say(key string, args ...any) Text {
	p := phrases[key]
	return Text{EN: fmt.Sprintf(p.EN, in("en", args)...), SR: fmt.Sprintf(p.SR, in("sr", args)...)}
}

func in(lang string, args []any) []any {
	list := make([]any, 0, len(args))
	for _, a := range args {
		if t, ok := a.(Text); ok {
			a = t.In(lang)
		}
		list = append(list, a)
	}
	return list
}

// In is the text in a language: en, or sr in Cyrillic.
func (t Text) In(lang string) string {
	if lang == "en" {
		return t.EN
	}
	return t.SR
}

func textOf(t rules.Text) Text { return Text{EN: t.EN, SR: t.SR} }

// deskText is how people call a desk.
func (c *cast) deskText(d *demo.Desk) Text {
	if d.Fn == directory.Rep {
		return phrases["rep"]
	}
	inst := d.Member.Institution
	fn, ok := c.f.pack.Function(d.Fn)
	if !ok {
		return Text{EN: inst.NameEN, SR: inst.NameSR}
	}
	return Text{EN: inst.NameEN + " (" + lower(fn.Name.EN) + ")", SR: inst.NameSR + " (" + lower(fn.Name.SR) + ")"}
}

func lower(s string) string {
	r := []rune(s)
	if len(r) == 0 {
		return s
	}
	return strings.ToLower(string(r[0])) + string(r[1:])
}

// partyText is a desk by its identifier, or the person.
func (c *cast) partyText(id string) Text {
	if d, ok := c.w.DeskByID(id); ok {
		return c.deskText(d)
	}
	if statement.IsID(id, statement.Person) {
		return phrases["person"]
	}
	return Text{EN: id, SR: id}
}

func (c *cast) actorText(name string) Text {
	if d, ok := c.desks[name]; ok {
		return c.deskText(d)
	}
	return phrases["person"]
}

// instText is an institution, or the desk of one.
func (c *cast) instText(id string) Text {
	for _, m := range c.w.Members {
		if m.ID == id {
			return Text{EN: m.NameEN, SR: m.NameSR}
		}
	}
	return c.partyText(id)
}

func (c *cast) kindText(code string) Text {
	if k, ok := c.f.pack.Kind(code); ok {
		return textOf(k.Name)
	}
	return phrases["letter"]
}

func (c *cast) ruleText(code string) Text {
	if r, ok := c.f.pack.Rule(code); ok {
		return textOf(r.Name)
	}
	return Text{EN: code, SR: code}
}

func (c *cast) basisText(code, ref string) Text {
	b, ok := c.f.pack.Basis(code)
	if !ok {
		return Text{EN: code, SR: code}
	}
	t := textOf(b.Name)
	if ref != "" {
		t.EN, t.SR = t.EN+", "+ref, t.SR+", "+ref
	}
	return t
}

// join puts texts into a list.
func list(texts []Text) Text {
	var en, sr []string
	for _, t := range texts {
		en, sr = append(en, t.EN), append(sr, t.SR)
	}
	return Text{EN: strings.Join(en, "; "), SR: strings.Join(sr, "; ")}
}

// dayText is a day, momentText a day and time of day.
func dayText(at time.Time) Text {
	w := weekdays[at.Weekday()]
	return Text{EN: w.EN + " " + at.Format("2 Jan 2006"), SR: w.SR + " " + at.Format("02.01.2006.")}
}

func momentText(ms int64, loc *time.Location) Text {
	at := time.UnixMilli(ms).In(loc)
	d, clock := dayText(at), at.Format("15:04")
	return Text{EN: d.EN + " " + clock, SR: d.SR + " " + clock}
}

// untilText is a due time as people say it: midnight is the end of the day
// before.
func untilText(ms int64, loc *time.Location) Text {
	at := time.UnixMilli(ms).In(loc)
	if at.Hour() == 0 && at.Minute() == 0 {
		return say("end-of", dayText(at.Add(-time.Second)))
	}
	return momentText(ms, loc)
}
