package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// changedField is the first of some fields of the spec that an update changes; empty: none.
func changedField(before, after []byte, fields ...string) string {
	var was, is struct {
		Spec map[string]any `json:"spec"`
	}
	if decode(before, &was) != nil || decode(after, &is) != nil {
		return ""
	}
	for _, field := range fields {
		if !reflect.DeepEqual(was.Spec[field], is.Spec[field]) {
			return field
		}
	}
	return ""
}

// decode keeps numbers as they are written: two integers may be one float.
func decode(raw []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	return decoder.Decode(into)
}

// maxObject bounds an operation or workflow when it is created: etcd keeps 1.5 MiB of it, and its status comes to that.
const maxObject = 1_250_000

// tooLarge refuses what would have no room for its status. What is "operation" or "workflow".
func tooLarge(what string, raw []byte) *admission.Response {
	if len(raw) <= maxObject {
		return nil
	}
	response := invalidObject(fmt.Errorf("the %s has %d bytes, and with more than %d there is no room for its status: let its programs read what is large from a file, a ConfigMap or a bucket", what, len(raw), maxObject))
	return &response
}

// checkRestarts refuses restarts that make no sense. What is "operation" or "workflow".
func checkRestarts(what string, was, is int32, desired v1alpha1.DesiredState) error {
	switch {
	case is < was:
		return fmt.Errorf("spec.restarts may only grow, and would go from %d to %d: write %d to run the %s again", was, is, was+1, what)
	case is > was && desired == v1alpha1.Stopped:
		return fmt.Errorf("spec.restarts grows while spec.desiredState is %s: set spec.desiredState to %s, too", v1alpha1.Stopped, v1alpha1.Run)
	}
	return nil
}

// resumes says whether what is stopped is to run.
func resumes(was, is v1alpha1.DesiredState) bool {
	return was == v1alpha1.Stopped && is != v1alpha1.Stopped
}

// approve writes down who let go what was held. Nobody else writes that, and nothing takes it back.
func approve(user, what string, before, after metav1.Object, was, is *bool) (patch, *admission.Response) {
	held := func(approved *bool) bool { return approved != nil && !*approved }
	if held(is) && !held(was) {
		response := invalidObject(fmt.Errorf("spec.approved may not become false: %s %q is approved and may be on its way; set spec.desiredState to %s to stop it", what, after.GetName(), v1alpha1.Stopped))
		return nil, &response
	}
	wanted, given := before.GetAnnotations()[v1alpha1.ApprovedByAnnotation], after.GetAnnotations()[v1alpha1.ApprovedByAnnotation]
	if held(was) && !held(is) {
		wanted = user
	} else if given != "" && given != wanted {
		response := deny(http.StatusForbidden, metav1.StatusReasonForbidden, fmt.Sprintf(
			"annotation %s is written when somebody sets spec.approved to true, and by nobody: leave it as it is", v1alpha1.ApprovedByAnnotation))
		return nil, &response
	}
	var p patch
	switch {
	case wanted == given:
	case len(after.GetAnnotations()) == 0:
		p.add("/metadata/annotations", map[string]string{v1alpha1.ApprovedByAnnotation: wanted})
	default:
		p.add("/metadata/annotations/"+strings.ReplaceAll(v1alpha1.ApprovedByAnnotation, "/", "~1"), wanted)
	}
	return p, nil
}
