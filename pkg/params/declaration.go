package params

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// declaration is an input, decoded.
type declaration struct {
	kind             Type
	hasDefault       bool
	fallback         any
	options          []any
	minimum, maximum *bound
	pattern          *regexp.Regexp
}

// bound is a number as it was written and as it compares.
type bound struct {
	value any
	text  string
}

// declare decodes an input, or says which field of it is wrong.
func declare(input *v1alpha1.Input) (*declaration, *Error) {
	d := &declaration{kind: cmp.Or(input.Type, Any)}
	if !slices.Contains(Types, d.kind) {
		return nil, &Error{".type", fmt.Sprintf("there is no type %q", d.kind), fmt.Sprintf("use one of %v", Types)}
	}
	var err *Error
	if d.minimum, err = d.bound(".minimum", rawOf(input.Minimum)); err != nil {
		return nil, err
	}
	if d.maximum, err = d.bound(".maximum", rawOf(input.Maximum)); err != nil {
		return nil, err
	}
	if d.minimum != nil && d.maximum != nil && compare(d.minimum.value, d.maximum.value) > 0 {
		return nil, &Error{".minimum", fmt.Sprintf("the minimum %s is larger than the maximum %s", d.minimum.text, d.maximum.text), "exchange them"}
	}
	if input.Pattern != "" {
		if d.kind != String {
			return nil, &Error{".pattern", fmt.Sprintf("a pattern is for strings, and this is %s", Describe(d.kind)), "remove it"}
		}
		pattern, bad := regexp.Compile(input.Pattern)
		if bad != nil {
			return nil, &Error{".pattern", bad.Error(), "write a regular expression of RE2"}
		}
		d.pattern = pattern
	}
	// Options and the default are held to what was read so far.
	options := make([]any, 0, len(input.Options))
	for i := range input.Options {
		value, err := d.read(input.Options[i].Raw)
		if err != nil {
			return nil, &Error{fmt.Sprintf(".options[%d]", i), "the option " + err.Message, err.Remedy}
		}
		options = append(options, value)
	}
	d.options = options
	if input.Default != nil && (d.kind == Any || !isNull(input.Default.Raw)) {
		value, err := d.read(input.Default.Raw)
		if err != nil {
			return nil, &Error{".default", "the default " + err.Message, err.Remedy}
		}
		d.hasDefault, d.fallback = true, value
	}
	return d, nil
}

// bound reads a minimum or a maximum: of a number's value, or of a string's or a list's length.
func (d *declaration) bound(field string, raw []byte) (*bound, *Error) {
	if isNull(raw) {
		return nil, nil
	}
	value, err := Decode(raw)
	if err != nil {
		return nil, &Error{field, "it " + err.Error(), "write a number"}
	}
	want := d.kind
	switch d.kind {
	case Bool, Any:
		return nil, &Error{field, fmt.Sprintf("%s has neither size nor length", Describe(d.kind)), "remove it, or declare another type"}
	case String, List, Map:
		want = Int
	}
	number, ok := As(value, want)
	if !ok {
		return nil, &Error{field, fmt.Sprintf("%s is not %s", Quote(value), Describe(want)), "write " + Describe(want)}
	}
	return &bound{number, Quote(value)}, nil
}

// read decodes a value and holds it to the declaration. Its messages continue a sentence that names the param.
func (d *declaration) read(raw []byte) (any, *Error) {
	value, err := decode(raw)
	if number, ok := value.(json.Number); ok && d.kind == Float {
		value, err = FloatOf(number)
	} else if err == nil {
		value, err = normalise(value)
	}
	if err != nil {
		return nil, &Error{Message: err.Error(), Remedy: "correct it"}
	}
	typed, ok := As(value, d.kind)
	if !ok {
		return nil, &Error{Message: fmt.Sprintf("is declared as %s and has the value %s", Describe(d.kind), describeValue(value)), Remedy: d.remedy(value)}
	}
	if len(d.options) > 0 && !slices.ContainsFunc(d.options, func(option any) bool { return equal(option, typed) }) {
		return nil, &Error{Message: fmt.Sprintf("has the value %s, which is no option", Quote(value)), Remedy: "give it " + d.accepts()}
	}
	size, unit := typed, "is"
	switch v := typed.(type) {
	case string:
		size, unit = int64(utf8.RuneCountInString(v)), "has the length"
	case []any:
		size, unit = int64(len(v)), "has the length"
	case map[string]any:
		size, unit = int64(len(v)), "has the length"
	}
	if d.minimum != nil && compare(size, d.minimum.value) < 0 || d.maximum != nil && compare(size, d.maximum.value) > 0 {
		return nil, &Error{Message: fmt.Sprintf("%s %s", unit, Quote(size)), Remedy: "give it " + d.accepts()}
	}
	if text, ok := typed.(string); ok && d.pattern != nil && !d.pattern.MatchString(text) {
		return nil, &Error{Message: fmt.Sprintf("has the value %s", Quote(text)), Remedy: "give it " + d.accepts()}
	}
	return typed, nil
}

