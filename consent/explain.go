package consent

// Languages of [Explain]. Serbian is in Cyrillic; Latin is derived by rule.
const (
	English = "en"
	Serbian = "sr"
)

type sentence struct{ en, sr string }

const codePermitted = ""

var sentences = map[string]sentence{
	codePermitted: {"This notice may be sent.", "Ово обавештење се може послати."},
	CodeBasis:     {"This notice may not go to this recipient on the basis stated.", "Ово обавештење се овом примаоцу не може послати по наведеном основу."},
	CodeExcluded:  {"This recipient cannot be addressed for this person.", "Овом примаоцу се за ово лице не може слати."},
	CodeSubject:   {"No consent of this person is named.", "Није наведена сагласност овог лица."},
	CodeVersion:   {"The consent has changed since this notice was prepared.", "Сагласност је измењена откако је обавештење припремљено."},
	CodeStatus:    {"The consent is not in force.", "Сагласност није на снази."},
	CodeCase:      {"The consent belongs to another case.", "Сагласност припада другом предмету."},
	CodeSender:    {"The consent does not name your institution as sender.", "Сагласност не наводи вашу установу као пошиљаоца."},
	CodeRecipient: {"The consent does not name this recipient.", "Сагласност не наводи овог примаоца."},
	CodePurpose:   {"The consent does not cover this purpose.", "Сагласност не обухвата ову сврху."},
	CodeCategory:  {"The consent does not cover this category of data.", "Сагласност не обухвата ову врсту података."},
	CodeTime:      {"The consent is not valid at this time.", "Сагласност у овом тренутку не важи."},
	CodeGrantor:   {"Whoever gave the consent cannot decide for this person.", "Давалац сагласности не може да одлучује за ово лице."},
}

// Explain says a decision in one short, neutral sentence, in English or
// Serbian; any other language is answered in English. It names nobody: the
// caller shows the recipient beside it.
func Explain(d Decision, lang string) string {
	code := d.Code
	if d.Allow {
		code = codePermitted
	}
	s, ok := sentences[code]
	if !ok || !d.Allow && code == codePermitted {
		s = sentence{"This notice may not be sent.", "Ово обавештење се не може послати."}
	}
	if lang == Serbian {
		return s.sr
	}
	return s.en
}
