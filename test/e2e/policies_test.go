package e2e

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/sandbox"
)

// printing is a template of trials that print a loss at each of 400 steps: those below 4 are fast, the others take more
// than a minute and a half.
func printing(name string) string {
	return script(name, `
x={{ params.x }}
pause=0.25
if [ $x -lt 4 ]; then pause=0.005; fi
for step in {1..400}; do
  echo "step $step of 400"
  echo "queueyard {\"step\": $step, \"loss\": $x}"
  sleep $pause
done
echo "{\"loss\": $x}" > $TERMINATION_MESSAGE_PATH`)
}

// Trials that print bad values are stopped long before their end, others are not; the search goes on and gives the right
// best. The controller is killed in between.
func TestWorkflowPolicies(t *testing.T) {
	s := begin(t, "wf-policies")
	s.workflow("w", s.queue("q", seats(4)), `
entrypoint: main
termination: {maxRetries: 3}
templates:`+printing("job")+`
- name: main
  matrix:
    template: job
    grid: {params: {x: {kind: range, value: [1, 9, 1]}}}
    metric: {name: loss, optimization: minimize}
    earlyStopping: {policies: [{kind: median, evaluationInterval: 10, minInterval: 20, minSamples: 3}]}
`)
	reported := func() (n int) {
		for _, op := range s.childrenOf("w") {
			if op.Annotations[v1alpha1.ReportedAnnotation] != "" && op.Status.Phase == v1alpha1.StatusSucceeded {
				n++
			}
		}
		return n
	}
	s.eventually("what the good ones printed is written down", func() (bool, any) { n := reported(); return n == 3, n })
	s.eventually("it is killed", func() (bool, any) {
		err := s.sandbox.Signal(sandbox.Controller, syscall.SIGKILL)
		return err == nil, err
	})
	w := s.ends("w", v1alpha1.StatusSucceeded)
	require.EqualValues(t, 3, w.Status.Children.Succeeded)
	require.EqualValues(t, 5, w.Status.Children.Stopped)
	require.Equal(t, "1", w.Status.Best.Value)
	for _, op := range s.childrenOf("w") {
		last := op.Status.Timeline[len(op.Status.Timeline)-1]
		x := string(op.Spec.Params["x"].Raw)
		if op.Status.Phase == v1alpha1.StatusSucceeded {
			require.Less(t, x, "4")
			continue
		}
		require.GreaterOrEqual(t, x, "4")
		require.Equal(t, v1alpha1.ReasonStoppedByPolicy, last.Reason)
		require.Regexp(t, fmt.Sprintf(`^loss at step [0-9]+0 is %s at best, worse than 2, the median of the running averages of 3 ended children: stopped by the policy median$`, x), last.Message)
		require.Zero(t, op.Status.Retries)
		require.EqualValues(t, 1, op.Status.Attempt)
	}
}

// Simulated nodes have no logs: nothing is stopped, and nothing is held up.
func TestWorkflowPoliciesWithoutLogs(t *testing.T) {
	s := begin(t, "wf-no-logs")
	s.workflow("w", s.queue("q", seats(10)), `
entrypoint: main
templates:`+simulatedScript("job", "2s")+`
- name: main
  matrix:
    template: job
    grid: {params: {x: {kind: range, value: [0, 40, 1]}}}
    earlyStopping: {policies: [{kind: diff, percent: 1, metric: loss, optimization: minimize}]}
`)
	w := s.ends("w", v1alpha1.StatusSucceeded)
	require.EqualValues(t, 40, w.Status.Children.Succeeded)
}
