package dashboard

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/dashboard/flow"
)

// row is something that stands or stood in a queue, an operation, a Job, or a pod of anything else; or a workflow.
type row struct {
	Kind      string          `json:"kind"`
	Namespace string          `json:"namespace"`
	Name      string          `json:"name"`
	Queue     string          `json:"queue"`
	Project   string          `json:"project,omitempty"`
	Workflow  string          `json:"workflow,omitempty"`
	Status    v1alpha1.Status `json:"status"`
	// Reason and Message are why it stands there.
	Reason   string `json:"reason,omitempty"`
	Message  string `json:"message,omitempty"`
	Priority int64  `json:"priority"`
	// Attempt is above 1 where it was tried again; Pods is how many of a Job there are, Counts are of the children of a workflow.
	Attempt int32        `json:"attempt,omitempty"`
	Pods    int          `json:"pods,omitempty"`
	Counts  *flow.Counts `json:"counts,omitempty"`
	Agent   string       `json:"agent,omitempty"`
	Created time.Time    `json:"created"`
	Queued  *time.Time   `json:"queued,omitempty"`
	Started *time.Time   `json:"started,omitempty"`
	Ended   *time.Time   `json:"ended,omitempty"`
}

func rowOfOperation(op *v1alpha1.Operation) row {
	r := row{Kind: "operation", Namespace: op.Namespace, Name: op.Name, Queue: cmp.Or(op.Status.Queue, op.Spec.Queue), Project: cmp.Or(op.Status.Project, op.Spec.Project),
		Workflow: op.Labels[v1alpha1.WorkflowLabel], Status: cmp.Or(op.Status.Phase, v1alpha1.StatusCreated), Priority: int64(op.Status.Priority), Attempt: op.Status.Attempt,
		Agent: op.Status.Agent, Created: op.CreationTimestamp.Time, Queued: micro(op.Status.QueuedTime), Started: micro(op.Status.StartTime), Ended: micro(op.Status.FinishTime)}
	if n := len(op.Status.Timeline); n > 0 {
		r.Reason, r.Message = op.Status.Timeline[n-1].Reason, op.Status.Timeline[n-1].Message
	}
	if c := meta.FindStatusCondition(op.Status.Conditions, v1alpha1.WaitingCondition); c != nil && c.Status == metav1.ConditionFalse {
		r.Reason, r.Message = c.Reason, c.Message
	}
	return r
}

func micro(t *metav1.MicroTime) *time.Time {
	if t == nil {
		return nil
	}
	return &t.Time
}

