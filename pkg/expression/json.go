package expression

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"

	"github.com/queueyard/queueyard/pkg/params"
)

// adapter makes CEL values of decoded JSON, of either decoder: encoding/json with UseNumber, or
// Kubernetes' with int64 and float64. Lists and maps are converted as they are read.
type adapter struct{}

func (a adapter) NativeToValue(value any) ref.Val {
	switch v := value.(type) {
	case ref.Val:
		return v
	case nil:
		return types.NullValue
	case string:
		return types.String(v)
	case bool:
		return types.Bool(v)
	case int64:
		return types.Int(v)
	case int:
		return types.Int(v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return types.WrapErr(notFinite(v))
		}
		return types.Double(v)
	case json.Number:
		number, err := params.Number(v)
		if err != nil {
			return types.WrapErr(&fault{message: "a value " + err.Error(), remedy: "correct the value"})
		}
		return a.NativeToValue(number)
	case map[string]any:
		return types.NewStringInterfaceMap(a, v)
	case []any:
		return types.NewDynamicList(a, v)
	}
	return types.DefaultTypeAdapter.NativeToValue(value)
}

func notFinite(v float64) *fault {
	return &fault{message: fmt.Sprintf("the value is %v, which JSON has no number for", v), remedy: "compute another value, or convert it: string(x)"}
}

// export makes decoded JSON of CEL values: int64, float64, string, bool, nil, []any, map[string]any.
type export struct {
	left int // bytes, roughly
}

func (x *export) value(v ref.Val) (any, *fault) {
	if x.left -= 2; x.left < 0 {
		return nil, tooLarge()
	}
	switch v := v.(type) {
	case types.Null:
		return nil, nil
	case types.Bool:
		return bool(v), nil
	case types.Int:
		return int64(v), nil
	case types.Uint:
		if v > math.MaxInt64 {
			return nil, &fault{message: fmt.Sprintf("the value %du is beyond the integers of Kubernetes", uint64(v)), remedy: "convert it: string(x)"}
		}
		return int64(v), nil
	case types.Double:
		if f := float64(v); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f, nil
		}
		return nil, notFinite(float64(v))
	case types.String:
		if x.left -= len(v); x.left < 0 {
			return nil, tooLarge()
		}
		return string(v), nil
	case types.Timestamp, types.Duration:
		return string(v.ConvertToType(types.StringType).(types.String)), nil
	case types.Bytes:
		return nil, &fault{message: "the value is bytes, which JSON has no type for", remedy: "convert it: string(x) or base64.encode(x)"}
	case *types.Optional:
		if !v.HasValue() {
			return nil, &fault{message: "the optional value is absent", remedy: "say what holds then: .orValue(...)"}
		}
		return x.value(v.GetValue())
	case *types.Err:
		return nil, asFault(v)
	case traits.Mapper:
		return x.object(v)
	case traits.Lister:
		return x.list(v)
	}
	return nil, &fault{message: fmt.Sprintf("the value is of type %s, which JSON has no type for", v.Type().TypeName()), remedy: "convert it: string(x)"}
}

func (x *export) list(list traits.Lister) (any, *fault) {
	n := length(list)
	if n > x.left {
		return nil, tooLarge()
	}
	out := make([]any, 0, n)
	for i := range types.Int(n) {
		element, f := x.value(list.Get(i))
		if f != nil {
			return nil, f
		}
		out = append(out, element)
	}
	return out, nil
}

func (x *export) object(m traits.Mapper) (any, *fault) {
	if length(m) > x.left {
		return nil, tooLarge()
	}
	out := make(map[string]any, length(m))
	for i := m.Iterator(); i.HasNext() == types.True; {
		key := i.Next()
		name, ok := key.(types.String)
		if !ok {
			return nil, &fault{message: fmt.Sprintf("a map has the key %v of type %s, and JSON has only strings as keys", key.Value(), key.Type().TypeName()), remedy: "convert the key: string(x)"}
		}
		value, f := x.value(m.Get(key))
		if f != nil {
			return nil, f
		}
		x.left -= len(name)
		out[string(name)] = value
	}
	return out, nil
}

func tooLarge() *fault {
	return &fault{message: fmt.Sprintf("what is rendered is larger than %d bytes", MaxRenderedBytes), remedy: "let the program read it from a file or a bucket"}
}

func asFault(err *types.Err) *fault {
	if f, ok := err.Unwrap().(*fault); ok {
		return f
	}
	return &fault{message: err.String(), remedy: "correct the value"}
}

// text is a value inside a string: as JSON writes it, but strings without quotes.
func (x *export) text(v ref.Val) (string, *fault) {
	value, f := x.value(v)
	if f != nil {
		return "", f
	}
	switch v := value.(type) {
	case string:
		return v, nil
	case nil:
		return "", &fault{message: "the value is null, which has no text", remedy: `say what to write then: (x == null ? "none" : x)`}
	}
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "", &fault{message: "the value is no JSON: " + err.Error(), remedy: "convert it: string(x)"}
	}
	text := strings.TrimSuffix(out.String(), "\n")
	x.left -= len(text)
	if x.left < 0 {
		return "", tooLarge()
	}
	return text, nil
}
