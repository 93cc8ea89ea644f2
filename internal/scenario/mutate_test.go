package scenario

import (
	"context"
	"fmt"
	"reflect"
	"testing"
)

// mutants returns copies of an expectation, each with one compared member
// changed, by the name of the member.
func mutants(what any) map[string]any {
	list := map[string]any{}
	v := reflect.ValueOf(what).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if _, compared := f.Tag.Lookup("check"); !compared || v.Field(i).IsZero() {
			continue
		}
		copied := reflect.New(v.Type())
		copied.Elem().Set(v)
		copied.Elem().Field(i).Set(changed(v.Field(i)))
		list[f.Tag.Get("toml")] = copied.Interface()
	}
	if len(list) == 0 { // nothing is compared, so that it is there is what counts
		if absent := v.FieldByName("Absent"); absent.IsValid() {
			copied := reflect.New(v.Type())
			copied.Elem().Set(v)
			yes := true
			copied.Elem().FieldByName("Absent").Set(reflect.ValueOf(&yes))
			list["(there)"] = copied.Interface()
		}
	}
	return list
}

// changed is another value of the same type.
func changed(v reflect.Value) reflect.Value {
	switch x := v.Interface().(type) {
	case *bool:
		y := !*x
		return reflect.ValueOf(&y)
	case *int:
		y := *x + 1
		return reflect.ValueOf(&y)
	case *string:
		y := another(*x)
		return reflect.ValueOf(&y)
	case string:
		return reflect.ValueOf(another(x))
	case *Time:
		return reflect.ValueOf(&Time{Text: "another time", MS: x.MS + 60_000})
	case []string:
		return reflect.ValueOf(append([]string{"something-else"}, x...))
	}
	panic(fmt.Sprintf("no other value of %s", v.Type()))
}

// another is a string that is not s; one that means something stays so.
func another(s string) string {
	switch s {
	case "none":
		return "some"
	case "some":
		return "none"
	}
	return "not-" + s
}

// A prober evaluates, where a play evaluates an expectation, what it would be
// with each compared member changed alone: that must be found not to hold.
type prober struct {
	t                  *testing.T
	evaluated, changes int
}

func (p *prober) probe(c *cast, step string, x expected) error {
	p.evaluated++
	all := mutants(x.what)
	if len(all) == 0 {
		if _, ok := x.what.(*FeedExpect); !ok {
			p.t.Errorf("%s %s %s: compares nothing", c.f.name, step, x.path)
		}
	}
	for member, mutant := range all {
		p.changes++
		if e, ok := mutant.(*MessageExpect); ok && member == "set-with" {
			*e.SetWith = e.Of // a message is of no set with itself
		}
		found, err := c.examine(context.Background(), mutant)
		if err != nil || len(found) == 0 {
			p.t.Errorf("%s %s %s: %s changed, and it still holds (%v)", c.f.name, step, x.path, member, err)
		}
	}
	return nil
}

// expectations counts what a play of files must evaluate.
func expectations(files []*File) int {
	want := 0
	for _, f := range files {
		for i := range f.Steps {
			want += len(f.Steps[i].Expect.all(""))
			if f.Steps[i].Refused != nil {
				want++
			}
		}
	}
	return want
}

// Every compared member of every expectation of every shipped scenario, changed
// alone, must be found not to hold: no expectation is vacuous. The changed ones
// are evaluated where the true one was, in the same play. TestDrills does so with
// the drills.
func TestEveryExpectationCanFail(t *testing.T) {
	files, err := Shipped(packs(t))
	if err != nil {
		t.Fatal(err)
	}
	p := &prober{t: t}
	if _, _, err := play(t, Options{Bookkeeper: true, probe: p.probe}, files...); err != nil {
		t.Fatal(err)
	}
	if want := expectations(files); p.evaluated != want || want < 150 {
		t.Errorf("%d expectations of %d evaluated", p.evaluated, want)
	}
	t.Logf("%d expectations, %d of their members changed", p.evaluated, p.changes)
}
