package rules

import (
	"strings"
	"testing"
)

// edit replaces the first occurrence of each old text, which must be there.
func edit(t testing.TB, src string, edits ...[2]string) string {
	t.Helper()
	for _, e := range edits {
		if !strings.Contains(src, e[0]) {
			t.Fatalf("the pack has no %q", e[0])
		}
		src = strings.Replace(src, e[0], e[1], 1)
	}
	return src
}

// A refusal is a pack with one thing wrong: what to change, and what Parse must
// say about it, path and advice.
type refusal struct {
	name, old, new string
	want           string
}

func run(t *testing.T, pack string, cases []refusal) {
	t.Helper()
	base := file(t, pack)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			src := edit(t, base, [2]string{c.old, c.new})
			p, err := Parse("p.toml", []byte(src))
			if err == nil || p != nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("says\n%v\nwant\n%s", err, c.want)
			}
		})
	}
}

func TestRefusesFormat(t *testing.T) {
	run(t, "xx-demo.toml", []refusal{
		{"unknown member", `country = "XX"`, `country = "XX"` + "\n" + `capital = "X"`, "p.toml:8: capital: no such member in a pack"},
		{"unknown nested member", `shift = "none"`, `shift = "none"` + "\n" + `grace = 3`, "rule[0].due[0].grace: no such member"},
		{"unknown table", "[calendar]", "[almanac]\nx = 1\n[calendar]", "almanac"},
		{"member in another case", `country = "XX"`, `Country = "XX"`, `key "Country" is not spelt in lower-case`},
		{"two spellings of a member", `country = "XX"`, "country = \"XX\"\nCOUNTRY = \"YY\"", `key "COUNTRY" is not spelt in lower-case`},
		{"not TOML", `country = "XX"`, `country = XX`, "p.toml:7: unexpected character"},
		{"text for a number", `version = 1`, `version = "1"`, "version"},
		{"duplicate member", `version = 1`, "version = 1\nversion = 1", "version"},
		{"family", `family = "xx-demo"`, `family = "XX"`, `family: "XX@1" is not the id of a pack; give family a code`},
		{"version zero", `version = 1`, `version = 0`, `family: "xx-demo@0" is not the id of a pack`},
		{"country", `country = "XX"`, `country = "Xx"`, "country: \"Xx\" is not two capital letters"},
		{"domain", `domain = "demo"`, `domain = "a b"`, `domain: "a b" is not a code`},
		{"date", `"2026-01-01"`, `"2026-02-30"`, `effective_from: "2026-02-30" is not a date; write YYYY-MM-DD`},
		{"zone", `"Etc/UTC"`, `"Etc/Nowhere"`, `zone: "Etc/Nowhere" is no time zone`},
		{"zone of the machine", `"Etc/UTC"`, `"Local"`, `zone: "Local" is no time zone`},
		{"empty zone", `"Etc/UTC"`, `""`, `zone: "" is no time zone`},
	})
}

func TestRefusesText(t *testing.T) {
	run(t, "xx-demo.toml", []refusal{
		{"no English", `{en = "Harbour office", sr`, `{sr`, "type[0].name.en: is missing; every text is in English and in Serbian Cyrillic"},
		{"no Serbian", `sr = "Лучка канцеларија"`, `sr = " "`, "type[0].name.sr: is missing"},
		{"Serbian in Latin", `"Лучка канцеларија"`, `"Lučka kancelarija"`, "type[0].name.sr: \"Lučka kancelarija\" is not Cyrillic; type the Cyrillic"},
		{"a Latin letter inside", `"Лучка канцеларија"`, `"Лучка кaнцеларија"`, `"кaнцеларија" mixes Cyrillic and other letters`},
		{"a Russian letter inside", `"Лучка канцеларија"`, `"Лучкай"`, `"Лучкай" mixes Cyrillic and other letters`},
		{"line break", `"Harbour office"`, `"Harbour\noffice"`, "type[0].name.en: contains a line break"},
		{"right-to-left mark", `"Harbour office"`, "\"Harbour \u202eoffice\"", "type[0].name.en: contains a line break or a character that does not print"},
		{"too long", `"Harbour office"`, `"` + strings.Repeat("x", maxText+1) + `"`, "type[0].name.en: 601 characters, at most 600"},
		{"not a code", `code = "guild"`, `code = "Guild"`, `type[2].code: "Guild" is not a code; use 1 to 40 lower-case letters, digits and hyphens`},
		{"code of 41", `code = "passage"`, `code = "` + strings.Repeat("x", 41) + `"`, "is not a code"},
		{"duplicate code", `code = "guild"`, `code = "magistrate"`, `type[2]: code "magistrate" is there twice`},
		{"duplicate category", `code = "berth"`, `code = "name"`, `category[1]: code "name" is there twice`},
		{"duplicate kind", `code = "bulletin"`, `code = "ruling"`, `kind[ruling]: code "ruling" is there twice`},
		{"duplicate rule", `code = "let-go"`, `code = "monthly-word"`, `code "monthly-word" is there twice`},
		{"telling code", `code = "guild"`, `code = "victim-guild"`, `type[2].code: code "victim-guild" contains the telling word "victim"`},
		{"telling code in Serbian", `code = "peril"`, `code = "zrtva"`, `contains the telling word "zrtva"`},
		{"telling value of a fact", `values = ["high", "low"]`, `values = ["high", "low", "abused"]`, `kind[concern].fact[0]: code "abused" contains the telling word "abused"`},
		{"telling warning", `id = "low-water"`, `id = "low-violence"`, `warning[0].id: code "low-violence" contains the telling word "violence"`},
	})
}

