// Package params checks the params of an operation or a workflow against their declarations.
package params

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Type is the type of a value.
type Type = v1alpha1.InputType

// The types. An undeclared type is Any.
const (
	String Type = "string"
	Int    Type = "int"
	Float  Type = "float"
	Bool   Type = "bool"
	List   Type = "list"
	Map    Type = "map"
	Any    Type = "any"
)

// Types are all types, in the order of their documentation.
var Types = []Type{String, Int, Float, Bool, List, Map, Any}

// Decode reads one JSON value: an integer becomes int64, another number float64.
func Decode(raw []byte) (any, error) {
	value, err := decode(raw)
	if err != nil {
		return nil, err
	}
	return normalise(value)
}

// decode reads one JSON value, with numbers as they were written.
func decode(raw []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("is not JSON (%w)", err)
	}
	if decoder.More() {
		return nil, fmt.Errorf("is more than one JSON value")
	}
	return value, nil
}

func normalise(value any) (any, error) {
	var err error
	switch v := value.(type) {
	case json.Number:
		return Number(v)
	case []any:
		for i := range v {
			if v[i], err = normalise(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for key := range v {
			if v[key], err = normalise(v[key]); err != nil {
				return nil, err
			}
		}
	}
	return value, nil
}

// Number is the int64 or the float64 that a JSON number is. What neither holds is refused: rounding it
// silently would change an identifier or a seed.
func Number(n json.Number) (any, error) {
	text := n.String()
	if !strings.ContainsAny(text, ".eE") {
		i, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("has the integer %s, which is beyond 64 bits: write it as a string", clip(text))
		}
		return i, nil
	}
	return FloatOf(n)
}

// FloatOf is a JSON number as a float, however it was written: 1e20 comes back from Kubernetes without its exponent.
func FloatOf(n json.Number) (float64, error) {
	text := n.String()
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("has the number %s, which is beyond a 64-bit float: write it as a string", clip(text))
	}
	return f, nil
}

// As is the value as a type: an integer is also a float, a float without a fraction is also an integer
// (JSON does not keep them apart), and nothing else is converted.
func As(value any, t Type) (any, bool) {
	switch t {
	case Any, "":
		return value, true
	case Float:
		switch v := value.(type) {
		case int64:
			return float64(v), true
		case float64:
			return v, true
		}
	case Int:
		switch v := value.(type) {
		case int64:
			return v, true
		case float64:
			if i := int64(v); v == math.Trunc(v) && math.Abs(v) < 1<<53 {
				return i, true
			}
		}
	default:
		return value, TypeOf(value) == t
	}
	return nil, false
}

// TypeOf is the type of a decoded JSON value; null has none and is Any.
func TypeOf(value any) Type {
	switch value.(type) {
	case string:
		return String
	case int64:
		return Int
	case float64:
		return Float
	case bool:
		return Bool
	case []any:
		return List
	case map[string]any:
		return Map
	}
	return Any
}

// Describe names a type with its article.
func Describe(t Type) string {
	switch t {
	case Int:
		return "an int"
	case Any, "":
		return "any value"
	}
	return "a " + string(t)
}

// Quote repeats a value in a sentence, cut where it is long.
func Quote(value any) string {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Sprintf("%v", value)
	}
	return clip(strings.TrimSuffix(text.String(), "\n"))
}

const maxQuoted = 70

func clip(text string) string {
	if len(text) <= maxQuoted {
		return text
	}
	return strings.ToValidUTF8(text[:maxQuoted], "") + "..."
}
