package scenario

import "testing"

// Every drill holds on both engines, which leave the same, and every member that
// an expectation compares, changed alone, does not hold.
func TestDrills(t *testing.T) {
	files, err := Drills(packs(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		t.Run(f.ID, func(t *testing.T) {
			t.Parallel()
			p := &prober{t: t}
			w, _, err := play(t, Options{Bookkeeper: true, probe: p.probe}, f)
			if err != nil {
				t.Fatal(err)
			}
			if want := expectations([]*File{f}); p.evaluated != want || want < 5 {
				t.Errorf("%d expectations of %d evaluated", p.evaluated, want)
			}
			other, _, err := play(t, Options{Bookkeeper: true, World: onPostgres(t)}, parse(t, f.name, shippedDrill(t, f.name)))
			if err != nil {
				t.Fatalf("on PostgreSQL: %v", err)
			}
			sameOutcome(t, w, other)
			whole(t, w)
			whole(t, other)
		})
	}
}

func shippedDrill(t *testing.T, name string) string {
	t.Helper()
	data, err := shipped.ReadFile("drills/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