func TestRefusesSources(t *testing.T) {
	run(t, "xx-demo.toml", []refusal{
		{"no source", "name = {en = \"Guild\", sr = \"Еснаф\"}\nsource = {kind = \"assumption\", ref = \"invented\"}", "name = {en = \"Guild\", sr = \"Еснаф\"}",
			`type[2].source: is missing; say where this comes from: source = {kind = "law" | "study" | "practice" | "assumption", ref = "…"}`},
		{"unknown kind of source", `source = {kind = "law", ref = "Week Act s. 1"}`, `source = {kind = "rumour", ref = "x"}`, `calendar.source.kind: "rumour" is not one of law, study, practice, assumption`},
		{"empty ref", `ref = "Week Act s. 1"`, `ref = " "`, "calendar.source.ref: is empty; name the article"},
		{"no kind of source", `kind = "law", ref = "Week Act s. 1"`, `ref = "Week Act s. 1"`, "calendar.source.kind: is missing; write one of law, study, practice, assumption"},
		{"number without a source", `shift = "none"` + "\n" + `source = {kind = "practice", ref = "half a watch"}`, `shift = "none"`, "rule[ack].due[0].source: is missing"},
		{"remind_before without a source", `{amount = 15, unit = "min", source = {kind = "practice", ref = "a quarter of an hour"}}`, `{amount = 15, unit = "min"}`, "chain[bell].remind_before.source: is missing"},
		{"no amount", `{amount = 15, unit = "min", source = {kind = "practice", ref = "a quarter of an hour"}}`, `{}`, "chain[bell].remind_before: is missing; write {amount = …, unit = \"…\", source = {…}}"},
		{"amount zero", `amount = 45`, `amount = 0`, "rule[ack].due[0].amount: 0 is not an amount of time; write 1 or more"},
		{"negative amount", `amount = 45`, `amount = -45`, "rule[ack].due[0].amount: -45 is not an amount"},
		{"unit", `unit = "min"` + "\nurgency", `unit = "m"` + "\nurgency", `rule[ack].due[0].unit: "m" is not one of min, h, cd, wd, mo`},
		{"too long a term", `amount = 45`, `amount = 10081`, "rule[ack].due[0].amount: 10081 min is more than 10080"},
	})
	if _, err := Parse("p.toml", []byte(edit(t, file(t, "xx-demo.toml"), [2]string{`amount = 45`, `amount = 10080`}))); err != nil {
		t.Errorf("the longest term: %v", err)
	}
}

