package dashboard

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// overviewView is how all queues are.
type overviewView struct {
	Queues []queueRow `json:"queues"`
	// Running and Waiting are those of all queues.
	Running int32 `json:"running"`
	Waiting int32 `json:"waiting"`
	// Statuses counts operations by status.
	Statuses map[v1alpha1.Status]int `json:"statuses,omitempty"`
	// Failures are the operations that failed last.
	Failures []failureRow `json:"failures"`
	// Notes say what could not be told.
	Notes []string `json:"notes,omitempty"`
}

// queueRow is a queue in a list.
type queueRow struct {
	Name string `json:"name"`
	// Agents serve it, in the order in which they are asked.
	Agents   []string `json:"agents"`
	Priority *int32   `json:"priority"` // unset: the highest
	State    string   `json:"state"`
	// Problem is why it admits nothing.
	Problem string `json:"problem,omitempty"`
	// Admitted hold a seat, Running of them have a node.
	Admitted    int32   `json:"admitted"`
	Running     int32   `json:"running"`
	Waiting     int32   `json:"waiting"`
	Concurrency *int32  `json:"concurrency"`
	Meters      []meter `json:"meters"`
	// Oldest is since when the oldest of those that wait does.
	Oldest *metav1.Time `json:"oldest,omitempty"`
	// Waits of what started lately; unset: nothing did, or it can't be told.
	Waits *waits `json:"waits,omitempty"`
}

// failureRow is an operation that failed.
type failureRow struct {
	Namespace string     `json:"namespace"`
	Name      string     `json:"name"`
	Queue     string     `json:"queue"`
	Time      *time.Time `json:"time,omitempty"`
	Reason    string     `json:"reason"`
	Message   string     `json:"message"`
}

func rowOf(q *v1alpha1.Queue) queueRow {
	row := queueRow{Name: q.Name, Agents: tenancy.InfoOf(q).Agents, Priority: q.Spec.Priority, State: string(cmp.Or(q.Spec.State, v1alpha1.QueueOpen)),
		Admitted: q.Status.Admitted, Running: q.Status.Running, Waiting: q.Status.Pending, Concurrency: q.Spec.Concurrency, Oldest: q.Status.OldestPending,
		Meters: meters(q.Status.Admitted, q.Spec.Concurrency, q.Status.Usage, q.Status.CostRate, q.Spec.Quota, q.Status.Budget)}
	if q.DeletionTimestamp != nil {
		row.State = "Deleting"
	}
	if row.Priority != nil && *row.Priority == v1alpha1.Unlimited {
		row.Priority = nil
	}
	if row.Concurrency != nil && *row.Concurrency == v1alpha1.Unlimited {
		row.Concurrency = nil
	}
	// Operations wait as objects, most of them without pods; the pods of other things are pending alone.
	if o := q.Status.Operations; o != nil {
		row.Waiting = max(row.Waiting, o.Waiting)
	}
	if c := meta.FindStatusCondition(q.Status.Conditions, v1alpha1.ReadyCondition); c != nil && c.Status == metav1.ConditionFalse {
		row.Problem = c.Message
	}
	return row
}

func (s *Server) overview(c *call) (any, error) {
	queues, err := objects[*v1alpha1.Queue](c.Context(), c.visitor, queueKind, "")
	if err != nil {
		return nil, err
	}
	view := &overviewView{Queues: []queueRow{}, Failures: []failureRow{}}
	operations, err := seen[*v1alpha1.Operation](c, operationKind, &view.Notes)
	if err != nil {
		return nil, err
	}
	pods, err := seen[*corev1.Pod](c, podKind, &view.Notes)
	if err != nil {
		return nil, err
	}
	now, stays := s.options.Now(), staysOfPods(pods)
	view.Statuses = map[v1alpha1.Status]int{}
	for _, op := range operations {
		stays = append(stays, staysOf(op)...)
		view.Statuses[cmp.Or(op.Status.Phase, v1alpha1.StatusCreated)]++
	}
	for _, r := range rowsOfPods(pods) {
		view.Statuses[r.Status]++
	}
	for _, q := range queues {
		row := rowOf(q)
		row.Waits = waitsOf(stays, q.Name, now)
		view.Queues = append(view.Queues, row)
		view.Running += row.Running
		view.Waiting += row.Waiting
	}
	slices.SortFunc(view.Queues, func(a, b queueRow) int {
		return cmp.Or(byPriority(a.Priority, b.Priority), cmp.Compare(a.Name, b.Name))
	})
	view.Failures = lastFailures(operations, 8)
	return view, nil
}

// byPriority sorts from the highest down; none is the highest.
func byPriority(a, b *int32) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return cmp.Compare(*b, *a)
}

// seen lists what the visitor may see of a kind; of what they may not, a note says so.
func seen[T client.Object](c *call, k *kind, notes *[]string) ([]T, error) {
	list, err := objects[T](c.Context(), c.visitor, k, c.namespace())
	if apierrors.IsForbidden(err) {
		*notes = append(*notes, err.Error())
		return nil, nil
	}
	return list, err
}

// lastFailures are the operations that failed last, the newest first.
func lastFailures(operations []*v1alpha1.Operation, most int) []failureRow {
	rows := []failureRow{}
	var failed []*v1alpha1.Operation
	for _, op := range operations {
		if op.Status.Phase == v1alpha1.StatusFailed && op.Status.FinishTime != nil {
			failed = append(failed, op)
		}
	}
	slices.SortFunc(failed, func(a, b *v1alpha1.Operation) int {
		return cmp.Or(b.Status.FinishTime.Compare(a.Status.FinishTime.Time), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	for _, op := range failed[:min(len(failed), most)] {
		last := op.Status.Timeline[len(op.Status.Timeline)-1]
		rows = append(rows, failureRow{Namespace: op.Namespace, Name: op.Name, Queue: op.Status.Queue, Time: &op.Status.FinishTime.Time, Reason: last.Reason, Message: last.Message})
	}
	return rows
}
