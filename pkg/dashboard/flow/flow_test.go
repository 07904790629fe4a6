package flow

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/workflow/family"
	"github.com/queueyard/queueyard/pkg/workflow/plan"
)

var zero = time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return zero.Add(time.Duration(seconds) * time.Second) }

func ms(seconds int) int64 { return at(seconds).UnixMilli() }

// line is a timeline: "queued@0 running@5 failed@9".
func line(text string) (out []v1alpha1.TimelineEntry) {
	for _, entry := range strings.Fields(text) {
		status, second, _ := strings.Cut(entry, "@")
		n, err := strconv.Atoi(second)
		if err != nil {
			panic(err)
		}
		out = append(out, v1alpha1.TimelineEntry{Status: v1alpha1.Status(status), Time: metav1.NewMicroTime(at(n)), Reason: "Reason", Message: status + " it is"})
	}
	return out
}

// workflowOf is a workflow of a spec in YAML.
func workflowOf(t testing.TB, name, spec, statuses string) *v1alpha1.Workflow {
	t.Helper()
	w := &v1alpha1.Workflow{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name, UID: types.UID(name), CreationTimestamp: metav1.NewTime(zero)}}
	require.NoError(t, yaml.UnmarshalStrict([]byte(spec), &w.Spec))
	w.Status.Timeline = line(statuses)
	w.Status.Phase = w.Status.Timeline[len(w.Status.Timeline)-1].Status
	return w
}

func labels(parent string, index int64, step string, attempt int) map[string]string {
	out := map[string]string{v1alpha1.WorkflowLabel: parent, v1alpha1.WorkflowUIDLabel: parent, v1alpha1.WorkflowAttemptLabel: strconv.Itoa(attempt), v1alpha1.IndexLabel: strconv.FormatInt(index, 10)}
	if step != "" {
		out[v1alpha1.StepLabel] = step
	}
	return out
}

func operationOf(parent string, index int64, step, statuses string) *v1alpha1.Operation {
	name := fmt.Sprintf("%s-%s%d", parent, step, index)
	o := &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name, UID: types.UID(name), Labels: labels(parent, index, step, 1)}}
	o.Status.Timeline = line(statuses)
	o.Status.Phase = o.Status.Timeline[len(o.Status.Timeline)-1].Status
	return o
}

const pod = `operation: {template: {pod: {spec: {containers: [{name: main, image: none}]}}}}`

const dagSpec = `
entrypoint: main
concurrency: 2
onExit: {template: job}
templates:
- {name: job, ` + pod + `}
- {name: inner, dag: {operations: [{name: only, template: job}]}}
- name: main
  dag:
    operations:
    - {name: a, template: job}
    - {name: b, template: inner, dependsOn: [a]}
    - {name: c, template: job, when: ops.a.status == 'failed'}
    - {name: d, template: job, dependsOn: [b, c], trigger: all_done}
`

func shapes(t testing.TB) func(*v1alpha1.Workflow) *Shape {
	return func(w *v1alpha1.Workflow) *Shape { return ShapeOf(t.Context(), w) }
}

func TestSpans(t *testing.T) {
	for name, c := range map[string]struct {
		line string
		want []Span
	}{
		"nothing":       {"", nil},
		"it waits":      {"created@0 compiled@0 queued@1", []Span{{Waiting, ms(0), 0}}},
		"its whole way": {"created@0 queued@1 scheduled@5 starting@6 running@7 succeeded@9", []Span{{Waiting, ms(0), ms(5)}, {Starting, ms(5), ms(7)}, {Running, ms(7), ms(9)}}},
		"a retry":       {"queued@0 running@2 retrying@4 queued@8 running@9 stopping@10 stopped@11", []Span{{Waiting, ms(0), ms(2)}, {Running, ms(2), ms(4)}, {Pausing, ms(4), ms(8)}, {Waiting, ms(8), ms(9)}, {Running, ms(9), ms(11)}}},
		"approval":      {"created@0 on_schedule@0 queued@5", []Span{{Held, ms(0), ms(5)}, {Waiting, ms(5), 0}}},
		"it never ran":  {"created@0 skipped@0", []Span{}},
		"again":         {"queued@0 failed@2 resuming@7 queued@7 running@9", []Span{{Waiting, ms(0), ms(2)}, {Waiting, ms(7), ms(9)}, {Running, ms(9), 0}}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, spansOf(line(c.line))) })
	}
}