func TestRefusesLists(t *testing.T) {
	run(t, "xx-demo.toml", []refusal{
		{"no representative", "code = \"representative\"", "code = \"speaker\"", `type: there is no type "representative"`},
		{"no rep", "code = \"rep\"", "code = \"speaker\"", `function: there is no function "rep"`},
		{"use of a reason", `for = ["extend", "suspend", "necessity", "hold"]`, `for = ["delay"]`, `reason[0].for: "delay" is not one of extend, suspend`},
		{"reason for nothing", `for = ["extend", "suspend", "necessity", "hold"]`, `for = []`, "reason[0].for: is empty"},
		{"weekday", `weekend = ["friday"]`, `weekend = ["freitag"]`, `calendar.weekend: "freitag" is not one of monday`},
		{"no working day", `weekend = ["friday"]`, `weekend = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]`, "calendar.weekend: leaves no working day"},
		{"no day", "month = 2\nday = 29", "month = 2\nday = 30", "calendar.holiday[1]: month 2, day 30 is no day"},
		{"no month", "month = 2\nday = 29", "day = 29", "month 0, day 29 is no day"},
		{"Easter of nobody", `easter = "western"`, `easter = "julian"`, `calendar.holiday[0].easter: "julian" is not one of orthodox, western`},
		{"Easter and a date", `easter = "western"`, "easter = \"western\"\nmonth = 4\nday = 1", "calendar.holiday[0]: has a day of the month and a distance from Easter; keep one"},
		{"far from Easter", "offset = 1", "offset = 71", "calendar.holiday[0].offset: 71 days from Easter; at most 70"},
		{"offset of a date", "month = 2\nday = 29", "month = 2\nday = 29\noffset = 1", "calendar.holiday[1].offset: counts from Easter"},
		{"same holiday", "month = 9\nday = 14", "month = 2\nday = 29", "calendar.holiday[2]: 2-29 is there twice"},
		{"remind percent", "remind_percent = 50", "remind_percent = 100", "chain[bell].remind_percent: 100 is not a part of the term"},
		{"step to nobody", `to = ["obligee-head"]`, `to = ["press"]`, `chain[watch].step[1].to: "press" is not one of obligor, obligee`},
		{"step to none", `to = ["obligee-head"]`, `to = []`, "chain[watch].step[1].to: is empty"},
		{"step to a function that is not there", `to = ["obligee-head"]`, `to = ["obligee-supervision"]`, `"obligee-supervision" goes to desks of function supervision, which this pack lacks`},
	})
}

func TestRefusesKinds(t *testing.T) {
	nine := `values = ["high", "low", "c", "d", "e", "f", "g", "h", "i"]`
	fact := "\n[[kind.fact]]\ncode = \"wind\"\nvalues = [\"n\"]\nreason = \"x\"\n\n[[kind.field]]"
	run(t, "xx-demo.toml", []refusal{
		{"track", `track = "assistance"`, `track = "tourism"`, `kind[concern].track: "tourism" is not one of criminal, assistance, identification, rights`},
		{"urgency", `urgency = ["R", "I"]`, `urgency = ["R", "X"]`, `kind[concern].urgency: "X" is not one of I, U, R`},
		{"no urgency", `urgency = ["R", "I"]`, `urgency = []`, "kind[concern].urgency: is empty"},
		{"re", `re = "none"`, `re = "maybe"`, `kind[concern].re: "maybe" is not one of none, optional, required`},
		{"occurred", `occurred = "optional"`, `occurred = ""`, "kind[concern].occurred: is missing; write one of none, optional, required"},
		{"role", `roles = ["member"]`, `roles = ["captain"]`, `kind[concern].roles: "captain" is not one of member, duty`},
		{"category", `categories = ["name", "berth"]`, `categories = ["name", "cargo"]`, `kind[concern].categories: no category "cargo" in this pack; add a [[category]] with that code, or correct the reference`},
		{"category twice", `categories = ["name", "berth"]`, `categories = ["name", "name"]`, `kind[concern].categories: "name" is there twice`},
		{"value", `values = ["known"]`, `values = ["guessed"]`, `kind[ruling].values: no value "guessed"`},
		{"caseless answer", "caseless = true\nre = \"none\"", "caseless = true\nre = \"required\"", "kind[bulletin].re: a caseless kind answers nothing"},
		{"nine values", `values = ["high", "low"]`, nine, "kind[concern].fact[0].values: 9 values, 1 to 8; the operator sees every one"},
		{"no values", `values = ["high", "low"]`, `values = []`, "kind[concern].fact[0].values: 0 values, 1 to 8"},
		{"fact without a reason", `reason = "At high tide the harbour answers within the hour."`, `reason = ""`, "kind[concern].fact[0].reason: is missing; a fact is visible to the operator, say why a rule must see it"},
		{"fact nobody reads", "\n[[kind.field]]", fact, `kind[concern].fact[1]: no rule or warning reads fact "wind" of kind concern`},
		{"fact twice", "\n[[kind.field]]", strings.ReplaceAll(fact, "wind", "tide"), `kind[concern].fact[1]: code "tide" is there twice`},
		{"nine facts", "\n[[kind.field]]", strings.Repeat("\n[[kind.fact]]\ncode = \"wind\"\nvalues = [\"n\"]\nreason = \"x\"\n", 8) + "\n[[kind.field]]", "kind[concern].fact: 9 facts, at most 8"},
		{"65 fields", "\n[[kind.field]]", strings.Repeat("\n[[kind.field]]\ncode = \"x\"\ntype = \"line\"\n", 63) + "\n[[kind.field]]", "kind[concern].field: 65 fields, at most 64"},
		{"field is also a fact", `code = "weather"`, `code = "tide"`, `kind[concern].field[1].code: "tide" is a visible fact of this kind too`},
		{"field called body", `code = "account"`, `code = "body"`, "kind[concern].field[0].code: every message has a body already"},
		{"type of field", `type = "text"`, `type = "number"`, `kind[concern].field[0].type: "number" is not one of text, line, date, code`},
		{"field without bound", "required = true\nmax = 4096", "required = true", "kind[concern].field[0].max: 0 bytes; write 1 … 65536"},
		{"field too large", "max = 4096", "max = 65537", "kind[concern].field[0].max: 65537 bytes; write 1 … 65536"},
		{"text with values", "max = 4096", "max = 4096\nvalues = [\"a\"]", "kind[concern].field[0].values: only a field of type code has values"},
		{"code without values", `values = ["fair", "foul"]`, ``, "kind[concern].field[1].values: is empty"},
		{"code with a bound", `values = ["fair", "foul"]`, "values = [\"fair\", \"foul\"]\nmax = 3", "kind[concern].field[1].max: a field of type code is bounded by its values"},
	})
	if _, err := Parse("p.toml", []byte(edit(t, file(t, "xx-demo.toml"),
		[2]string{`values = ["high", "low"]`, strings.Replace(nine, `, "i"`, "", 1)}, [2]string{"max = 4096", "max = 65536"}))); err != nil {
		t.Errorf("eight values and the largest field: %v", err)
	}
}

