// Package lint checks files of Queueyard's objects, and of pods and Jobs in queues, without a cluster: by the schemas that are
// installed, and by the rules that admission has for what one object can show. It is pure.
package lint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/misfit"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// Severity of a finding.
type Severity string

// An error would be refused, a warning may be meant.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// The rules by which something is found.
const (
	RuleSyntax       = "syntax"
	RuleUnknownField = "unknown-field"
	RuleSchema       = "schema"
	RuleReserved     = "reserved"
	RuleReference    = "reference"
	RulePlacement    = "placement"
	RuleQueue        = "queue"
	RuleProject      = "project"
	RuleOrganization = "organization"
	RuleComponent    = "component"
	RuleOperation    = "operation"
	RuleWorkflow     = "workflow"
	// RuleServer is of what a cluster refused.
	RuleServer = "server"
)

// Finding is something wrong with an object.
type Finding struct {
	File string `json:"file"`
	// Line from 1; 0 where it is not known.
	Line     int      `json:"line,omitempty"`
	Object   string   `json:"object,omitempty"`
	Severity Severity `json:"severity"`
	Rule     string   `json:"rule"`
	// Message says where in the object, what is wrong, and what to do about it.
	Message string `json:"message"`
}

// String is a finding as compilers write it.
func (f Finding) String() string {
	text := f.File
	if f.Line > 0 {
		text += fmt.Sprintf(":%d", f.Line)
	}
	text += ": " + string(f.Severity) + ": "
	if f.Object != "" {
		text += f.Object + ": "
	}
	return text + f.Message + " [" + f.Rule + "]"
}

// linter collects what is wrong with one document.
type linter struct {
	doc *Document
	// namespace of the document, also if it names none.
	namespace  string
	components func(name string) (*v1alpha1.Component, bool)
	findings   []Finding
}

// Lint says what is wrong with documents, in their order. Components that an operation or workflow names are looked for
// among them; namespace is that of those that name none.
func Lint(ctx context.Context, docs []*Document, namespace string) []Finding {
	var out []Finding
	for _, d := range docs {
		out = append(out, One(ctx, docs, d, namespace)...)
	}
	return out
}

// One says what is wrong with one of some documents.
func One(ctx context.Context, docs []*Document, d *Document, namespace string) []Finding {
	l := &linter{doc: d}
	if d.Object != nil {
		l.namespace = namespaceOf(d, namespace)
	}
	l.components = func(name string) (*v1alpha1.Component, bool) {
		c, ok := Components(docs, namespace)[l.namespace+"/"+name]
		return c, ok
	}
	l.lint(ctx)
	slices.SortStableFunc(l.findings, func(a, b Finding) int { return a.Line - b.Line })
	return l.findings
}

// Tenants are the projects and organizations among documents.
func Tenants(docs []*Document) *tenancy.Index {
	x := tenancy.NewIndex()
	for _, d := range docs {
		switch {
		case d.Is("Project"):
			p := &v1alpha1.Project{}
			if convert(d.Object, p) == nil {
				x.SetProject(p)
			}
		case d.Is("Organization"):
			o := &v1alpha1.Organization{}
			if convert(d.Object, o) == nil {
				x.SetOrganization(o)
			}
		}
	}
	return x
}

// Components are those of documents by NAMESPACE/NAME.
func Components(docs []*Document, namespace string) map[string]*v1alpha1.Component {
	out := map[string]*v1alpha1.Component{}
	for _, d := range docs {
		c := &v1alpha1.Component{}
		if d.Object != nil && d.isOurs() && d.Object.GetKind() == "Component" && convert(d.Object, c) == nil {
			out[namespaceOf(d, namespace)+"/"+c.Name] = c
		}
	}
	return out
}

func namespaceOf(d *Document, otherwise string) string {
	if d.Object.GetNamespace() != "" {
		return d.Object.GetNamespace()
	}
	return otherwise
}