// rowsOfPods are the rows of what is no operation: of the pods of a Job one.
func rowsOfPods(pods []*corev1.Pod) []row {
	var out []row
	jobs := map[types.UID]int{}
	pods = slices.Clone(pods)
	slices.SortFunc(pods, func(a, b *corev1.Pod) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	for _, pod := range pods {
		if pod.Labels[v1alpha1.OperationLabel] != "" || queueOf(pod) == "" {
			continue
		}
		r := rowOfPod(pod)
		owner := metav1.GetControllerOf(pod)
		if owner == nil || owner.Kind != "Job" || !strings.HasPrefix(owner.APIVersion, batchv1.GroupName+"/") {
			out = append(out, r)
			continue
		}
		r.Kind, r.Name, r.Pods = "job", owner.Name, 1
		if i, ok := jobs[owner.UID]; ok {
			out[i] = together(out[i], r)
			continue
		}
		jobs[owner.UID] = len(out)
		out = append(out, r)
	}
	return out
}

func rowOfPod(pod *corev1.Pod) row {
	r := row{Kind: "pod", Namespace: pod.Namespace, Name: pod.Name, Queue: queueOf(pod), Created: pod.CreationTimestamp.Time, Queued: &pod.CreationTimestamp.Time,
		Project: cmp.Or(pod.Labels[v1alpha1.ProjectLabel], pod.Annotations[v1alpha1.ProjectLabel]), Priority: int64(ptr.Deref(pod.Spec.Priority, 0))}
	if n, err := strconv.ParseInt(pod.Annotations[v1alpha1.PriorityAnnotation], 10, 32); err == nil {
		r.Priority = n
	}
	if at := scheduledAt(pod); !at.IsZero() {
		r.Started = &at
	}
	if at := endedAt(pod); !at.IsZero() {
		r.Ended = &at
	}
	r.Status, r.Reason, r.Message = statusOfPod(pod)
	return r
}

// statusOfPod puts where a pod stands in the words of operations.
func statusOfPod(pod *corev1.Pod) (status v1alpha1.Status, reason, message string) {
	switch {
	case pod.DeletionTimestamp != nil && pod.Status.Phase == corev1.PodRunning:
		return v1alpha1.StatusStopping, "Terminating", ""
	case pod.Status.Phase == corev1.PodSucceeded:
		return v1alpha1.StatusSucceeded, "", ""
	case pod.Status.Phase == corev1.PodFailed:
		for i := range pod.Status.ContainerStatuses {
			if t := pod.Status.ContainerStatuses[i].State.Terminated; t != nil && t.ExitCode != 0 {
				return v1alpha1.StatusFailed, t.Reason, fmt.Sprintf("container %s ended with exit code %d. %s", pod.Status.ContainerStatuses[i].Name, t.ExitCode, t.Message)
			}
		}
		return v1alpha1.StatusFailed, pod.Status.Reason, pod.Status.Message
	case pod.Status.Phase == corev1.PodRunning:
		return v1alpha1.StatusRunning, "", ""
	case pod.Spec.NodeName != "":
		for i := range pod.Status.ContainerStatuses {
			if w := pod.Status.ContainerStatuses[i].State.Waiting; w != nil && w.Message != "" {
				return v1alpha1.StatusWarning, w.Reason, w.Message
			}
		}
		return v1alpha1.StatusStarting, "", ""
	}
	for i := range pod.Status.Conditions {
		switch c := &pod.Status.Conditions[i]; {
		case c.Type == v1alpha1.AdmittedCondition && c.Status == corev1.ConditionFalse:
			return v1alpha1.StatusQueued, c.Reason, c.Message
		case c.Type == corev1.PodScheduled && c.Reason == corev1.PodReasonUnschedulable:
			status, reason, message = v1alpha1.StatusUnschedulable, c.Reason, c.Message
		}
	}
	return cmp.Or(status, v1alpha1.StatusQueued), reason, message
}

// together is the row of a Job with one more pod: it runs while one of them does, and is over when all are.
func together(a, b row) row {
	rank := []v1alpha1.Status{v1alpha1.StatusSucceeded, v1alpha1.StatusFailed, v1alpha1.StatusStopping, v1alpha1.StatusQueued, v1alpha1.StatusUnschedulable,
		v1alpha1.StatusWarning, v1alpha1.StatusStarting, v1alpha1.StatusRunning}
	if slices.Index(rank, b.Status) > slices.Index(rank, a.Status) {
		a.Status, a.Reason, a.Message = b.Status, b.Reason, b.Message
	}
	a.Pods++
	if b.Created.Before(a.Created) {
		a.Created, a.Queued = b.Created, b.Queued
	}
	if a.Started == nil || b.Started != nil && b.Started.Before(*a.Started) {
		a.Started = b.Started
	}
	switch {
	case a.Ended == nil || b.Ended == nil:
		a.Ended = nil
	case b.Ended.After(*a.Ended):
		a.Ended = b.Ended
	}
	return a
}

// rows are all that the visitor may see, and notes about what they may not.
func (c *call) rows() (rows []row, notes []string, err error) {
	operations, err := seen[*v1alpha1.Operation](c, operationKind, &notes)
	if err != nil {
		return nil, nil, err
	}
	pods, err := seen[*corev1.Pod](c, podKind, &notes)
	if err != nil {
		return nil, nil, err
	}
	rows = make([]row, 0, len(operations))
	for _, op := range operations {
		rows = append(rows, rowOfOperation(op))
	}
	return append(rows, rowsOfPods(pods)...), notes, nil
}

// waitsInLine: it waits for its queue or a node.
func (r *row) waitsInLine() bool {
	return r.Status == v1alpha1.StatusQueued || r.Status == v1alpha1.StatusUnschedulable
}

// holdsRoom: it has been given a node, and has not ended.
func (r *row) holdsRoom() bool {
	switch r.Status {
	case v1alpha1.StatusScheduled, v1alpha1.StatusStarting, v1alpha1.StatusRunning, v1alpha1.StatusWarning, v1alpha1.StatusUnknown, v1alpha1.StatusStopping:
		return true
	}
	return false
}

// orders sort rows. What is equal is in the order of namespace, name and kind, so that the order is the same every time.
var orders = map[string]func(a, b *row) int{
	"name":     func(a, b *row) int { return cmp.Or(cmp.Compare(a.Name, b.Name)) },
	"status":   func(a, b *row) int { return cmp.Compare(a.Status, b.Status) },
	"queue":    func(a, b *row) int { return cmp.Compare(a.Queue, b.Queue) },
	"project":  func(a, b *row) int { return cmp.Compare(a.Project, b.Project) },
	"priority": func(a, b *row) int { return cmp.Compare(a.Priority, b.Priority) },
	"created":  func(a, b *row) int { return a.Created.Compare(b.Created) },
	"started":  func(a, b *row) int { return comparePointers(a.Started, b.Started) },
	"ended":    func(a, b *row) int { return comparePointers(a.Ended, b.Ended) },
}

// comparePointers has what has not come after what has.
func comparePointers(a, b *time.Time) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return a.Compare(*b)
}