func TestRefusesMatrix(t *testing.T) {
	run(t, "xx-demo.toml", []refusal{
		{"kind", `kind = "bulletin"`, `kind = "poster"`, `matrix[poster].kind: no kind "poster" in this pack`},
		{"kind without a cell", `kind = "bulletin"`, `kind = "answer"`, `kind[bulletin]: no [[matrix]] cell permits kind "bulletin", so nobody could send it`},
		{"type", `from = ["guild", "representative"]` + "\nto", `from = ["gild", "representative"]` + "\nto", `matrix[concern].from: no type "gild"`},
		{"no type", `from = ["guild", "representative"]` + "\nto", `from = []` + "\nto", "matrix[concern].from: is empty; name institution types"},
		{"wildcard and more", `from = ["*"]`, `from = ["*", "guild"]`, `matrix[answer].from: "*" is every type already`},
		{"basis", `bases = ["leave", "peril"]`, `bases = ["leave", "favour"]`, `matrix[concern].bases: no basis "favour"`},
		{"no basis", `bases = ["leave", "peril"]`, `bases = []`, "matrix[concern].bases: is empty; a cell without a basis permits nothing"},
	})
}

func TestRefusesTriggers(t *testing.T) {
	high := `trigger = {kinds = ["concern"], facts = {tide = "high"}, from = ["guild", "representative"]}`
	run(t, "xx-demo.toml", []refusal{
		{"sealed field", high, `trigger = {kinds = ["concern"], facts = {weather = "foul"}, from = ["guild", "representative"]}`,
			"rule[answer-high].trigger.facts.weather: rule answer-high reads sealed field weather of kind concern: a rule sees only facts; declare it (declared = true, when = …) or permit a fact with a reason"},
		{"fact of no kind", high, `trigger = {kinds = ["concern"], facts = {moon = "new"}}`, `kind concern permits no fact "moon"; add a [[kind.fact]]`},
		{"fact of another kind", high, `trigger = {kinds = ["concern", "answer"], facts = {tide = "high"}}`, `rule[answer-high].trigger.facts.tide: kind answer permits no fact "tide"`},
		{"fact of any kind", high, `trigger = {kinds = ["*"], facts = {tide = "high"}}`, `kind bulletin permits no fact "tide"`},
		{"value of a fact", high, `trigger = {kinds = ["concern"], facts = {tide = "ebb"}}`, `fact "tide" of kind concern has no value "ebb"; its values are [high low]`},
		{"kind", high, `trigger = {kinds = ["worry"]}`, `rule[answer-high].trigger.kinds: no kind "worry"`},
		{"sender type", high, `trigger = {kinds = ["concern"], from = ["gild"]}`, `rule[answer-high].trigger.from: no type "gild"`},
		{"nothing", high, `trigger = {}`, "rule[answer-high].trigger: names kinds and events, or neither"},
		{"kind and event", high, `trigger = {kinds = ["concern"], events = ["consent.withdrawn"]}`, "names kinds and events, or neither"},
		{"event", `"consent.withdrawn", "consent.narrowed"`, `"consent.forgotten", "consent.narrowed"`, `rule[let-go].trigger.events: "consent.forgotten" is not one of consent.narrowed`},
		{"event with facts", `events = ["consent.withdrawn", "consent.narrowed", "consent.expired"]`, `events = ["consent.withdrawn"], from = ["guild"]`, "an event has neither facts nor a sender type"},
		{"any and more", `trigger = {kinds = ["*"]}`, `trigger = {kinds = ["*", "concern"]}`, `"*" is every kind already`},
		{"conditions undeclared", "declared = true\n", "", "rule tell-magistrate reads sealed field weather but is not declared; set declared = true, or compare a fact in trigger.facts"},
		{"declared without conditions", `when = [{field = "weather", in = ["foul"]}]`, ``, "rule[tell-magistrate].when: is missing; a declared rule says what the sender's program evaluates"},
		{"condition on no field", `{field = "weather"`, `{field = "mood"`, `rule[tell-magistrate].when[0].field: kind concern has no sealed field "mood"`},
		{"condition on free text", `{field = "weather", in = ["foul"]}`, `{field = "account", in = ["foul"]}`, "field account of kind concern is free text; only a field of type code"},
		{"condition on a fact", `{field = "weather", in = ["foul"]}`, `{field = "tide", in = ["low"]}`, `kind concern has no sealed field "tide"`},
		{"condition value", `in = ["foul"]`, `in = ["grey"]`, `field weather of kind concern has no value "grey"; its values are fair, foul`},
		{"condition without values", `in = ["foul"]`, `in = []`, "rule[tell-magistrate].when[0].in: is empty"},
		{"declared event", "code = \"let-go\"", "code = \"let-go\"\ndeclared = true\nwhen = [{field = \"x\", in = [\"y\"]}]", "rule[let-go].declared: an event carries no sealed fields"},
		{"warning reads sealed field", `facts = {tide = "low"}`, `facts = {weather = "fair"}`, "warning[0].facts.weather: warning low-water reads sealed field weather of kind concern: a rule sees only facts"},
		{"warning about nothing", "kinds = [\"bulletin\"]", "kinds = []", "warning[1].kinds: is empty"},
	})
}