func TestLoad(t *testing.T) {
	load := loadOf([]*v1alpha1.Operation{
		operationOf("w", 0, "", "queued@0 running@2 succeeded@6"),
		operationOf("w", 1, "", "queued@0 running@2 succeeded@4"),
		operationOf("w", 2, "", "queued@1 running@6"),
	})
	require.Equal(t, Load{Peak: 2, Points: [][3]int64{{ms(0), 2, 0}, {ms(1), 3, 0}, {ms(2), 1, 2}, {ms(4), 1, 1}, {ms(6), 0, 1}}}, load)
	require.Equal(t, Load{Points: [][3]int64{}}, loadOf(nil))
}

// However many there are, a load is short, its times ascend, it ends with what holds, and it never shows less than there was.
func TestLoadIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var operations []*v1alpha1.Operation
		for i := range rapid.IntRange(0, 600).Draw(t, "operations") {
			queued := rapid.IntRange(0, 2000).Draw(t, "queued")
			runs := queued + rapid.IntRange(0, 50).Draw(t, "waits")
			text := fmt.Sprintf("queued@%d running@%d", queued, runs)
			if rapid.Bool().Draw(t, "ends") {
				text += fmt.Sprintf(" succeeded@%d", runs+rapid.IntRange(0, 50).Draw(t, "runs"))
			}
			operations = append(operations, operationOf("w", int64(i), "", text))
		}
		load := loadOf(operations)
		if len(load.Points) > maxPoints+2 {
			t.Fatalf("%d points", len(load.Points))
		}
		if !slices.IsSortedFunc(load.Points, func(a, b [3]int64) int { return int(a[0] - b[0]) }) {
			t.Fatalf("not in order: %v", load.Points)
		}
		open, most := int64(0), int64(0)
		for _, o := range operations {
			if spans := spansOf(o.Status.Timeline); len(spans) > 0 && spans[len(spans)-1].Kind == Running && spans[len(spans)-1].To == 0 {
				open++
			}
		}
		for _, p := range load.Points {
			most = max(most, p[2])
		}
		if n := len(load.Points); n > 0 && load.Points[n-1][2] != open {
			t.Fatalf("%d run, the last point says %d", open, load.Points[n-1][2])
		}
		if most != load.Peak {
			t.Fatalf("the peak is %d, the points reach %d", load.Peak, most)
		}
	})
}

// short is a row in a line.
func short(r Row) string {
	text := strings.Repeat("  ", r.Depth) + string(r.Kind) + " " + r.Title
	if r.Status != "" {
		text += " " + string(r.Status)
	}
	if r.Counts != nil {
		text += fmt.Sprintf(" %d/%d", r.Counts.Done(), r.Counts.Total)
	}
	switch {
	case r.Openable && r.Open:
		text += " -"
	case r.Openable:
		text += " +"
	}
	if r.Kind == StepRow {
		text += ": " + r.Message
	}
	return text
}

func chartOf(p *Page) (out []string) {
	for _, r := range p.Rows {
		out = append(out, short(r))
	}
	return out
}

