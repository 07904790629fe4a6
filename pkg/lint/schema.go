package lint

import (
	"context"
	"fmt"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	sigsjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"github.com/queueyard/queueyard/manifests"
	"github.com/queueyard/queueyard/pkg/suggest"
)

// crd is what a kind's definition says of its objects.
type crd struct {
	namespaced bool
	structure  *structuralschema.Structural
	validator  crdvalidation.SchemaValidator
	rules      *cel.Validator
}

// crdDir is where the definitions are among what is installed.
const crdDir = "install/crds"

// crds are the definitions that are installed, by apiVersion and kind.
var crds = sync.OnceValues(func() (map[string]*crd, error) {
	files, err := manifests.Install.ReadDir(crdDir)
	if err != nil {
		return nil, err
	}
	out := map[string]*crd{}
	for _, f := range files {
		text, err := manifests.Install.ReadFile(path.Join(crdDir, f.Name()))
		if err != nil {
			return nil, err
		}
		definition := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.Unmarshal(text, definition); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name(), err)
		}
		for i := range definition.Spec.Versions {
			version := &definition.Spec.Versions[i]
			c, err := newCRD(definition, version)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.Name(), err)
			}
			out[definition.Spec.Group+"/"+version.Name+" "+definition.Spec.Names.Kind] = c
		}
	}
	return out, nil
})

func newCRD(definition *apiextensionsv1.CustomResourceDefinition, version *apiextensionsv1.CustomResourceDefinitionVersion) (*crd, error) {
	props := &apiextensions.JSONSchemaProps{}
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(version.Schema.OpenAPIV3Schema, props, nil); err != nil {
		return nil, err
	}
	c := &crd{namespaced: definition.Spec.Scope == apiextensionsv1.NamespaceScoped}
	var err error
	if c.structure, err = structuralschema.NewStructural(props); err != nil {
		return nil, err
	}
	if c.validator, _, err = crdvalidation.NewSchemaValidator(props); err != nil {
		return nil, err
	}
	c.rules = cel.NewValidator(c.structure, true, celconfig.PerCallLimit)
	return c, nil
}

// Default writes into an object of Queueyard what the API server would.
func (d *Document) Default() error {
	all, err := crds()
	if err != nil {
		return err
	}
	if c := all[d.Object.GetAPIVersion()+" "+d.Object.GetKind()]; c != nil {
		defaulting.Default(d.Object.Object, c.structure)
	}
	return nil
}

// schema checks an object by its kind's definition. It says whether the object can be read as one of that kind.
func (l *linter) schema(ctx context.Context) bool {
	all, err := crds()
	if err != nil {
		l.add(Error, RuleSchema, "", err.Error())
		return false
	}
	object := l.doc.Object
	c := all[object.GetAPIVersion()+" "+object.GetKind()]
	if c == nil {
		var kinds []string
		for name := range all {
			if version, kind, _ := strings.Cut(name, " "); version == object.GetAPIVersion() {
				kinds = append(kinds, kind)
			}
		}
		slices.Sort(kinds)
		l.add(Error, RuleSchema, "kind", fmt.Sprintf("%s has no kind %q%s: write one of %s", object.GetAPIVersion(), object.GetKind(),
			suggest.DidYouMean(object.GetKind(), kinds), strings.Join(kinds, ", ")))
		return false
	}
	named := object.DeepCopy()
	if named.GetName() == "" && named.GetGenerateName() != "" {
		named.SetName(named.GetGenerateName() + "x") // the API server has made a name when it looks
	}
	content := named.Object
	for _, unknown := range pruning.PruneWithOptions(content, c.structure, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}) {
		l.unknown(unknown, slices.Collect(maps.Keys(structureAt(c.structure, parentOf(unknown)).Properties)))
	}
	defaulting.Default(content, c.structure)
	before := len(l.findings)
	l.metadata(content, c.namespaced)
	errs := crdvalidation.ValidateCustomResource(nil, content, c.validator)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, c.structure, content)...)
	if len(errs) == 0 && c.rules != nil {
		errs, _ = c.rules.Validate(ctx, nil, c.structure, content, nil, celconfig.RuntimeCELCostBudget)
	}
	for _, e := range errs {
		l.add(Error, RuleSchema, e.Field, inWords(e))
	}
	return len(l.findings) == before
}

