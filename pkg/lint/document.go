package lint

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Document is an object of a file.
type Document struct {
	File string
	// Object is nil where the document cannot be read.
	Object *unstructured.Unstructured

	node    *yamlv3.Node // its root
	before  int          // lines of the file before it
	err     error
	errLine int
}

// Err says why a document cannot be read, or nil.
func (d *Document) Err() error { return d.err }

// Documents are the objects of a file of YAML or JSON, those of Lists one by one. What holds nothing is left out. The file's first line is
// number first.
func Documents(file string, content []byte, first int) []*Document {
	var out []*Document
	line := first - 1
	for _, text := range split(content) {
		out = append(out, read(file, text, line)...)
		line += bytes.Count(text, []byte("\n"))
	}
	return out
}

// split cuts a file before the lines that begin documents.
func split(content []byte) [][]byte {
	var out [][]byte
	var current []byte
	for _, line := range bytes.SplitAfter(content, []byte("\n")) {
		if rest, is := strings.CutPrefix(string(line), "---"); is && (strings.TrimSpace(rest) == "" || strings.HasPrefix(strings.TrimSpace(rest), "#")) {
			out = append(out, current)
			current = nil
		}
		current = append(current, line...)
	}
	return append(out, current)
}

// errorLine is how YAML's errors name a line.
var errorLine = regexp.MustCompile(`line (\d+): `)

func read(file string, text []byte, before int) []*Document {
	d := &Document{File: file, before: before}
	fail := func(err error) []*Document {
		message := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "error converting YAML to JSON: "), "yaml: ")
		if found := errorLine.FindStringSubmatch(message); found != nil {
			n, _ := strconv.Atoi(found[1]) // it is digits
			d.errLine, message = before+n, errorLine.ReplaceAllString(message, "")
		}
		d.err = fmt.Errorf("it is no YAML: %s", strings.Join(strings.Fields(message), " "))
		return []*Document{d}
	}
	data, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return fail(err)
	}
	if string(data) == "null" {
		return nil
	}
	var root yamlv3.Node
	if err := yamlv3.Unmarshal(text, &root); err != nil {
		return fail(err)
	}
	d.node = root.Content[0]
	d.Object = &unstructured.Unstructured{}
	if d.Object.UnmarshalJSON(data) != nil {
		d.errLine = before + d.node.Line
		d.err = errors.New("it is no object of Kubernetes: those have apiVersion and kind")
		return []*Document{d}
	}
	if !d.Object.IsList() {
		return []*Document{d}
	}
	return d.items()
}

// items are the objects of a List.
func (d *Document) items() []*Document {
	var out []*Document
	list, err := d.Object.ToList()
	nodes := child(d.node, "items")
	if err != nil || nodes == nil || len(nodes.Content) != len(list.Items) {
		return []*Document{d}
	}
	for i := range list.Items {
		out = append(out, &Document{File: d.File, Object: &list.Items[i], node: nodes.Content[i], before: d.before})
	}
	return out
}

func child(n *yamlv3.Node, key string) *yamlv3.Node {
	for i := 0; n.Kind == yamlv3.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// lineOf is where the field of a path stands, or what of the path there is.
func (d *Document) lineOf(path string) int {
	return d.before + line(d.node, strings.TrimPrefix(path, "."))
}

func line(n *yamlv3.Node, path string) int {
	at := n.Line
	for path != "" {
		if n.Kind == yamlv3.AliasNode {
			n = n.Alias
		}
		switch n.Kind {
		case yamlv3.SequenceNode:
			index, rest, ok := strings.Cut(strings.TrimPrefix(path, "["), "]")
			i, err := strconv.Atoi(index)
			if !ok || err != nil || i >= len(n.Content) {
				return at
			}
			n, path = n.Content[i], strings.TrimPrefix(rest, ".")
			at = n.Line
		case yamlv3.MappingNode:
			key, value := longest(n, path)
			if key == nil {
				return at
			}
			path = strings.TrimPrefix(strings.TrimPrefix(path, "["), key.Value)
			path = strings.TrimPrefix(strings.TrimPrefix(path, "]"), ".")
			n, at = value, key.Line
		default:
			return at
		}
	}
	return at
}

// longest is the longest key with which a path begins: keys may have dots in them.
func longest(n *yamlv3.Node, path string) (key, value *yamlv3.Node) {
	path = strings.TrimPrefix(path, "[")
	for i := 0; i+1 < len(n.Content); i += 2 {
		rest, is := strings.CutPrefix(path, n.Content[i].Value)
		if is && (rest == "" || strings.ContainsRune(".[]", rune(rest[0]))) && (key == nil || len(n.Content[i].Value) > len(key.Value)) {
			key, value = n.Content[i], n.Content[i+1]
		}
	}
	return key, value
}

// Is says whether a document is an object of Queueyard of a kind.
func (d *Document) Is(kind string) bool {
	return d.Object != nil && d.isOurs() && d.Object.GetKind() == kind
}

// Title is the kind and name of a document that can be read.
func (d *Document) Title() string { return d.Finding(Error, "", "").Object }

// Into reads an object as what it is.
func (d *Document) Into(o any) error { return convert(d.Object, o) }

// Set writes a value over what the file says.
func (d *Document) Set(value any, fields ...string) error {
	return unstructured.SetNestedField(d.Object.Object, value, fields...)
}
