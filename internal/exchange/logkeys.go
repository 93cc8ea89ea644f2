package exchange

import "github.com/odziv/odziv/keys/directory"

// signable refuses a policy that names keys for the logs which this server does
// not have: no checkpoint would ever be signed again.
func (x *Exchange) signable(before, after *directory.State) error {
	if x.Signs == nil || after.Logs() == before.Logs() {
		return nil
	}
	if logs := after.Logs(); !x.Signs(logs.Dir) || !x.Signs(logs.Ev) {
		return refuse(Unprocessable, "unknown", "the policy names keys for the logs with which this exchange does not sign").
			hint("have the operator make them first, and sign the statement that names them: odzivd keys renew")
	}
	return nil
}