// newest is the order where none is asked for.
const newest = "-created"

// sortRows by the name of an order, "-" before it for the other way round.
func sortRows(rows []row, by string) error {
	name, back := strings.CutPrefix(cmp.Or(by, newest), "-")
	order := orders[name]
	if order == nil {
		return bad("there is no order " + name + ": there are " + strings.Join(slices.Sorted(maps.Keys(orders)), ", "))
	}
	slices.SortFunc(rows, func(a, b row) int {
		way := order(&a, &b)
		if back {
			way = -way
		}
		return cmp.Or(way, cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
	})
	return nil
}

// filter is what rows have to be; what is empty lets all through.
type filter struct {
	kind, queue, project, workflow, text string
	statuses                             []string
}

func filterOf(q url.Values) filter {
	f := filter{kind: q.Get("kind"), queue: q.Get("queue"), project: q.Get("project"), workflow: q.Get("workflow"), text: strings.ToLower(q.Get("filter"))}
	if s := q.Get("status"); s != "" {
		f.statuses = strings.Split(s, ",")
	}
	return f
}

// fits says whether a row is what is asked for but for its status, which is counted.
func (f *filter) fits(r *row) bool {
	return (f.kind == "" || r.Kind == f.kind) && (f.queue == "" || shortQueue(r.Queue) == f.queue) && (f.project == "" || r.Project == f.project) &&
		(f.workflow == "" || r.Workflow == f.workflow) && (f.text == "" || strings.Contains(strings.ToLower(r.Namespace+"/"+r.Name+" "+r.Reason+" "+r.Message), f.text))
}

// shortQueue is the name of a queue without its agent.
func shortQueue(reference string) string { return reference[strings.LastIndexAny(reference, "./")+1:] }

// rowsView is a page of rows.
type rowsView struct {
	Items []row `json:"items"`
	// Total is how many there are with these filters.
	Total  int `json:"total"`
	Offset int `json:"offset"`
	// Statuses counts them by status, whatever status is asked for.
	Statuses map[v1alpha1.Status]int `json:"statuses"`
	Notes    []string                `json:"notes,omitempty"`
}

const (
	// pageSize is how many rows a page has where none is asked for, biggestPage at most.
	pageSize, biggestPage = 100, 1000
)

// page is a part of a list, as ?offset and ?limit ask for it.
func page[T any](items []T, q url.Values) ([]T, int, error) {
	offset, limit := 0, pageSize
	for name, into := range map[string]*int{"offset": &offset, "limit": &limit} {
		if text := q.Get(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 0 {
				return nil, 0, bad(name + " " + strconv.Quote(text) + " is no number from 0")
			}
			*into = n
		}
	}
	offset = min(offset, len(items))
	return items[offset:min(len(items), offset+min(limit, biggestPage))], offset, nil
}

// operations lists what stands or stood in queues.
func (s *Server) operations(c *call) (any, error) {
	rows, notes, err := c.rows()
	if err != nil {
		return nil, err
	}
	return selected(rows, notes, c.URL.Query())
}

func selected(rows []row, notes []string, q url.Values) (*rowsView, error) {
	f := filterOf(q)
	view := &rowsView{Statuses: map[v1alpha1.Status]int{}, Notes: notes}
	rows = slices.DeleteFunc(rows, func(r row) bool {
		if !f.fits(&r) {
			return true
		}
		view.Statuses[r.Status]++
		return len(f.statuses) > 0 && !slices.Contains(f.statuses, string(r.Status))
	})
	if err := sortRows(rows, q.Get("sort")); err != nil {
		return nil, err
	}
	var err error
	view.Total = len(rows)
	view.Items, view.Offset, err = page(rows, q)
	return view, err
}
