package search

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/queueyard/queueyard/pkg/suggest"
)

// arguments reads the numbers of a distribution, written as a list, an object or one string. Names in
// brackets may be left out.
func arguments(value json.RawMessage, names ...string) ([]*number, error) {
	required := 0
	plain := make([]string, len(names))
	for i, name := range names {
		plain[i] = strings.Trim(name, "[]")
		if plain[i] == name {
			required++
		}
	}
	wrong := func(format string, args ...any) ([]*number, error) {
		return nil, fmt.Errorf("%s: write %s", fmt.Sprintf(format, args...), syntax(plain, required))
	}

	texts := make([]json.RawMessage, len(names))
	switch value = bytes.TrimSpace(value); {
	case len(value) == 0 || string(value) == "null":
		return wrong("value is missing")
	case value[0] == '[':
		var list []json.RawMessage
		if err := json.Unmarshal(value, &list); err != nil {
			return wrong("value is no JSON")
		}
		if len(list) > len(names) {
			return wrong("value has %d numbers", len(list))
		}
		copy(texts, list)
	case value[0] == '{':
		var object map[string]json.RawMessage
		if err := json.Unmarshal(value, &object); err != nil {
			return wrong("value is no JSON")
		}
		for _, key := range sortedKeys(object) {
			i := slices.Index(plain, key)
			if i < 0 {
				return wrong("value has the unknown key %q%s", clip(key), suggest.DidYouMean(key, plain))
			}
			texts[i] = object[key]
		}
	case value[0] == '"':
		var text string
		if err := json.Unmarshal(value, &text); err != nil {
			return wrong("value is no JSON")
		}
		parts := strings.Split(text, ":")
		if len(parts) > len(names) {
			return wrong("value is %q, which has %d numbers", clip(text), len(parts))
		}
		for i, part := range parts {
			texts[i] = json.RawMessage(strings.TrimSpace(part))
		}
	default:
		return wrong("value is %s", clip(string(value)))
	}

	out := make([]*number, len(names))
	for i, text := range texts {
		if len(text) == 0 || string(text) == "null" {
			if i < required {
				return wrong("%s is missing", plain[i])
			}
			continue
		}
		unquoted := string(text)
		if text[0] == '"' {
			if json.Unmarshal(text, &unquoted) != nil {
				return wrong("%s is no JSON", plain[i])
			}
		}
		n, ok := parseNumber(unquoted)
		if !ok {
			return wrong("%s is %s, which is no number that a float can hold in at most %d characters", plain[i], clip(string(text)), maxDigits)
		}
		out[i] = &n
	}
	return out, nil
}

// syntax shows the three ways to write arguments.
func syntax(names []string, required int) string {
	list := func(separator, format string) string {
		var parts []string
		for _, name := range names[:required] {
			parts = append(parts, fmt.Sprintf(format, name))
		}
		return strings.Join(parts, separator)
	}
	text := fmt.Sprintf(`[%s], {%s} or "%s"`, list(", ", "%s"), list(", ", "%s: ..."), list(":", "%s"))
	if required < len(names) {
		text += fmt.Sprintf(" (and %s, if wanted)", strings.Join(names[required:], ", "))
	}
	return text
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// clip shortens what a user wrote for a sentence.
func clip(text string) string {
	if len(text) <= 60 {
		return text
	}
	return strings.ToValidUTF8(text[:60], "") + "..."
}
