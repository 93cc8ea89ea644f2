package api_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/obligation"
)

// document is what these tests read of openapi.json.
type document struct {
	OpenAPI    string
	Paths      map[string]map[string]operation
	Components struct {
		Responses map[string]response
		Schemas   map[string]schema
	}
}

type operation struct {
	OperationID string
	Summary     string
	Security    *[]map[string][]string
	Parameters  []struct {
		Name, In, Description string
		Required              bool
	}
	RequestBody *struct {
		Max     int64 `json:"x-max-bytes"`
		Content map[string]any
	}
	Responses map[string]response
}

type response struct {
	Ref     string `json:"$ref"`
	Content map[string]any
}

type schema struct {
	Required   []string
	Properties map[string]any
	AnyOf      []struct {
		Const, Pattern, Title string
		Status                []int `json:"x-status"`
	}
}

func readDocument(t testing.TB) *document {
	t.Helper()
	var d document
	if err := json.Unmarshal(api.OpenAPI, &d); err != nil {
		t.Fatal(err)
	}
	if d.OpenAPI != "3.1.0" || len(d.Paths) == 0 {
		t.Fatalf("openapi %q, %d paths", d.OpenAPI, len(d.Paths))
	}
	return &d
}

func (d *document) operation(method, path string) (operation, bool) {
	op, ok := d.Paths[path][strings.ToLower(method)]
	return op, ok
}

// response resolves a response of an operation.
func (d *document) response(op operation, status int) (response, bool) {
	r, ok := op.Responses[fmt.Sprint(status)]
	if name, is := strings.CutPrefix(r.Ref, "#/components/responses/"); is {
		r, ok = d.Components.Responses[name]
	}
	return r, ok
}

func TestEveryRouteIsDocumented(t *testing.T) {
	doc := readDocument(t)
	for _, r := range api.Routes() {
		if _, ok := doc.operation(r.Method, r.Path); !ok {
			t.Errorf("%s %s is served and not documented", r.Method, r.Path)
		}
	}
}

func TestEveryDocumentedPathIsServed(t *testing.T) {
	registered := api.Registered(api.New(nil, api.Options{}))
	count := 0
	for path, item := range readDocument(t).Paths {
		for method := range item {
			count++
			if want := strings.ToUpper(method) + " " + api.EchoPath(path); !slices.Contains(registered, want) {
				t.Errorf("%s is documented and not served", want)
			}
		}
	}
	if count != len(registered) {
		t.Errorf("%d operations documented, %d served", count, len(registered))
	}
}

func TestOperationsAreAsDocumented(t *testing.T) {
	doc := readDocument(t)
	ids := map[string]bool{}
	for _, r := range api.Routes() {
		t.Run(r.Method+" "+r.Path, func(t *testing.T) {
			op, _ := doc.operation(r.Method, r.Path)
			if op.OperationID == "" || ids[op.OperationID] || op.Summary == "" {
				t.Errorf("operationId %q is empty or taken, or there is no summary", op.OperationID)
			}
			ids[op.OperationID] = true
			checkParameters(t, r, op)
			if open := op.Security != nil && len(*op.Security) == 0; open != r.Open {
				t.Errorf("documented as open: %v", open)
			}
			if public := op.Security != nil && len(*op.Security) == 2 && len((*op.Security)[0]) == 0; public != r.Public {
				t.Errorf("documented as public: %v", public)
			}
			var limit int64
			if op.RequestBody != nil {
				limit = op.RequestBody.Max
			}
			if limit != r.Limit {
				t.Errorf("body of %d bytes documented, %d permitted", limit, r.Limit)
			}
			checkResponses(t, doc, r, op)
		})
	}
}