// metadata checks the part that all objects have.
func (l *linter) metadata(content map[string]any, namespaced bool) {
	raw, err := yaml.Marshal(content["metadata"])
	if err == nil {
		raw, err = yaml.YAMLToJSON(raw)
	}
	meta := &metav1.ObjectMeta{}
	var strict []error
	if err == nil {
		strict, err = sigsjson.UnmarshalStrict(raw, meta)
	}
	if err != nil {
		l.add(Error, RuleSchema, "metadata", "metadata: "+err.Error())
		return
	}
	for _, one := range strict {
		name := strings.Trim(strings.TrimPrefix(one.Error(), "unknown field "), `"`)
		l.unknown("metadata."+name, fieldsOf(&metav1.PartialObjectMetadata{}, "metadata"))
	}
	if namespaced && meta.Namespace == "" {
		meta.Namespace = metav1.NamespaceDefault
	}
	for _, e := range apivalidation.ValidateObjectMeta(meta, namespaced, apivalidation.NameIsDNSSubdomain, field.NewPath("metadata")) {
		l.add(Error, RuleSchema, e.Field, inWords(e))
	}
}

// inWords is an error of a schema with its remedy.
func inWords(e *field.Error) string {
	text := strings.TrimPrefix(e.Error(), "<nil>: ") // of the object as a whole
	switch e.Type {
	case field.ErrorTypeRequired:
		if e.Detail == "" {
			text += ": add it"
		}
	case field.ErrorTypeNotSupported:
		if _, values, ok := strings.Cut(e.Detail, "supported values: "); ok {
			var known []string
			for _, v := range strings.Split(values, ", ") {
				known = append(known, strings.Trim(v, `"`))
			}
			text += suggest.DidYouMean(fmt.Sprint(e.BadValue), known)
		}
	}
	return text
}

// unknown adds a field that there is not, with what may be meant among those that there are.
func (l *linter) unknown(at string, known []string) {
	name := strings.TrimPrefix(strings.TrimPrefix(at, parentOf(at)), ".")
	l.add(Error, RuleUnknownField, at, fmt.Sprintf("%s: there is no field %q%s: correct its name, or remove it", at, name, suggest.DidYouMean(name, known)))
}

// parentOf is a path without its last field.
func parentOf(at string) string {
	if i := strings.LastIndex(at, "."); i >= 0 {
		return at[:i]
	}
	return ""
}

// structureAt is the part of a schema at a path; an empty one where there is none.
func structureAt(s *structuralschema.Structural, at string) *structuralschema.Structural {
	for _, part := range strings.Split(at, ".") {
		if part == "" {
			continue
		}
		name, _, indexed := strings.Cut(part, "[")
		next, ok := s.Properties[name]
		if !ok {
			if s.AdditionalProperties == nil || s.AdditionalProperties.Structural == nil {
				return &structuralschema.Structural{}
			}
			next = *s.AdditionalProperties.Structural
		}
		s = &next
		if indexed && s.Items != nil {
			s = s.Items
		}
	}
	return s
}

// fieldsOf are the names of the fields of a Go type at a path.
func fieldsOf(o runtime.Object, at string) []string {
	t := reflect.TypeOf(o)
	for _, part := range strings.Split(at, ".") {
		name, _, _ := strings.Cut(part, "[")
		if name == "" {
			continue
		}
		next := jsonFields(t)[name]
		if next == nil {
			return nil
		}
		t = next
	}
	return slices.Sorted(maps.Keys(jsonFields(t)))
}

// jsonFields are the fields that a type has in JSON.
func jsonFields(t reflect.Type) map[string]reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	out := map[string]reflect.Type{}
	if t.Kind() != reflect.Struct {
		return out
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" && strings.Contains(options, "inline") {
			maps.Copy(out, jsonFields(f.Type))
		} else if name != "" && name != "-" {
			out[name] = f.Type
		}
	}
	return out
}