// convert reads an object as what it is; fields that it has not are left to the schema.
func convert(raw *unstructured.Unstructured, into any) error {
	data, err := json.Marshal(raw.Object)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// Checked says whether a document is of a kind that is checked here.
func (d *Document) Checked() bool {
	return d.err != nil || d.isOurs() || d.isCore("v1", "Pod") || d.isCore("batch/v1", "Job")
}

func (d *Document) isOurs() bool {
	return strings.HasPrefix(d.Object.GetAPIVersion(), v1alpha1.GroupVersion.Group+"/")
}

func (d *Document) isCore(version, kind string) bool {
	return d.Object.GetAPIVersion() == version && d.Object.GetKind() == kind
}

func (l *linter) lint(ctx context.Context) {
	d := l.doc
	switch {
	case d.err != nil:
		l.findings = append(l.findings, Finding{File: d.File, Line: d.errLine, Severity: Error, Rule: RuleSyntax, Message: d.err.Error()})
	case d.isOurs():
		if l.schema(ctx) {
			l.rules(ctx)
		}
	case d.isCore("v1", "Pod"):
		l.pod()
	case d.isCore("batch/v1", "Job"):
		l.job()
	}
}

// add adds a finding at the path of a field.
func (l *linter) add(severity Severity, rule, path, message string) {
	f := l.doc.Finding(severity, rule, message)
	f.Line = l.doc.lineOf(path)
	if !slices.Contains(l.findings, f) {
		l.findings = append(l.findings, f)
	}
}

// Finding is one of a document that can be read, as a whole.
func (d *Document) Finding(severity Severity, rule, message string) Finding {
	name := d.Object.GetName()
	if name == "" {
		name = d.Object.GetGenerateName()
	}
	return Finding{File: d.File, Line: d.lineOf(""), Object: strings.ToLower(d.Object.GetKind()) + "/" + name, Severity: severity, Rule: rule, Message: message}
}

// fieldOf is the field with which a sentence begins, or that it names as a label or annotation.
var (
	fieldOf = regexp.MustCompile(`^(?:spec|metadata|status)[A-Za-z0-9_.\[\]/-]*`)
	// A template's own kind finds a field that it has not, or a value that does not fit; an entrypoint is told without its path.
	inTemplate = regexp.MustCompile(`^it is no (Pod|Job): (?:unknown field ")?([a-z][^": ]*)`)
	markOf     = regexp.MustCompile(`\b(label|annotation) ([a-z0-9.-]+/[a-z0-9-]+)`)
)

// said adds every sentence of an error.
func (l *linter) said(rule string, err error) {
	if err == nil {
		return
	}
	var lists interface{ Unwrap() []error }
	if errors.As(err, &lists) {
		for _, one := range lists.Unwrap() {
			l.said(rule, one)
		}
		return
	}
	path := strings.TrimRight(fieldOf.FindString(err.Error()), ".")
	if found := markOf.FindStringSubmatch(err.Error()); path == "" && found != nil {
		path = "metadata." + found[1] + "s." + found[2]
	}
	switch found := inTemplate.FindStringSubmatch(err.Error()); {
	case found != nil:
		path = "spec.template." + strings.ToLower(found[1]) + "." + found[2]
	case strings.HasPrefix(err.Error(), "entrypoint "):
		path = "spec.entrypoint"
	}
	l.add(Error, rule, path, err.Error())
}

// misfit says which value keeps an object from being read.
func (l *linter) misfit(into runtime.Object, err error) {
	if raw, cannot := l.doc.Object.MarshalJSON(); cannot == nil {
		err = misfit.Explain(raw, into, err)
	}
	l.add(Error, RuleSchema, strings.TrimRight(fieldOf.FindString(err.Error()), "."), err.Error())
}

// strict reads an object of Kubernetes, and finds fields that there are not.
func (l *linter) strict(into runtime.Object) bool {
	err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(l.doc.Object.Object, into, true)
	if err == nil {
		return true
	}
	strict, is := runtime.AsStrictDecodingError(err)
	if !is {
		l.misfit(into, err)
		return false
	}
	for _, one := range strict.Errors() {
		path, quoted := strings.CutPrefix(one.Error(), "unknown field ")
		path = strings.Trim(path, `"`)
		if !quoted {
			l.add(Error, RuleSchema, "", one.Error())
			continue
		}
		l.unknown(path, fieldsOf(into, parentOf(path)))
	}
	return false
}