func TestRefusesParties(t *testing.T) {
	filed := `obligee = {who = "filed", kind = "concern", types = ["guild"]}`
	served := "obligor = {who = \"sender\"}\nobligee = {who = \"person\"}"
	run(t, "xx-demo.toml", []refusal{
		{"who", filed, `obligee = {who = "whoever"}`, `rule[monthly-word].obligee.who: "whoever" is not one of sender, recipient`},
		{"filed what", filed, `obligee = {who = "filed"}`, `rule[monthly-word].obligee.kind: is missing; who = "filed" needs the kind that was filed`},
		{"filed no kind", filed, `obligee = {who = "filed", kind = "worry"}`, `rule[monthly-word].obligee.kind: no kind "worry"`},
		{"kind of a sender", filed, `obligee = {who = "sender", kind = "concern"}`, `rule[monthly-word].obligee.kind: belongs to who = "filed" only`},
		{"type of function", filed, `obligee = {who = "function", type = "gild", fn = "counter"}`, `rule[monthly-word].obligee.type: no type "gild"`},
		{"function", filed, `obligee = {who = "function", type = "guild", fn = "bar"}`, `rule[monthly-word].obligee.fn: no function "bar"`},
		{"function of a sender", filed, `obligee = {who = "sender", fn = "counter"}`, `type and fn belong to who = "function" only`},
		{"types and not", filed, `obligee = {who = "sender", types = ["guild"], not = ["magistrate"]}`, "types and not narrow the same list; keep one"},
		{"type in not", filed, `obligee = {who = "sender", not = ["gild"]}`, `rule[monthly-word].obligee.not: no type "gild"`},
		{"person owes", served, "obligor = {who = \"person\"}\nobligee = {who = \"sender\"}", "rule[serve-ruling].obligor.who: the person concerned owes nothing"},
		{"owes itself", served, "obligor = {who = \"sender\"}\nobligee = {who = \"sender\"}", "rule[serve-ruling].obligee.who: sender owes itself"},
		{"recorder of a message", served, "obligor = {who = \"sender\"}\nobligee = {who = \"recorder\"}", "recorder exists only for a change of consent"},
		{"sender of an event", `obligee = {who = "recorder"}`, `obligee = {who = "sender"}`, "rule[let-go].obligee.who: an event has no sender"},
		{"chain", "chain = \"watch\"\ntell", "chain = \"rope\"\ntell", `rule[tell-magistrate].chain: no chain "rope"`},
		{"tell", `tell = "never"`, `tell = "later"`, `rule[tell-magistrate].tell: "later" is not one of open, due, never`},
	})
}

