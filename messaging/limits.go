package messaging

// Limits of a message. Whoever parses one may rely on them.
const (
	MaxRecipients = 32 // core.to
	MaxSubjects   = 16 // core.subj
	MaxFacts      = 8  // core.facts
	MaxActs       = 32 // core.obl
	MaxParts      = 64 // core.parts
	MaxCategories = 32 // core.cats
	MaxConsents   = 64 // core.basis.consents
	MaxRef        = 64 // core.basis.ref, bytes
	MinSet        = 2  // messages of a set
	MaxSet        = 16
	MaxCases      = 16 // handles of a case.link
)

// Sizes of ciphertext, in bytes. A body is at most 1 MiB of padded manifest;
// 64 KiB more hold the stanzas of 32 recipients and the tags.
const (
	MaxBody = 1<<20 + 64<<10
	MaxPart = 4 << 30
)

// MaxSetSize bounds the canonical JSON of a set, in bytes: 16 payloads of
// 32 KiB in base64 and their signatures.
const MaxSetSize = MaxSet * 48 << 10