func TestPageOfDAG(t *testing.T) {
	w := workflowOf(t, "w", dagSpec, "created@0 queued@0 running@1")
	w.Status.StartTime = &metav1.MicroTime{Time: at(1)}
	inner := workflowOf(t, "inner", dagSpec, "queued@4 running@5")
	inner.Spec.Entrypoint, inner.Spec.OnExit, inner.Labels = "inner", nil, labels("w", 1, "b", 1)
	inner.Status.Children = v1alpha1.ChildCounts{Total: 1, Running: 1}
	w.Status.Children = v1alpha1.ChildCounts{Total: 4, Running: 1, Succeeded: 1}
	f := family.Of(w, []*v1alpha1.Workflow{inner, workflowOf(t, "other", dagSpec, "queued@0")}, []*v1alpha1.Operation{
		operationOf("w", 0, "a", "queued@0 running@1 succeeded@3"), operationOf("inner", 0, "only", "queued@4 running@5"),
	})
	p := PageOf(f, shapes(t), []string{"outer"}, nil, at(10))
	require.Equal(t, []string{
		"operation a succeeded",
		"workflow b running 0/1 -",
		"  operation only running",
		"step c: ", // its upstream is done: the controller is about to decide
		`step d: waits for 2 of 2: "b" active, "c" pending`,
		"step on-exit: runs when all else is over",
	}, chartOf(p))
	require.Equal(t, []string{"outer"}, p.Within)
	require.EqualValues(t, 2, *p.Limit)
	require.EqualValues(t, 1, p.Load.Peak)
	require.False(t, p.Matrix)
	require.EqualValues(t, 1, p.Done)
	require.Equal(t, []int64{ms(0), ms(1), 0, ms(10)}, []int64{p.Created, p.Started, p.Finished, p.Now})

	var nodes []string
	for _, n := range p.Nodes {
		nodes = append(nodes, fmt.Sprint(n.Step, n.Kind, n.Needs, n.Status))
	}
	require.Equal(t, []string{"aoperation[]succeeded", "bdag[0]running", "coperation[0]", "doperation[1 2]", "on-exitoperation[3]"}, nodes)
	require.Equal(t, v1alpha1.AllDone, p.Nodes[3].Trigger)
	require.True(t, p.Nodes[4].AtEnd)

	closed := PageOf(f, shapes(t), nil, Folds{"inner": false}, at(10))
	require.Equal(t, "workflow b running 0/1 +", chartOf(closed)[1])
	require.NotContains(t, chartOf(closed), "  operation only running")
}

// What can't be compiled is shown all the same, and so is a child of a step that is not there.
func TestPageOfWhatIsWrong(t *testing.T) {
	w := workflowOf(t, "w", strings.ReplaceAll(dagSpec, "ops.a.status", "ops.gone.status"), "created@0 failed@0")
	p := PageOf(family.Of(w, nil, []*v1alpha1.Operation{operationOf("w", 7, "former", "queued@0")}), shapes(t), nil, nil, at(10))
	require.Equal(t, []int{1, 2}, p.Nodes[3].Needs)
	require.Contains(t, chartOf(p), "operation former queued")
	w.Spec.Entrypoint = "gone"
	require.Equal(t, []string{"step on-exit: runs when all else is over"}, chartOf(PageOf(family.Of(w, nil, nil), shapes(t), nil, nil, at(10))))
}

const matrixSpec = `
entrypoint: main
templates:
- {name: job, ` + pod + `}
- name: main
  matrix:
    template: job
    params: {epochs: 50}
    metric: {name: loss, optimization: minimize}
    earlyStopping: {policies: [{kind: truncation, percent: 20, minInterval: 5}], failure: {percent: 30}}
    random: {numRuns: 40, params: {rate: {kind: loguniform, value: [0.001, 0.1]}, depth: {kind: choice, value: [4, 8, 2]}, kind: {kind: pchoice, value: [["a", 0.5], ["b", 0.5]]}}}
`

func trial(index int64, statuses, params, outputs string) *v1alpha1.Operation {
	o := operationOf("w", index, "", statuses)
	for text, into := range map[string]*v1alpha1.Values{params: &o.Spec.Params, outputs: &o.Status.Outputs} {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			panic(err)
		}
	}
	return o
}

