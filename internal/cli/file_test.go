package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadJSON(t *testing.T) {
	type inner struct {
		A string `json:"a"`
	}
	type file struct {
		Kind string            `json:"kind"`
		N    int               `json:"n"`
		In   []inner           `json:"in"`
		M    map[string]string `json:"m"`
	}
	for name, tt := range map[string]struct{ text, err string }{
		"good":             {"{\"kind\":\"x\",\n\"n\":1,\"in\":[{\"a\":\"b\"}],\"m\":{\"c\":\"d\"}}\n", ""},
		"empty":            {"", "line 1: the file ends too early"},
		"cut":              {"{\"kind\":\n\"x\"", "line 2: the file ends too early"},
		"no JSON":          {"kind: x", "line 1: invalid character"},
		"unknown member":   {"{\n\"kimd\":\"x\"}", `unknown field "kimd"`},
		"unknown, deep":    {`{"in":[{"b":"x"}]}`, `unknown field "b"`},
		"twice":            {"{\"kind\":\"x\",\n\"kind\":\"y\"}", `line 2: "kind" stands there twice`},
		"twice, deep":      {`{"in":[{"a":"x","a":"y"}]}`, `"a" stands there twice`},
		"twice, in a map":  {`{"m":{"c":"d","c":"e"}}`, `"c" stands there twice`},
		"twice, by case":   {`{"kind":"x","Kind":"y"}`, `"Kind" stands there twice`},
		"null":             {`{"kind":null}`, "null is no value here"},
		"another type":     {`{"n":"one"}`, `"n" is no int`},
		"trailing":         {`{"kind":"x"} {}`, "something after the end"},
		"trailing garbage": {`{"kind":"x"} x`, "something after the end"},
		"deep":             {strings.Repeat("[", 40) + strings.Repeat("]", 40), "nested deeper than 32"},
		"long":             {`{"kind":"` + strings.Repeat("x", 2000) + `"}`, "longer than 1 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file.json")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			var f file
			err := ReadJSON(path, 1<<10, &f)
			if tt.err == "" {
				if err != nil || f.Kind != "x" || f.N != 1 || f.In[0].A != "b" || f.M["c"] != "d" {
					t.Errorf("%+v %v", f, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(err.Error(), "file.json") {
				t.Errorf("%v, want %q", err, tt.err)
			}
		})
	}
}

func TestReadFileBound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	for n, ok := range map[int]bool{1023: true, 1024: true, 1025: false} {
		if err := os.WriteFile(path, make([]byte, n), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadFile(path, 1024); (err == nil) != ok {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if _, err := ReadFile(path+"x", 1024); err == nil {
		t.Error("no such file")
	}
}
