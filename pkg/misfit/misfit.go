// Package misfit says where in a document a value stands that its type does not take, and what to write there: errors of JSON
// leave the place out where a type reads itself, as durations and quantities do.
package misfit

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8sjson "sigs.k8s.io/json"
)

// longest is how much of a value is told.
const longest = 200

// Explain is the error that a document can't be read into a type, with place and remedy; the error itself where neither is found.
func Explain(document []byte, into any, err error) error {
	if found := find(document, reflect.TypeOf(into), ""); found != nil {
		return found
	}
	return err
}

// find is the first value that does not fit, from the top.
func find(raw []byte, t reflect.Type, path string) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	err := k8sjson.UnmarshalCaseSensitivePreserveInts(raw, reflect.New(t).Interface())
	if err == nil {
		return nil
	}
	var items []json.RawMessage
	var members map[string]json.RawMessage
	if !reflect.PointerTo(t).Implements(unmarshaler) {
		switch {
		case t.Kind() == reflect.Slice && json.Unmarshal(raw, &items) == nil:
			for i, item := range items {
				if found := find(item, t.Elem(), fmt.Sprintf("%s[%d]", path, i)); found != nil {
					return found
				}
			}
		case t.Kind() == reflect.Map && json.Unmarshal(raw, &members) == nil:
			for _, name := range slices.Sorted(maps.Keys(members)) {
				if found := find(members[name], t.Elem(), below(path, name)); found != nil {
					return found
				}
			}
		case t.Kind() == reflect.Struct && json.Unmarshal(raw, &members) == nil:
			for i := range t.NumField() {
				f := t.Field(i)
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				if name == "" && f.Anonymous {
					if found := find(raw, f.Type, path); found != nil {
						return found
					}
				} else if member, ok := members[name]; ok {
					if found := find(member, f.Type, below(path, name)); found != nil {
						return found
					}
				}
			}
		}
	}
	if path == "" {
		return nil
	}
	value := string(raw)
	if len(value) > longest {
		value = value[:longest] + "…"
	}
	return fmt.Errorf("%s: %s %s", path, value, wanted(t, err))
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

func below(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// wanted follows a value in a sentence.
func wanted(t reflect.Type, err error) string {
	switch t {
	case reflect.TypeFor[metav1.Duration]():
		return "is no duration: write numbers with units h, m or s, such as 90s, 1h30m or 168h"
	case reflect.TypeFor[resource.Quantity]():
		return "is no quantity: write a number such as 2, 500m or 16Gi"
	case reflect.TypeFor[metav1.Time]():
		return "is no time: write it as 2026-03-01T12:00:00Z"
	}
	switch t.Kind() {
	case reflect.Int32:
		return fmt.Sprintf("is no whole number between %d and %d", math.MinInt32, math.MaxInt32)
	case reflect.Int, reflect.Int64:
		return "is no whole number"
	case reflect.Bool:
		return "is neither true nor false"
	case reflect.String:
		return "is no text: write it in quotes"
	case reflect.Slice:
		return "is no list"
	case reflect.Map, reflect.Struct:
		return "is no object"
	}
	return "can't be read: " + err.Error()
}
