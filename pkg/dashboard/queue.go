package dashboard

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	queueyard "github.com/queueyard/queueyard/pkg/client"
)

// queueView is a queue, what it holds and who waits.
type queueView struct {
	queueRow
	Strategy   string             `json:"strategy"`
	Preemption string             `json:"preemption"`
	Guaranteed int32              `json:"guaranteed"`
	Created    metav1.Time        `json:"created"`
	Conditions []metav1.Condition `json:"conditions"`
	// Withheld says who keeps what of its limits.
	Withheld string `json:"withheld,omitempty"`
	// Holders are what has room, those that have it longest first.
	Holders []row `json:"holders"`
	// Line is the head of what waits, in the order of admission, of InLine pods.
	Line   []lineRow `json:"line"`
	InLine int       `json:"inLine"`
	// Use of the queue over time.
	Use     *use     `json:"use"`
	Actions []action `json:"actions"`
	Notes   []string `json:"notes,omitempty"`
}

// lineRow is something that waits in the line of a queue.
type lineRow struct {
	// Position from 1; 0: it asks for more than a limit allows in all. Unset: nobody can tell.
	Position  *int32    `json:"position"`
	Kind      string    `json:"kind"`
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	Pod       string    `json:"pod,omitempty"`
	Pods      int32     `json:"pods,omitempty"`
	Priority  int64     `json:"priority"`
	Since     time.Time `json:"since"`
	Reason    string    `json:"reason"`
	Message   string    `json:"message"`
}

// headOfLine is how many of a line are shown.
const headOfLine = 100

func (s *Server) queue(c *call) (any, error) {
	q := &v1alpha1.Queue{}
	if err := c.get(c.Context(), "", c.PathValue("name"), q); err != nil {
		return nil, err
	}
	view := &queueView{queueRow: rowOf(q), Strategy: string(q.Spec.Strategy), Preemption: string(q.Spec.Preemption), Guaranteed: q.Spec.Guaranteed,
		Created: q.CreationTimestamp, Conditions: q.Status.Conditions, Withheld: q.Status.Withheld, Holders: []row{}, Line: []lineRow{}}
	rows, notes, err := c.rows()
	if err != nil {
		return nil, err
	}
	view.Notes = notes
	var waiting []row
	for _, r := range rows {
		switch {
		case shortQueue(r.Queue) != q.Name:
		case r.holdsRoom():
			view.Holders = append(view.Holders, r)
		case r.waitsInLine():
			waiting = append(waiting, r)
		}
	}
	if err := sortRows(view.Holders, "started"); err != nil {
		return nil, err
	}
	view.Holders = view.Holders[:min(len(view.Holders), headOfLine)]
	if err := s.line(c, view, waiting); err != nil {
		return nil, err
	}
	stays, err := c.stays()
	if err != nil {
		return nil, err
	}
	now := s.options.Now()
	view.Waits = waitsOf(stays, q.Name, now)
	window, err := windowOf(c.URL.Query().Get("window"))
	if err != nil {
		return nil, err
	}
	view.Use = useOf(stays, q.Name, now, window)
	view.Actions, err = s.queueActions(c, q)
	return view, err
}

// line is who is next: as the scheduler says, or, where it can't, what is seen to wait.
func (s *Server) line(c *call, view *queueView, waiting []row) error {
	page, err := c.qy.Line(c.Context(), view.Name, headOfLine, "")
	switch {
	case err == nil:
		view.InLine = int(page.Waiting)
		for i := range page.Items {
			o := &page.Items[i]
			view.Line = append(view.Line, lineRow{Position: &o.Position, Kind: kindInPath(o.Kind), Namespace: o.Namespace, Name: o.Name, Pod: o.Pod, Pods: o.Pods,
				Priority: o.Priority, Since: o.CreationTimestamp.Time, Reason: o.Reason, Message: o.Message})
		}
	case errors.Is(err, queueyard.ErrNoLeader):
		view.Notes = append(view.Notes, "Positions can't be told: "+err.Error())
	case apierrors.IsForbidden(err):
		view.Notes = append(view.Notes, "Positions are told to those with ClusterRole queueyard-visibility-reader.")
	default:
		return err
	}
	// Operations far from the head have no pod, and so no place in the scheduler's line yet.
	there := map[string]bool{}
	for i := range view.Line {
		there[view.Line[i].Namespace+"/"+view.Line[i].Name] = true
	}
	slices.SortFunc(waiting, func(a, b row) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), comparePointers(a.Queued, b.Queued), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	more := 0
	for i := range waiting {
		r := &waiting[i]
		if there[r.Namespace+"/"+r.Name] {
			continue
		}
		more++
		if len(view.Line) < headOfLine {
			since := r.Created
			if r.Queued != nil {
				since = *r.Queued
			}
			view.Line = append(view.Line, lineRow{Kind: r.Kind, Namespace: r.Namespace, Name: r.Name, Priority: r.Priority, Since: since, Reason: r.Reason, Message: r.Message})
		}
	}
	view.InLine = max(view.InLine, len(waiting))
	return nil
}

// kindInPath is how a kind is written in addresses of pages; empty: there is no page of it.
func kindInPath(kind string) string {
	switch kind {
	case "Operation":
		return "operation"
	case "Job":
		return "job"
	case "Pod":
		return "pod"
	}
	return ""
}

// stays are those of all that the visitor may see.
func (c *call) stays() ([]stay, error) {
	var unseen []string
	operations, err := seen[*v1alpha1.Operation](c, operationKind, &unseen)
	if err != nil {
		return nil, err
	}
	pods, err := seen[*corev1.Pod](c, podKind, &unseen)
	if err != nil {
		return nil, err
	}
	stays := staysOfPods(pods)
	for _, op := range operations {
		stays = append(stays, staysOf(op)...)
	}
	return stays, nil
}

// use is how many ran and waited, at moments of the same distance.
type use struct {
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	// Running and Waiting are the numbers at each moment, the first at From, the last at Until.
	Running []int `json:"running"`
	Waiting []int `json:"waiting"`
}

// moments is how many there are in a use.
const moments = 121

func windowOf(text string) (time.Duration, error) {
	if text == "" {
		return time.Hour, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Minute || d > 31*24*time.Hour {
		return 0, bad("window " + strconv.Quote(text) + " is no duration from 1m to 744h")
	}
	return d, nil
}

// useOf a queue, as far as what was in it still exists.
func useOf(stays []stay, queue string, now time.Time, window time.Duration) *use {
	u := &use{From: now.Add(-window), Until: now, Running: make([]int, moments), Waiting: make([]int, moments)}
	step := window / (moments - 1)
	// A span counts at the moments in [from, until).
	count := func(into []int, from, until time.Time) {
		first := max(0, int((from.Sub(u.From)+step-1)/step))
		if from.Before(u.From) {
			first = 0
		}
		for i := first; i < moments && u.From.Add(time.Duration(i)*step).Before(until); i++ {
			into[i]++
		}
	}
	for _, s := range stays {
		if shortQueue(s.queue) != queue {
			continue
		}
		end := s.ended
		if end.IsZero() {
			end = now.Add(step)
		}
		started := s.started
		if started.IsZero() {
			started = end
		}
		count(u.Waiting, s.queued, started)
		count(u.Running, started, end)
	}
	return u
}
