package interop

import (
	"fmt"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/escrow"
)

// Two of three custodians recover a desk with age's own command alone: each peels
// a layer, and the last sees the identity. One alone, or in the wrong order, sees
// nothing.
func TestAgePeelsEscrow(t *testing.T) {
	desk, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	b := newBox(t)
	var custodians []string
	for i := range 3 {
		id, err := age.GenerateHybridIdentity()
		if err != nil {
			t.Fatal(err)
		}
		custodians = append(custodians, id.Recipient().String())
		b.put(fmt.Sprintf("c%d.txt", i), []byte(id.String()+"\n"))
	}
	d := statement.NewID(statement.Desk)
	files, err := escrow.Seal(desk, d, 7, custodians, 2)
	if err != nil || len(files) != 3 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		b.put("file.age", f.Age)
		b.must(`age-inspect --json file.age | jq -e '.stanza_types == ["mlkem768x25519"]'`)
		first, last := f.Cust[0], f.Cust[1]
		got := b.must(fmt.Sprintf("age -d -i c%d.txt file.age > next.age; age -d -i c%d.txt next.age", first, last))
		if want := fmt.Sprintf("# desk %s epoch 7\n%s", d, desk); strings.TrimSpace(got) != want {
			t.Errorf("custodians %v see another text", f.Cust)
		}
		for _, script := range []string{
			fmt.Sprintf("age -d -i c%d.txt file.age", last),
			fmt.Sprintf("age -d -i c%d.txt file.age > next.age; age -d -i c%d.txt next.age", first, first),
			fmt.Sprintf("age -d -i c%d.txt file.age", 3-first-last),
		} {
			if out, err := b.run(script); err == nil || strings.Contains(out, "AGE-SECRET-KEY") {
				t.Errorf("custodians %v: %s gave something", f.Cust, script)
			}
		}
	}
}
