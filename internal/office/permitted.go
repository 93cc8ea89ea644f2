package office

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/odziv/odziv/internal/rules"
)

// permitted asks, before anything is sealed, what the exchange would ask: a
// refusal there is put on record and spends the message's id, one here leaves
// no trace. What only the exchange knows (consents, exclusions, obligations) it
// decides alone.
func (o *Office) permitted(d *Draft, pack *rules.Pack, kind *rules.Kind) error {
	for _, check := range []func(*Draft, *rules.Pack, *rules.Kind) error{o.route, shape, facts, fields} {
		if err := check(d, pack, kind); err != nil {
			return err
		}
	}
	return nil
}

func no(code, format string, args ...any) error {
	return &Refused{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// route asks the matrix. Whether each recipient has a key is asked where the
// message is sealed: what must wait for one is kept.
func (o *Office) route(d *Draft, pack *rules.Pack, _ *rules.Kind) error {
	if len(d.To) == 0 {
		return no("to", "name at least one recipient")
	}
	dir := o.Directory()
	from := dir.TypeOfDesk(d.Desk)
	for _, to := range d.To {
		if _, ok := dir.Desk(to); !ok {
			return &Refused{Code: "to", Desk: to, Detail: fmt.Sprintf("the directory has no desk %s", to)}
		}
		if to == d.Desk {
			return &Refused{Code: "to", Desk: to, Detail: "the sending desk keeps a copy anyway; name others"}
		}
		allowed := pack.Allowed(d.Kind, from, dir.TypeOfDesk(to))
		if !slices.Contains(allowed, d.Basis.Code) {
			return &Refused{Code: "basis", Desk: to, Detail: fmt.Sprintf("%s may not go from %s to %s on basis %q; permitted: %v",
				d.Kind, from, dir.TypeOfDesk(to), d.Basis.Code, allowed)}
		}
	}
	return nil
}

// shape holds the visible members against the kind.
func shape(d *Draft, _ *rules.Pack, kind *rules.Kind) error {
	if !slices.Contains(kind.Urgency, d.Urg) {
		return no("urgency", "%s is sent with urgency %v, not %q", d.Kind, kind.Urgency, d.Urg)
	}
	for _, cat := range d.Cats {
		if !slices.Contains(kind.Categories, cat) {
			return no("category", "%s holds no data of category %q; permitted: %v", d.Kind, cat, kind.Categories)
		}
	}
	if kind.Occurred == "required" && d.Occurred == 0 {
		return no("occurred", "%s needs the time of the act itself", d.Kind)
	}
	if kind.Occurred == "none" && d.Occurred != 0 {
		return no("occurred", "%s has no time of its own", d.Kind)
	}
	if kind.Re == "required" && d.Re == "" {
		return no("re", "%s answers a message: say which", d.Kind)
	}
	if kind.Re == "none" && d.Re != "" {
		return no("re", "%s answers no message", d.Kind)
	}
	return nil
}

func facts(d *Draft, _ *rules.Pack, kind *rules.Kind) error {
	for _, f := range kind.Facts {
		value, ok := d.Facts[f.Code]
		if f.Required && !ok {
			return no("fact", "%s shows the fact %q: one of %v", d.Kind, f.Code, f.Values)
		}
		if ok && !slices.Contains(f.Values, value) {
			return no("fact", "the fact %q is one of %v, not %q", f.Code, f.Values, value)
		}
	}
	for _, code := range slices.Sorted(maps.Keys(d.Facts)) {
		if !slices.ContainsFunc(kind.Facts, func(f rules.Fact) bool { return f.Code == code }) {
			return no("fact", "%s shows no fact %q: put it into the sealed text", d.Kind, code)
		}
	}
	return nil
}

// fields holds the sealed fields against the kind: nobody else can.
func fields(d *Draft, _ *rules.Pack, kind *rules.Kind) error {
	for _, f := range kind.Fields {
		value, ok := d.Text.Fields[f.Code]
		if f.Required && value == "" {
			return no("field", "%s needs the field %q%s", d.Kind, f.Code, oneOf(f.Values))
		}
		if !ok || value == "" {
			continue
		}
		if err := field(&f, value); err != nil {
			return err
		}
	}
	for _, code := range slices.Sorted(maps.Keys(d.Text.Fields)) {
		if !slices.ContainsFunc(kind.Fields, func(f rules.Field) bool { return f.Code == code }) {
			return no("field", "%s has no field %q", d.Kind, code)
		}
	}
	return nil
}

func oneOf(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return fmt.Sprintf(": one of %v", values)
}

func field(f *rules.Field, value string) error {
	if f.Max > 0 && len(value) > f.Max {
		return no("field", "the field %q has %d bytes, at most %d", f.Code, len(value), f.Max)
	}
	if f.Type == "code" && !slices.Contains(f.Values, value) {
		return no("field", "the field %q is one of %v, not %q", f.Code, f.Values, value)
	}
	if f.Type == "date" {
		if _, err := time.Parse(time.DateOnly, value); err != nil {
			return no("field", "the field %q is a date, such as 2026-03-02", f.Code)
		}
	}
	return nil
}