// describeValue tells a text from the number it looks like.
func describeValue(value any) string {
	if t := TypeOf(value); t != Any {
		return fmt.Sprintf("%s, %s", Quote(value), Describe(t))
	}
	return Quote(value)
}

// remedy is what to write in place of a value of another type.
func (d *declaration) remedy(value any) string {
	if text, ok := value.(string); ok {
		if d.kind == Bool && (strings.EqualFold(text, "true") || strings.EqualFold(text, "false")) {
			return fmt.Sprintf("write it without quotes: %s", strings.ToLower(text))
		}
		if d.kind == Int || d.kind == Float || d.kind == List || d.kind == Map {
			if inner, err := Decode([]byte(text)); err == nil {
				if _, ok := As(inner, d.kind); ok {
					return "write it without quotes: " + clip(text)
				}
			}
		}
		// 1e-3 is a number of JSON too; .5 and +1 are not.
		if f, err := strconv.ParseFloat(text, 64); err == nil && d.kind == Float && !math.IsNaN(f) && !math.IsInf(f, 0) {
			return "write it as a number: " + Quote(f)
		}
	}
	if d.kind == String {
		switch value.(type) {
		case int64, float64, bool:
			return fmt.Sprintf("write it in quotes: %q", Quote(value))
		}
	}
	return "give it " + d.accepts()
}

// accepts says which values are accepted: an int from 1 to 10; one of "a", "b".
func (d *declaration) accepts() string {
	if len(d.options) > 0 {
		quoted := make([]string, 0, len(d.options))
		for _, option := range d.options {
			quoted = append(quoted, Quote(option))
		}
		const most = 10
		if len(quoted) > most {
			quoted = append(quoted[:most], fmt.Sprintf("and %d more", len(d.options)-most))
		}
		return "one of " + strings.Join(quoted, ", ")
	}
	text := Describe(d.kind)
	of := ""
	if d.kind != Int && d.kind != Float && (d.minimum != nil || d.maximum != nil) {
		of = " of a length"
	}
	switch {
	case d.minimum != nil && d.maximum != nil:
		text += fmt.Sprintf("%s from %s to %s", of, d.minimum.text, d.maximum.text)
	case d.minimum != nil:
		text += fmt.Sprintf("%s of at least %s", of, d.minimum.text)
	case d.maximum != nil:
		text += fmt.Sprintf("%s of at most %s", of, d.maximum.text)
	}
	if d.pattern != nil {
		text += " that matches " + clip(d.pattern.String())
	}
	return text
}

// compare orders numbers of either type, exactly.
func compare(a, b any) int {
	if x, ok := a.(int64); ok {
		if y, ok := b.(int64); ok {
			return cmp.Compare(x, y)
		}
	}
	return cmp.Compare(float(a), float(b))
}

func float(v any) float64 {
	f, _ := As(v, Float)
	number, _ := f.(float64)
	return number
}

// equal compares decoded JSON; 1 and 1.0 are one number.
func equal(a, b any) bool {
	switch a.(type) {
	case int64, float64:
		switch b.(type) {
		case int64, float64:
			return compare(a, b) == 0
		}
		return false
	}
	return reflect.DeepEqual(a, b)
}

func rawOf(value any) []byte {
	raw, err := json.Marshal(value)
	if err != nil {
		return nil
	}
	return raw
}