func checkParameters(t *testing.T, r api.Route, op operation) {
	t.Helper()
	var path, query []string
	for _, p := range op.Parameters {
		if p.Description == "" {
			t.Errorf("parameter %s is not described", p.Name)
		}
		switch p.In {
		case "path":
			path = append(path, "{"+p.Name+"}")
			if !p.Required {
				t.Errorf("%s in the path is not required", p.Name)
			}
		case "query":
			query = append(query, p.Name)
		default:
			t.Errorf("parameter in %s", p.In)
		}
	}
	var want []string
	for _, segment := range strings.Split(r.Path, "/") {
		if strings.HasPrefix(segment, "{") {
			want = append(want, segment)
		}
	}
	if !slices.Equal(path, want) {
		t.Errorf("path parameters %v, want %v", path, want)
	}
	if !slices.Equal(sorted(query), sorted(r.Query)) {
		t.Errorf("query members %v documented, %v read", query, r.Query)
	}
}

func sorted(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return s
}

// checkResponses wants exactly one success, and the problems that any request
// of this kind can meet.
func checkResponses(t *testing.T, doc *document, r api.Route, op operation) {
	t.Helper()
	want := []int{400, 413, 500, 503}
	if !r.Open {
		want = append(want, 401)
	}
	if r.Limit > 0 {
		want = append(want, 408)
	}
	for _, status := range want {
		if resp, ok := doc.response(op, status); !ok || resp.Content[wire.Problems] == nil {
			t.Errorf("%d is not documented as a problem", status)
		}
	}
	_, ok := op.Responses["200"]
	_, empty := op.Responses["204"]
	if ok == empty {
		t.Error("not exactly one of 200 and 204")
	}
}

func TestReferencesResolve(t *testing.T) {
	var root any
	if err := json.Unmarshal(api.OpenAPI, &root); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				used[ref] = true
				if !resolves(root, ref) {
					t.Errorf("%s leads nowhere", ref)
				}
			}
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(root)
	for name := range readDocument(t).Components.Schemas {
		if !used["#/components/schemas/"+name] {
			t.Errorf("schema %s is not used", name)
		}
	}
}

func resolves(at any, ref string) bool {
	for _, step := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		object, ok := at.(map[string]any)
		if !ok || object[step] == nil {
			return false
		}
		at = object[step]
	}
	return strings.HasPrefix(ref, "#/")
}

// TestSchemasAreTheTypes compares the members of each schema with those of the
// Go type: names, and whether they can be absent.
func TestSchemasAreTheTypes(t *testing.T) {
	schemas := readDocument(t).Components.Schemas
	for name, v := range map[string]any{
		"DSSE": statement.DSSE{}, "Set": messaging.Set{}, "Item": evidence.Item{}, "Held": evidence.Held{},
		"UploadState": wire.UploadState{}, "Uploads": wire.Uploads{}, "SetAnswer": wire.SetAnswer{}, "Entry": wire.Entry{},
		"PendingAnswer": wire.PendingAnswer{}, "Pending": wire.Pending{}, "Pendings": wire.Pendings{}, "Feed": wire.Feed{},
		"Duty": wire.Duty{}, "Duties": wire.Duties{}, "Entries": wire.Entries{}, "Consistency": wire.Consistency{}, "Holes": wire.Holes{},
		"Status": wire.Status{}, "Problem": wire.Problem{}, "View": obligation.View{}, "Step": obligation.Step{},
		"RightClock": obligation.RightClock{}, "Level": obligation.Level{}, "Submission": obligation.Submission{},
		"Transfer": obligation.Transfer{},
	} {
		var names, required []string
		members(reflect.TypeOf(v), func(member string, always bool) {
			names = append(names, member)
			if always {
				required = append(required, member)
			}
		})
		s := schemas[name]
		var documented []string
		for p := range s.Properties {
			documented = append(documented, p)
		}
		if !slices.Equal(sorted(documented), sorted(names)) {
			t.Errorf("%s: members %v documented, the type has %v", name, sorted(documented), sorted(names))
		}
		if !slices.Equal(sorted(s.Required), sorted(required)) {
			t.Errorf("%s: required %v, the type always writes %v", name, sorted(s.Required), sorted(required))
		}
	}
}

func members(typ reflect.Type, f func(member string, always bool)) {
	for i := range typ.NumField() {
		field := typ.Field(i)
		if field.Anonymous && field.Tag.Get("json") == "" {
			members(field.Type, f)
			continue
		}
		name, rest, _ := strings.Cut(field.Tag.Get("json"), ",")
		f(name, !strings.Contains(rest, "omitempty"))
	}
}
