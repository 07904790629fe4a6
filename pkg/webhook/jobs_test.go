package webhook

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	batchv1 "k8s.io/api/batch/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

func TestRemedyForAJobThatIsOneSided(t *testing.T) {
	const text = `S; what a Job says changes only together with its pod template, while it is suspended and has not started: ` +
		`move the pods that wait with 'kubectl label pods -n n -l job-name=j %s --overwrite', or delete the Job and create it anew`
	queue := func(v string) map[string]string { return map[string]string{v1alpha1.QueueLabel: v} }
	project := func(v string) map[string]string { return map[string]string{v1alpha1.ProjectLabel: v} }
	for name, tc := range map[string]struct {
		labels, annotations, template map[string]string
		reason                        string
		moves                         string
	}{
		"queue":            {labels: queue("a"), template: queue("b"), reason: tenancy.ReasonContradiction, moves: "queueyard.io/queue=a"},
		"queue with agent": {annotations: queue("x/a"), template: queue("b"), reason: tenancy.ReasonContradiction, moves: "queueyard.io/queue=x.a"},
		"project":          {labels: project("p"), template: project("o"), reason: tenancy.ReasonContradiction, moves: "queueyard.io/project=p"},
		"only the template contradicts itself": {
			template: queue("b"), reason: tenancy.ReasonContradiction,
		},
		"another reason": {labels: queue("a"), template: queue("b"), reason: tenancy.ReasonUnknownQueue},
	} {
		t.Run(name, func(t *testing.T) {
			job := &batchv1.Job{}
			job.Name, job.Labels, job.Annotations = "j", tc.labels, tc.annotations
			job.Spec.Template.Labels = tc.template
			got := withRemedy(&tenancy.Refusal{Reason: tc.reason, Message: "S"}, "n", job)
			if tc.moves == "" {
				assert.Equal(t, "S", got.Message)
				return
			}
			assert.Equal(t, fmt.Sprintf(text, tc.moves), got.Message)
		})
	}
}
