package webhook_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// What the programs have more rights for than tenants, and how a tenant could have them use these.

// manifest is a template of an object of any kind.
func manifest(text string) func(*v1alpha1.Operation) {
	return func(o *v1alpha1.Operation) {
		o.Spec.Template = &v1alpha1.RunTemplate{Object: &v1alpha1.ObjectTemplate{Manifest: runtime.RawExtension{Raw: []byte(text)}, SuccessCondition: "true"}}
	}
}

// The controller makes objects without asking again, so what it would make is known when the operation is created.
func TestTemplatesMakeNoMoreThanTheirAuthorMay(t *testing.T) {
	h := newHouse(t, "deputy")
	const made = `{"successCondition": "true", "manifest": {"apiVersion": "queueyard.io/v1alpha1", "kind": "Assignment", "spec": {}}}`
	for name, tc := range map[string]struct{ text, part string }{
		"an operation that makes more": {`{"apiVersion": "queueyard.io/v1alpha1", "kind": "Operation", "spec": {"template": {"object": ` + made + `}}}`,
			"kind is Operation, and operations make nothing of Queueyard's own: create it yourself, or write a Workflow"},
		"a workflow that makes more": {`{"apiVersion": "queueyard.io/v1alpha1", "kind": "Workflow", "spec": {"entrypoint": "x", "templates": [{"name": "x", "operation": {"template": {"object": ` + made + `}}}]}}`,
			"kind is Workflow, and operations make nothing of Queueyard's own"},
		"a kind of the second attempt": {`{"apiVersion": "{{ globals.attempt == 1 ? 'v1' : 'rbac.authorization.k8s.io/v1' }}", "kind": "{{ globals.attempt == 1 ? 'ConfigMap' : 'RoleBinding' }}"}`,
			"spec.template.object.manifest.apiVersion must be written out, without an expression"},
		"a kind of a UID": {`{"apiVersion": "v1", "kind": "{{ globals.uid.startsWith('00000000-') ? 'ConfigMap' : 'Secret' }}"}`,
			"spec.template.object.manifest.kind must be written out, without an expression"},
	} {
		t.Run(name, func(t *testing.T) {
			requireRefused(t, h.edit.Create(t.Context(), op(h.namespace, "x", manifest(tc.text))), operationsWebhook, tc.part)
		})
	}
}
