// Package transparency answers two questions from a replayed directory and the
// entries it was made of: who could ever read for a desk, since when and by whose
// signatures ([DeskHistory], [InstHistory]), and which changes of her desks a
// member has to look at, because they add somebody who can read for them or can
// let others do so ([Judge]).
//
// It is pure: it reads no clock, no file and no network, and believes only what
// was replayed. Times are those that statements claim, in ms since 1970 UTC; what
// is proven is the order of entries, which are counted from 0.
package transparency
