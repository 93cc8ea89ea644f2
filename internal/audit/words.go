package audit

import (
	"fmt"
	"time"
)

// Languages of [Fact.Text].
const (
	English = "en"
	Serbian = "sr" // Cyrillic; Latin is derived by rule
)

// A Fact is one sentence of a report.
type Fact struct {
	Code string   `json:"code"`
	Args []string `json:"args,omitempty"`
}

func fact(code string, args ...any) Fact {
	f := Fact{Code: code}
	for _, a := range args {
		f.Args = append(f.Args, fmt.Sprint(a))
	}
	return f
}

// instant writes a time of the record for people: UTC, to the second.
func instant(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05 UTC") }

// Text is the sentence in a language; what has no Serbian is said in English.
func (f Fact) Text(lang string) string {
	format, ok := sentences[f.Code]
	if !ok {
		return f.Code
	}
	text := format.en
	if lang == Serbian && format.sr != "" {
		text = format.sr
	}
	args := make([]any, len(f.Args))
	for i, a := range f.Args {
		args[i] = a
	}
	return fmt.Sprintf(text, args...)
}

type sentence struct{ en, sr string }

// Codes of facts.
const (
	FactIncluded     = "included"        // index, log origin, size
	FactReceived     = "received"        // time
	FactSigned       = "signed"          // event, object, officer, desk, institution, type, key
	FactCosigned     = "cosigned"        // officer, institution, key
	FactCustodian    = "custodian"       // event, desk, institution, type, key
	FactReleased     = "released"        // desk, epochs, purpose, officer, keys, until
	FactServerMade   = "server-made"     // event, object
	FactSilence      = "silence"         // index, obligation, rule, due, state, obligor, obligee
	FactSilenceMeans = "silence-means"   // index
	FactSilent       = "convict-silence" // index, obligation, state
	FactMoved        = "convict-moved"   // index, event, object, state after it
	FactActed        = "convict-acted"   // index, event, object
	FactConvicted    = "convicted"       // obligation
	FactChain        = "chain"           // entries
	FactAccepted     = "rests-on-accepted"
	FactReplayed     = "replayed" // entries
	FactPinned       = "pinned"
	FactNotPinned    = "not-pinned" // hash
	FactUnwitnessed  = "unwitnessed"
	FactConfirmed    = "confirmed"
	FactProvisional  = "provisional"
	FactCosigners    = "cosigners"   // how many, of how many, who
	FactBounded      = "bounded"     // first and last time
	FactTimeAfter    = "time-after"  // first cosignature, time of the exchange
	FactTimeBefore   = "time-before" // time of the exchange, first cosignature
	FactDemo         = "demonstration"
	FactVersion      = "version"    // consent, version, act, time, recorder's institution
	FactScope        = "scope"      // from, to, purposes, categories, valid from, until
	FactVersions     = "versions"   // consent, first, last
	FactProofOnly    = "proof-only" // index, origin, size
	FactGivenKey     = "given-key"  // verifier key
	FactBundle       = "bundle"     // host, dir entries, ev entries, time
	FactTrees        = "trees"      //
	FactDirectory    = "directory"  // entries
	FactShown        = "shown"      // shown, size
	FactComplete     = "complete"   // erased
	FactMissing      = "missing"    // not shown, size
	FactMetaOnly     = "meta-only"  // count
	FactTraces       = "traces"     // opened, moved, refused
	FactOpenings     = "openings"   // signatures
	FactDuties       = "duties"     // duties, index
	FactHidden       = "duties-hidden"
	FactNoPack       = "duties-no-pack"  // pack
	FactTooMany      = "duties-too-many" // how many at most
	FactSends        = "sends"           // decisions
	FactCannotShow   = "cannot-show"     //
	FactSameFile     = "same-file"       // checkpoints held against the bundle, bundle's host
	FactNewerFile    = "newer-file"      // checkpoints newer than the bundle
	FactPrefix       = "prefix"          // smaller, larger, log
	FactSamePrefix   = "same-history"    //
)