func TestRefusesFulfilment(t *testing.T) {
	run(t, "xx-demo.toml", []refusal{
		{"kind", `fulfilled_by = ["answer", "ruling"]`, `fulfilled_by = ["shrug"]`, `rule[tell-magistrate].fulfilled_by: no kind "shrug"`},
		{"by nothing", `fulfilled_by = ["answer", "ruling"]`, `fulfilled_by = []`, "rule[tell-magistrate].fulfilled_by: is empty; name the kinds of message that fulfil the rule"},
		{"by opening", `fulfilled_by = ["answer", "ruling"]`, `fulfil_on = "opened"`, "rule[tell-magistrate].fulfil_on: opening a message answers nothing; only rule ack is fulfilled by it"},
		{"on a word", `fulfil_on = "handed-over"`, `fulfil_on = "delivered"`, `rule[serve-ruling].fulfil_on: "delivered" is not one of submitted, handed-over, opened`},
		{"ack missing", "fulfil_on = \"opened\"", "fulfil_on = \"opened\"\nmissing = true", "rule[ack].missing: an unopened message is not a missing reply"},
		{"interim kind", `interim_by = ["answer"]`, `interim_by = ["nod"]`, `rule[tell-magistrate].interim_by: no kind "nod"`},
		{"interim without a bound", "max_interim = 1\n", "", "rule[tell-magistrate].max_interim: 0; write 1 … 24"},
		{"bound without interim", "interim_by = [\"answer\"]\n", "", "rule[tell-magistrate].max_interim: 1; write 1 … 24"},
		{"too many interim", "max_interim = 1", "max_interim = 25", "rule[tell-magistrate].max_interim: 25; write 1 … 24"},
		{"nobody may fulfil", `fulfilled_by = ["answer", "ruling"]`, `fulfilled_by = ["concern"]`,
			"rule[tell-magistrate].fulfilled_by: magistrate would owe harbour-office, but no [[matrix]] cell permits [concern] from magistrate to harbour-office; add a cell, or narrow the parties"},
		{"nobody may tell the person", `to = ["harbour-office", "guild", "representative"]`, `to = ["harbour-office", "guild"]`, "magistrate would owe representative"},
		{"nobody may confirm", "events = [\"consent.withdrawn\", \"consent.narrowed\", \"consent.expired\"]}\nobligor = {who = \"removed\"}\nobligee = {who = \"recorder\"}\nfulfilled_by = [\"answer\"]",
			"events = [\"consent.withdrawn\"]}\nobligor = {who = \"removed\"}\nobligee = {who = \"recorder\"}\nfulfilled_by = [\"bulletin\"]", "guild would owe harbour-office"},
		{"period without an end", "ends_with = [\"ruling\"]\n", "", "rule[monthly-word].ends_with: is missing; say which kinds end the period"},
		{"end of no period", "every = {amount = 1, unit = \"mo\", source = {kind = \"practice\", ref = \"harbour custom\"}}\n", "", "rule[monthly-word].ends_with: ends a periodic rule only"},
		{"period of nothing", "every = {amount = 1,", "every = {amount = 0,", "rule[monthly-word].every.amount: 0 is not an amount"},
		{"statutory practice", "statutory = true\nchain = \"watch\"\nsource = {kind = \"law\"", "statutory = true\nchain = \"watch\"\nsource = {kind = \"practice\"", `rule[serve-ruling].statutory: a statutory rule needs source.kind = "law"`},
		{"statutory assumed number", "start = \"served\"\nshift = \"none\"\nsource = {kind = \"law\"", "start = \"served\"\nshift = \"none\"\nsource = {kind = \"assumption\"", "rule[serve-ruling].due[0].source.kind: the number of a statutory rule is law, this is assumption"},
	})
}

