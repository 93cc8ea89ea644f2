// Package observe is an institution's own eye on the ledger: it mirrors both
// trees, cosigns their checkpoints, and says aloud what an honest exchange could
// not have shown.
//
// An [Observer] lives in a folder. What it holds of each tree was recomputed from
// the entries themselves: of the exchange it believes a signature, a hash it can
// derive, and nothing else. Of the directory it also replays the meaning, entry
// by entry. A checkpoint is cosigned after that and not before (package
// witness); so whoever asks for a cosignature on something that the entries do
// not bear out gets none.
//
// What is wrong becomes an [Alarm]: one line in words an office understands, of
// no case and no person, and a folder with the evidence.
package observe
