// Package witness speaks C2SP tlog-witness, both ways: [Client] brings a
// checkpoint to a witness and takes its cosignature home, [Witness] is asked
// and cosigns.
//
// A witness promises one thing: of a log it never cosigns two trees that
// contradict each other. So what it cosigns is in [Memory], durably, before the
// cosignature leaves, and a memory belongs to one program at a time. Whatever
// else must hold before a checkpoint is cosigned is asked of [Witness.Admit].
//
// Sizes, roots and proofs are those of package ledger. Nothing here reads the
// machine's clock: the time in a cosignature comes from whoever runs it.
package witness