func TestRefusesDeadlines(t *testing.T) {
	run(t, "xx-demo.toml", []refusal{
		{"start", `start = "handed-over"`, `start = "someday"`, `rule[answer-high].due[0].start: "someday" is not one of consigned, handed-over, decided, served, event`},
		{"no start", `start = "handed-over"` + "\n", ``, "rule[answer-high].due[0].start: is missing"},
		{"no shift", "start = \"handed-over\"\nshift = \"none\"", "start = \"handed-over\"", "rule[answer-high].due[0].shift: is missing; write one of none, next-working-day"},
		{"shifted hour", "start = \"handed-over\"\nshift = \"none\"", "start = \"handed-over\"\nshift = \"next-working-day\"", "rule[answer-high].due[0].shift: a term in h ends where it ends"},
		{"shifted working days", "start = \"served\"\nshift = \"none\"", "start = \"served\"\nshift = \"next-working-day\"", "rule[serve-ruling].due[0].shift: a term in wd ends where it ends"},
		{"other's time", `start = "handed-over"`, `start = "decided"`, "rule[answer-high].due[0].start: decided is a time the trigger's sender claims, so only a duty of the sender may start at it"},
		{"event handed over", "unit = \"cd\"\nstart = \"consigned\"\nshift = \"none\"", "unit = \"cd\"\nstart = \"handed-over\"\nshift = \"none\"", "rule[let-go].due[0].start: an event has only its own time"},
		{"kind without its own time", "re = \"optional\"\noccurred = \"required\"", "re = \"optional\"\noccurred = \"none\"", "rule[serve-ruling].due[0].start: kind ruling carries no time of its own"},
		{"no deadline", "[[rule.due]]\namount = 1\nunit = \"h\"\nstart = \"handed-over\"\nshift = \"none\"\nsource = {kind = \"law\", ref = \"Code of Quays s. 5\"}\n", "", "rule[answer-high].due: is missing; a rule without a deadline is never overdue"},
		{"urgency", `urgency = "I"`, `urgency = "X"`, `rule[ack].due[0].urgency: "X" is not one of I, U, R`},
		{"urgency of no trigger", `urgency = "I"`, `urgency = "U"`, "rule[ack].due[0].urgency: no trigger of the rule may be sent with urgency U"},
		{"urgency not covered", "unit = \"h\"\nstart = \"handed-over\"", "unit = \"h\"\nurgency = \"R\"\nstart = \"handed-over\"", "rule[answer-high].due: has no deadline for urgency I of kind concern"},
		{"never reached", "urgency = \"I\"\n", "", "rule[ack].due[1]: is never reached; an earlier deadline already fits"},
		{"clock informed", "informed = {amount = 5, unit = \"wd\", start = \"handed-over\"", "informed = {amount = 5, unit = \"wd\", start = \"consigned\"", "clock[protest].informed.start: the clock of a person who was informed runs from handing over"},
		{"clock never", "never = {amount = 1, unit = \"mo\", start = \"served\"", "never = {amount = 1, unit = \"mo\", start = \"consigned\"", "clock[protest].never.start: the clock of a person who never was informed runs from the act"},
		{"clock kind", "kinds = [\"ruling\"]\nrule", "kinds = [\"rule\"]\nrule", `clock[protest].kinds: no kind "rule"`},
		{"clock of nothing", "kinds = [\"ruling\"]\nrule", "kinds = []\nrule", "clock[protest].kinds: is empty"},
		{"clock rule", `rule = "serve-ruling"`, `rule = "serve"`, `clock[protest].rule: no rule "serve" in this pack`},
		{"clock of another duty", `rule = "serve-ruling"`, `rule = "answer-high"`, "clock[protest].rule: rule answer-high does not inform the person by handing over"},
		{"clock without source", "source = {kind = \"law\", ref = \"Code of Quays s. 7\"}\n\n[[chain]]", "\n[[chain]]", "clock[protest].source: is missing"},
		{"clock number without source", "start = \"handed-over\", shift = \"none\", source = {kind = \"law\", ref = \"Code of Quays s. 7\"}}", "start = \"handed-over\", shift = \"none\"}", "clock[protest].informed.source: is missing"},
	})
}

