package keystore

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestDecodeRefuses changes the vector in one place and wants the line named.
func TestDecodeRefuses(t *testing.T) {
	good := string(read(t, "testdata/vector.txt"))
	line := strings.Split(good, "\n")
	tests := []struct {
		name, old, new string
		where          string // in the error
	}{
		{"one space in the head", "v1  inst", "v1 inst", "line 1:"},
		{"version 2", "keystore v1", "keystore v2", "line 1:"},
		{"no role", " role=officer", "", "line 1:"},
		{"unknown role", "role=officer", "role=chief", "line 1:"},
		{"no institution", "inst=" + testInst, "inst=", "line 1:"},
		{"no officer", "officer=" + testOfficer, "officer=", "line 1:"},
		{"institution of another kind", "inst=i_", "inst=d_", "line 1:"},
		{"created negative", "created=", "created=-", "line 1:"},
		{"created with a zero in front", "created=", "created=0", "one spelling"},
		{"created beyond 2^53-1", "created=1772442000123", "created=9007199254740992", "line 1:"},
		{"something after created", "created=1772442000123", "created=1772442000123 weak", "line 1:"},
		{"no seed", line[1] + "\n", "", "line 2:"},
		{"seed short", "HR4f=", "HR4=", "line 2:"},
		{"seed unpadded", "Hh8=", "Hh8", "line 2:"},
		{"seed with trailing bits", "Hh8=", "Hh9=", "line 2:"},
		{"no identity", line[2] + "\n", "", "line 3:"},
		{"identity with a wrong checksum", line[2], line[2][:len(line[2])-1] + "Q", "line 3:"},
		{"identity in lower case", line[2], strings.ToLower(line[2]), "line 3:"},
		{"classic identity", line[2], "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX", "line 3:"},
		{"unknown comment", line[3], "# note", "line 4:"},
		{"empty line", line[3], "\n" + line[3], "line 4:"},
		{"desk of another kind", "# desk d_3szd", "# desk i_3szd", "line 5:"},
		{"epoch 0", "epoch 7", "epoch 0", "line 5:"},
		{"epoch with a zero in front", "epoch 7", "epoch 07", "one spelling"},
		{"epoch beyond 2^53-1", "epoch 7", "epoch 9007199254740992", "line 4:"},
		{"desk without identity", line[4] + "\n", "", "line 5:"},
		{"epoch twice", "epoch 8", "epoch 7", "line 6:"},
		{"epochs in another order", "epoch 7", "epoch 9", "one spelling"},
		{"last line not ended", line[8] + "\n", line[8], "line 9:"},
		{"text after the end", line[8] + "\n", line[8] + "\nx", "line 10:"},
		{"empty line at the end", line[8] + "\n", line[8] + "\n\n", "line 10:"},
		{"carriage returns", "\n", "\r\n", "line 1:"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if strings.Count(good, tt.old) == 0 && tt.name != "seed short" {
				t.Fatalf("nothing to replace: %q", tt.old)
			}
			bad := strings.Replace(good, tt.old, tt.new, 1)
			if tt.name == "seed short" {
				bad = strings.Replace(good, line[1], seedPrefix+"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==", 1)
			}
			_, err := decode([]byte(bad))
			if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), tt.where) {
				t.Fatalf("%v, want %s", err, tt.where)
			}
			for _, secret := range []string{line[2], line[4], "AAECAwQF"} {
				if strings.Contains(strings.ToUpper(err.Error()), strings.ToUpper(secret)) {
					t.Errorf("the error quotes a key: %v", err)
				}
			}
		})
	}
}

func TestDecodeEncode(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		k, err := Generate(testOwner, rapid.Int64Range(0, maxInteger).Draw(rt, "created"), Options{Demo: rapid.Bool().Draw(rt, "demo")})
		if err != nil {
			rt.Fatal(err)
		}
		for _, desk := range []string{testDesk, otherDesk} {
			for _, epoch := range rapid.SliceOfNDistinct(rapid.Int64Range(1, 12), 0, 4, rapid.ID).Draw(rt, "epochs") {
				if err := k.AddDeskEpoch(desk, epoch, newIdentity(t)); err != nil {
					rt.Fatal(err)
				}
			}
		}
		again, err := decode(encoded(t, k))
		if err != nil || !bytes.Equal(encoded(t, again), encoded(t, k)) {
			rt.Errorf("%v", err)
		}
		if again.Demo != k.Demo || again.Created != k.Created || fmt.Sprint(again.DeskEpochs(testDesk)) != fmt.Sprint(k.DeskEpochs(testDesk)) {
			rt.Error("something changed on the way")
		}
	})
}

// FuzzDecode: what is accepted is written the same again.
func FuzzDecode(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := decode(text)
		if err == nil && !bytes.Equal(encoded(t, k), text) {
			t.Errorf("two spellings: %q", text)
		}
	})
}

func TestSeedsArePresent(t *testing.T) {
	if seeds, err := os.ReadDir("testdata/fuzz/FuzzDecode"); err != nil || len(seeds) == 0 {
		t.Errorf("%d seeds, %v", len(seeds), err)
	}
}