// Trials that are many stand in one row, which shows the first that failed, and opens.
func TestSiblingsAreGrouped(t *testing.T) {
	w := workflowOf(t, "w", matrixSpec, "queued@0 running@1")
	w.Status.Children = v1alpha1.ChildCounts{Total: 40}
	var operations []*v1alpha1.Operation
	add := func(n int, statuses string) {
		for range n {
			operations = append(operations, operationOf("w", int64(len(operations)), "", statuses))
		}
	}
	add(5, "queued@0 running@1 succeeded@3")
	suggests := operationOf("w", 0, "", "queued@0 succeeded@1")
	suggests.Name, suggests.Labels = "asked", map[string]string{v1alpha1.WorkflowUIDLabel: "w", v1alpha1.IterationLabel: "2"}
	f := func() *family.Family {
		return family.Of(w, nil, append([]*v1alpha1.Operation{suggests}, operations...))
	}
	require.Equal(t, []string{
		"operation trial 0 succeeded", "operation trial 1 succeeded", "operation trial 2 succeeded", "operation trial 3 succeeded", "operation trial 4 succeeded",
		"operation suggest 2 succeeded",
	}, chartOf(PageOf(f(), shapes(t), nil, nil, at(10))))

	add(7, "queued@0 running@1 failed@2")
	add(3, "queued@0 running@2")
	again := operationOf("w", 11, "", "queued@5")
	again.Name, again.UID, again.Labels[v1alpha1.WorkflowAttemptLabel] = "again", "again", "2"
	operations = append(operations, again)
	p := PageOf(f(), shapes(t), nil, nil, at(10))
	require.Equal(t, []string{
		"group trials 11/40 +",
		"  operation trial 5 failed", "  operation trial 6 failed", "  operation trial 7 failed", "  operation trial 8 failed", "  operation trial 9 failed",
		"  more 2 more failed or need attention: open the group",
		"operation suggest 2 succeeded",
	}, chartOf(p))
	require.Equal(t, Counts{Total: 40, Waiting: 1, Running: 3, Succeeded: 5, Failed: 6}, *p.Rows[0].Counts)
	require.EqualValues(t, 12, p.Rows[0].Load.Peak)

	open := PageOf(f(), shapes(t), nil, Folds{p.Rows[0].ID: true}, at(10))
	require.Len(t, open.Rows, 1+16+1)
	require.Equal(t, "  operation trial 11, attempt 2 queued", chartOf(open)[13])
}

// What a page shows has a bound, and it says what it leaves out.
func TestRowsAreBounded(t *testing.T) {
	w := workflowOf(t, "w", matrixSpec, "queued@0 running@1")
	var operations []*v1alpha1.Operation
	for i := range maxRows + 10 {
		operations = append(operations, operationOf("w", int64(i), "", "queued@0"))
	}
	p := PageOf(family.Of(w, nil, operations), shapes(t), nil, Folds{"w/group": true}, at(10))
	require.Len(t, p.Rows, maxRows)
	require.Equal(t, 11, p.Hidden)
}