func TestRefusesConsent(t *testing.T) {
	row := "acts = [\"requested\", \"given\", \"refused\"]"
	run(t, "xx-demo.toml", []refusal{
		{"longer than longest", "default = {amount = 30", "default = {amount = 91", "consent.default.amount: 91 cd is longer than consent.longest (90)"},
		{"guardian longer", "guardian_longest = {amount = 90", "guardian_longest = {amount = 91", "consent.guardian_longest.amount: 91 cd is longer"},
		{"mixed units", "default = {amount = 30, unit = \"cd\"", "default = {amount = 1, unit = \"mo\"", "consent.default.unit: is not the unit of consent.longest (cd)"},
		{"working days", "review = {amount = 10, unit = \"cd\"", "review = {amount = 10, unit = \"wd\"", "consent.review.unit: runs day and night, not in working days"},
		{"no reask", "reask = {amount = 3, unit = \"cd\", source = {kind = \"practice\", ref = \"harbour custom\"}}\n", "", "consent.reask: is missing"},
		{"no unknown age", "code = \"unknown\"", "code = \"old\"", `consent.age: has no band "unknown"; an age that nobody knows must be sayable`},
		{"child band", `child_band = "minor"`, `child_band = "kid"`, `consent.child_band: no consent.age "kid"`},
		{"unknown child band", `child_band = "minor"`, `child_band = "unknown"`, "consent.child_band: unknown counts as this band, so it must be another"},
		{"no forms", "[[consent.form]]\ncode = \"spoken\"\nname = {en = \"Spoken\", sr = \"Изговорена\"}\nsource = {kind = \"practice\", ref = \"harbour custom\"}\n", "", "consent.form: the pack has none"},
		{"grantor age", `age = ["minor"]`, `age = ["kid"]`, `consent.grantor[1].age: no consent.age "kid"`},
		{"grantor relation", `relations = ["keeper"]`, `relations = ["uncle"]`, `consent.grantor[1].relations: no consent.relation "uncle"`},
		{"grantor of nobody", `relations = ["keeper"]`, `relations = []`, "consent.grantor[1]: names no age band or no relation"},
		{"agreement without opinion", "opinion = true\nagreement = true", "opinion = false\nagreement = true", "consent.grantor[1].agreement: agreement is an opinion; set opinion = true too"},
		{"nobody gives", `age = ["of-age"]`, `age = ["minor"]`, `consent.age[1]: nobody may give for band "of-age"`},
		{"two grantor rows", "age = [\"minor\"]\nrelations = [\"keeper\"]", "age = [\"minor\", \"of-age\"]\nrelations = [\"self\"]", "consent.grantor[1]: relation self may give for band of-age by an earlier row"},
		{"grantor of unknown", `age = ["minor"]`, `age = ["minor", "unknown"]`, "consent.grantor: names band unknown, which counts as minor; remove it"},
		{"recorder act", row, `acts = ["given", "sung"]`, `consent.recorder[0].acts: "sung" is not one of requested, given`},
		{"recorder type", `types = ["guild", "harbour-office"]`, `types = ["gild"]`, `consent.recorder[0].types: no type "gild"`},
		{"recorder wildcard", `types = ["guild", "harbour-office"]`, `types = ["*"]`, `consent.recorder[0].types: no type "*"`},
		{"recorder of no type", `types = ["guild", "harbour-office"]`, `types = []`, "consent.recorder[0].types: is empty"},
		{"recorder cosign", `cosign = "always"`, `cosign = "sometimes"`, `consent.recorder[0].cosign: "sometimes" is not one of never, own-recipient, always`},
		{"two recorder rows", row, `acts = ["requested", "given", "withdrawn"]`, "consent.recorder[1]: type guild may record withdrawn by an earlier row; one row decides, remove the other"},
		{"nobody records withdrawal", `acts = ["withdrawn", "narrowed"]`, `acts = ["narrowed"]`, "consent.recorder: nobody may record withdrawn"},
		{"nobody records consent", row, `acts = ["requested"]`, "consent.recorder: nobody may record given"},
	})
}

// A rule of rs-a that reads what only the sealed body says.
func TestRefusesSealedFieldOfComplaint(t *testing.T) {
	run(t, "rs-a.toml", []refusal{
		{"indicators", `facts = {complainant = "person"}`, `facts = {indicators = "present"}`,
			"rule[registration-person].trigger.facts.indicators: rule registration-person reads sealed field indicators of kind complaint: a rule sees only facts; declare it (declared = true, when = …) or permit a fact with a reason"},
		{"no way back to a complainant", "kind = \"complaint-registered\"\nfrom = [\"ppo-higher\"]\nto = [\"center\", \"ngo\", ", "kind = \"complaint-registered\"\nfrom = [\"ppo-higher\"]\nto = [\"center\", ",
			"rule[registration].fulfilled_by: ppo-higher would owe ngo, but no [[matrix]] cell permits [complaint-registered] from ppo-higher to ngo"},
	})
}

// Packs that hold nothing are refused list by list, not by a panic.
func TestRefusesEmpty(t *testing.T) {
	_, err := Parse("empty.toml", nil)
	for _, want := range []string{"family:", "zone:", "type:", "kind:", "rule:", "consent.age:", "source: is missing"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("does not say %q: %v", want, err)
		}
	}
}
