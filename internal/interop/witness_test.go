package interop

import "testing"

func TestLitewitnessStarts(t *testing.T) {
	b := publish(t)
	t.Log(startLitewitness(t, b.key))
}
