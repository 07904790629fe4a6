package webhook

import (
	"maps"
	"slices"
	"strings"

	"gomodules.xyz/jsonpatch/v2"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// patch collects the changes by hand. A difference of re-encoded objects would drop fields that a
// newer API server knows and this build does not.
type patch []jsonpatch.Operation

func (p *patch) add(path string, value any) {
	*p = append(*p, jsonpatch.NewOperation("add", path, value))
}

// fillLabels adds the labels of Queueyard that are missing or empty. A label that names the queue in the longer
// form stays as it is: a ReplicaSet whose selector holds it would no longer know its pod.
func (p *patch) fillLabels(path string, current, wanted map[string]string) {
	missing := map[string]string{}
	for _, key := range []string{v1alpha1.QueueLabel, v1alpha1.ProjectLabel} {
		if wanted[key] != "" && current[key] == "" {
			missing[key] = wanted[key]
		}
	}
	if len(missing) == 0 {
		return
	}
	if len(current) == 0 {
		p.add(path, missing)
		return
	}
	for _, key := range slices.Sorted(maps.Keys(missing)) {
		p.add(path+"/"+strings.ReplaceAll(key, "/", "~1"), missing[key])
	}
}

func labelsOf(a tenancy.Assignment) map[string]string {
	return map[string]string{v1alpha1.QueueLabel: a.Queue, v1alpha1.ProjectLabel: a.Project}
}