func TestSweep(t *testing.T) {
	w := workflowOf(t, "w", matrixSpec, "queued@0 running@1")
	stopped := trial(3, "queued@0 running@4 stopping@8 stopped@9", `{"rate": 0.1, "depth": 16, "kind": "a"}`, `{}`)
	stopped.Status.Timeline[3].Reason, stopped.Status.Timeline[3].Message = v1alpha1.ReasonStoppedByPolicy, "loss at step 5 is 9, among the worst"
	f := family.Of(w, nil, []*v1alpha1.Operation{
		trial(0, "queued@0 running@1 succeeded@5", `{"rate": 0.01, "depth": 4, "kind": "b", "epochs": 50}`, `{"loss": 3}`),
		trial(1, "queued@0 running@1 succeeded@4", `{"rate": 0.02, "depth": 8, "kind": "b", "trial": {"previous": {"name": "w-0"}}}`, `{"loss": 5.5, "more": "x"}`),
		trial(2, "queued@0 running@1 succeeded@7", `{"rate": 0.003, "depth": 2, "kind": "a"}`, `{"loss": "NaN"}`),
		stopped,
		trial(4, "queued@2 running@4", `{"rate": 0.5, "depth": 2, "kind": "a"}`, `{}`),
	})
	s := SweepOf(f, ShapeOf(t.Context(), w), nil, at(10))
	require.Equal(t, "random", s.Kind)
	require.Equal(t, []string{"truncation 20 % of loss, from step 5, every 1", "failed when more than 30 % fail"}, s.Rules)
	low, high := 0.001, 0.5
	require.Equal(t, []Axis{
		{Name: "depth", Kind: "choice", Scale: Category, Values: []string{"4", "8", "2", "16"}},
		{Name: "kind", Kind: "pchoice", Scale: Category, Values: []string{`"a"`, `"b"`}},
		{Name: "rate", Kind: "loguniform", Scale: Log, Low: &low, High: &high},
	}, s.Axes)
	require.Equal(t, []Result{{1, ms(4), 5.5, 5.5}, {0, ms(5), 3, 3}}, s.Course)
	require.EqualValues(t, 0, *s.Best)
	require.Len(t, s.Trials, 5)
	require.Equal(t, "w-0", s.Trials[1].Continues)
	require.Nil(t, s.Trials[2].Value, "a word is no result")
	require.Equal(t, v1alpha1.ReasonStoppedByPolicy, s.Trials[3].Reason)
	require.Equal(t, "loss at step 5 is 9, among the worst", s.Trials[3].Message)
	require.Equal(t, []int64{4000, 5000}, []int64{s.Trials[3].Waited, s.Trials[3].Ran})
	require.Equal(t, []int64{2000, 6000}, []int64{s.Trials[4].Waited, s.Trials[4].Ran}, "it runs still")
	require.NotContains(t, s.Trials[0].Params, "epochs", "all trials have it")

	w.Spec.Templates[1].Matrix.Metric.Optimization = v1alpha1.Maximize
	s = SweepOf(f, ShapeOf(t.Context(), w), nil, at(10))
	require.EqualValues(t, 1, *s.Best)
	require.Equal(t, []Result{{1, ms(4), 5.5, 5.5}, {0, ms(5), 3, 5.5}}, s.Course)
}

// Of params that an expression gives, those that vary are compared.
func TestSweepOfGivenValues(t *testing.T) {
	w := workflowOf(t, "w", `
entrypoint: main
params: {files: []}
templates:
- {name: job, `+pod+`}
- {name: main, matrix: {template: job, mapping: {values: "{{ params.files }}"}}}
`, "queued@0 running@1")
	f := family.Of(w, nil, []*v1alpha1.Operation{
		trial(0, "queued@0", `{"file": "a", "size": 3, "same": 1, "trial": {"index": 0}}`, `{}`),
		trial(1, "queued@0", `{"file": "b", "size": 7, "same": 1, "trial": {"index": 1}}`, `{}`),
		operationOf("w", plan.ExitIndex, plan.ExitName, "queued@0"),
	})
	s := SweepOf(f, ShapeOf(t.Context(), w), nil, at(10))
	low, high := 3.0, 7.0
	require.Equal(t, []Axis{{Name: "file", Scale: Category, Values: []string{`"a"`, `"b"`}}, {Name: "size", Scale: Linear, Low: &low, High: &high}}, s.Axes)
	require.Len(t, s.Trials, 2)
	require.Nil(t, s.Best)
	require.Empty(t, s.Course)
	require.Equal(t, apiextensionsv1.JSON{Raw: []byte("3")}, s.Trials[0].Params["size"])
}
