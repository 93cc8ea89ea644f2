package audit

import (
	"fmt"

	"github.com/odziv/odziv/consent"
)

// VerifyReceipt verifies a consent receipt: each version as [VerifyEvidence]
// does, and that they are the versions of one consent in order, none left out.
// Errors wrap [ErrFormat] or [ErrVerify].
func VerifyReceipt(file []byte, trust Trust) (Report, error) {
	f, err := parseReceipt(file)
	if err != nil {
		return Report{Kind: KindReceipt}, err
	}
	v := &fileVerifier{trust: trust, report: Report{Kind: KindReceipt}}
	if err := v.chain(f.Dir); err != nil {
		return v.report, err
	}
	record := &consent.Record{ID: f.Consent}
	last := int64(-1)
	for _, it := range f.Items {
		got, err := v.item(it)
		if err != nil {
			return v.report, err
		}
		if err := extend(record, got, last); err != nil {
			return v.report, wrong("ev entry %d: %w", it.Idx, err)
		}
		last = it.Idx
	}
	v.report.say(FactVersions, f.Consent, 1, len(record.Versions))
	v.conclude()
	return v.report, nil
}

// extend appends one verified version. META.prev names the version before, for
// a consent's leaves are chained; a notice about it may stand in between.
func extend(r *consent.Record, got *verified, last int64) error {
	st, ok := got.said.body.(*consent.Statement)
	if !ok {
		return fmt.Errorf("%.40s is no version of a consent", got.meta.Ev)
	}
	if got.meta.Prev < last {
		return fmt.Errorf("prev: %d is before the version shown, entry %d", got.meta.Prev, last)
	}
	if err := r.Append(consent.Recorded(st, got.meta.Idx, got.meta.At)); err != nil {
		return err
	}
	return nil
}
