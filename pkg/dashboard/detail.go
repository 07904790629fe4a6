package dashboard

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	queueyard "github.com/queueyard/queueyard/pkg/client"
)

func statusOf(code int32, reason metav1.StatusReason, message string) *metav1.Status {
	return &metav1.Status{Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message}
}

// detailView is all there is to say of an operation, Job or pod.
type detailView struct {
	row
	Over bool `json:"over"`
	// Timeline is every status that it had; of Jobs and pods as far as their pods tell.
	Timeline *queueyard.Timeline `json:"timeline"`
	// Why it stands where it stands; unset once it is over.
	Why *queueyard.Explanation `json:"why,omitempty"`
	// Unanswered says why limits can't be told.
	Unanswered   string                       `json:"unanswered,omitempty"`
	PodList      []podView                    `json:"podList"`
	Actions      []action                     `json:"actions"`
	Params       v1alpha1.Values              `json:"params,omitempty"`
	Outputs      v1alpha1.Values              `json:"outputs,omitempty"`
	Requests     corev1.ResourceList          `json:"requests,omitempty"`
	Component    *v1alpha1.ComponentReference `json:"component,omitempty"`
	Organization string                       `json:"organization,omitempty"`
	Retries      int32                        `json:"retries,omitempty"`
	MaxRetries   *int32                       `json:"maxRetries,omitempty"`
	ExitCode     *int32                       `json:"exitCode,omitempty"`
	FailureClass string                       `json:"failureClass,omitempty"`
	Cost         string                       `json:"cost,omitempty"`
	ApprovedBy   string                       `json:"approvedBy,omitempty"`
	Restarts     int32                        `json:"restarts,omitempty"`
	UID          types.UID                    `json:"uid"`
	Notes        []string                     `json:"notes,omitempty"`
}

// podView is a pod of it.
type podView struct {
	Namespace  string          `json:"namespace"`
	Name       string          `json:"name"`
	Attempt    string          `json:"attempt,omitempty"`
	Status     v1alpha1.Status `json:"status"`
	Message    string          `json:"message,omitempty"`
	Node       string          `json:"node,omitempty"`
	Containers []string        `json:"containers"`
	Created    metav1.Time     `json:"created"`
}

// manyPods is how many pods of one thing are shown, the newest.
const manyPods = 50

func (s *Server) detail(kind string) func(*call) (any, error) {
	return func(c *call) (any, error) {
		o := objectOf(kind)
		if err := c.get(c.Context(), c.PathValue("namespace"), c.PathValue("name"), o); err != nil {
			return nil, err
		}
		return s.detailOf(c, o)
	}
}

func (s *Server) detailOf(c *call, o client.Object) (any, error) {
	now := s.options.Now()
	view := &detailView{UID: o.GetUID(), PodList: []podView{}}
	pods, err := c.qy.Pods(c.Context(), o)
	if apierrors.IsForbidden(err) {
		view.Notes = append(view.Notes, err.Error())
	} else if err != nil {
		return nil, err
	}
	switch o := o.(type) {
	case *v1alpha1.Operation:
		view.ofOperation(o, now)
	case *batchv1.Job:
		view.ofPods("job", o, pods, now)
	case *corev1.Pod:
		view.ofPods("pod", o, pods, now)
	}
	slices.SortStableFunc(pods, func(a, b corev1.Pod) int { return b.CreationTimestamp.Compare(a.CreationTimestamp.Time) })
	for i := range pods[:min(len(pods), manyPods)] {
		view.PodList = append(view.PodList, podOf(&pods[i]))
	}
	if !view.Over {
		if view.Why, err = c.qy.Explain(c.Context(), o); err != nil {
			return nil, err
		}
		if e := view.Why.Unanswered; e != nil {
			view.Unanswered = e.Error()
		}
	}
	view.Actions, err = s.actionsOn(c, o)
	return view, err
}

func (d *detailView) ofOperation(op *v1alpha1.Operation, now time.Time) {
	d.row, d.Over, d.Timeline = rowOfOperation(op), queueyard.Over(op), queueyard.TimelineOf(op, now)
	d.Params, d.Outputs, d.Requests, d.Component = op.Spec.Params, op.Status.Outputs, op.Status.Requests, op.Status.Component
	d.Organization, d.Retries, d.ExitCode, d.FailureClass = op.Status.Organization, op.Status.Retries, op.Status.ExitCode, string(op.Status.FailureClass)
	d.Cost, d.ApprovedBy, d.Restarts = cmp.Or(op.Status.Cost, op.Spec.Cost), op.Annotations[v1alpha1.ApprovedByAnnotation], op.Spec.Restarts
	if t := op.Spec.Termination; t != nil {
		d.MaxRetries = t.MaxRetries
	}
}

// ofPods tells of a Job or a pod what its pods tell.
func (d *detailView) ofPods(kind string, o client.Object, pods []corev1.Pod, now time.Time) {
	for i := range pods {
		r := rowOfPod(&pods[i])
		r.Pods = 1
		if i > 0 {
			r = together(d.row, r)
		}
		d.row = r
	}
	if len(pods) == 0 {
		d.row = row{Status: v1alpha1.StatusCreated, Queue: queueOf(o), Created: o.GetCreationTimestamp().Time}
	}
	d.Kind, d.Namespace, d.Name = kind, o.GetNamespace(), o.GetName()
	d.Over = d.Status.Final()
	if job, is := o.(*batchv1.Job); is {
		d.Over = slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool {
			return (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue
		})
	}
	d.Timeline = timelineOfPods(&d.row, d.Over, now)
}

// timelineOfPods puts what is known of a Job or a pod as a timeline.
func timelineOfPods(r *row, over bool, now time.Time) *queueyard.Timeline {
	t := &queueyard.Timeline{Kind: r.Kind, Namespace: r.Namespace, Name: r.Name, Phase: r.Status, Over: over, Queue: r.Queue, Entries: []queueyard.Entry{}}
	add := func(status v1alpha1.Status, at *time.Time, reason, message string) {
		if at != nil {
			t.Entries = append(t.Entries, queueyard.Entry{TimelineEntry: v1alpha1.TimelineEntry{Status: status, Time: metav1.NewMicroTime(*at), Reason: reason, Message: message}})
		}
	}
	if r.waitsInLine() {
		add(r.Status, cmp.Or(r.Queued, &r.Created), cmp.Or(r.Reason, "Waiting"), r.Message)
	} else {
		add(v1alpha1.StatusQueued, cmp.Or(r.Queued, &r.Created), "Created", "")
		status := r.Status
		if status.Final() {
			status = v1alpha1.StatusRunning
		}
		add(status, r.Started, "Scheduled", "")
		if r.Status.Final() {
			add(r.Status, r.Ended, cmp.Or(r.Reason, "Ended"), r.Message)
		}
	}
	for i := range t.Entries {
		end := now
		if i+1 < len(t.Entries) {
			end = t.Entries[i+1].Time.Time
		} else if t.Entries[i].Status.Final() {
			end = t.Entries[i].Time.Time
		}
		t.Entries[i].For = queueyard.Seconds(max(0, end.Sub(t.Entries[i].Time.Time)))
	}
	return t
}

func podOf(pod *corev1.Pod) podView {
	v := podView{Namespace: pod.Namespace, Name: pod.Name, Attempt: pod.Labels[v1alpha1.AttemptLabel], Node: pod.Spec.NodeName, Created: pod.CreationTimestamp, Containers: []string{}}
	v.Status, _, v.Message = statusOfPod(pod)
	for i := range pod.Spec.Containers {
		v.Containers = append(v.Containers, pod.Spec.Containers[i].Name)
	}
	// The one whose end is the operation's comes first.
	slices.SortStableFunc(v.Containers, func(a, b string) int {
		if (a == "main") == (b == "main") {
			return 0
		} else if a == "main" {
			return -1
		}
		return 1
	})
	return v
}

// eventView is something that happened to an object.
type eventView struct {
	Time    time.Time `json:"time"`
	Type    string    `json:"type"`
	Object  string    `json:"object"`
	Reason  string    `json:"reason"`
	Message string    `json:"message"`
	Count   int32     `json:"count,omitempty"`
}

// manyEvents is how many are shown, the newest.
const manyEvents = 200

// eventsOf lists the events of an object and of its pods, the newest first.
func (s *Server) eventsOf(c *call) (any, error) {
	o := objectOf(strings.TrimSuffix(c.PathValue("kind"), "s"))
	if o == nil {
		return nil, bad("there are events of operations, workflows, jobs and pods")
	}
	if err := c.get(c.Context(), c.PathValue("namespace"), c.PathValue("name"), o); err != nil {
		return nil, err
	}
	of := []client.Object{o}
	if _, is := o.(*v1alpha1.Workflow); !is {
		pods, err := c.qy.Pods(c.Context(), o)
		if err != nil && !apierrors.IsForbidden(err) {
			return nil, err
		}
		slices.SortStableFunc(pods, func(a, b corev1.Pod) int { return b.CreationTimestamp.Compare(a.CreationTimestamp.Time) })
		for i := range pods[:min(len(pods), 5)] {
			if pods[i].UID != o.GetUID() {
				of = append(of, &pods[i])
			}
		}
	}
	out := []eventView{}
	for _, x := range of {
		list := &corev1.EventList{}
		if err := c.List(c.Context(), list, client.InNamespace(x.GetNamespace()), client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector("involvedObject.uid", string(x.GetUID()))}); err != nil {
			return nil, err
		}
		for i := range list.Items {
			e := &list.Items[i]
			at := e.LastTimestamp.Time
			if at.IsZero() {
				at = cmp.Or(e.EventTime.Time, e.CreationTimestamp.Time)
			}
			if e.Series != nil && e.Series.LastObservedTime.After(at) {
				at = e.Series.LastObservedTime.Time
			}
			out = append(out, eventView{Time: at, Type: e.Type, Object: strings.ToLower(e.InvolvedObject.Kind) + "/" + e.InvolvedObject.Name, Reason: e.Reason, Message: e.Message, Count: e.Count})
		}
	}
	slices.SortStableFunc(out, func(a, b eventView) int {
		return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Message, b.Message))
	})
	return map[string]any{"items": out[:min(len(out), manyEvents)]}, nil
}

// mostLines of a log are sent at once.
const mostLines = 5000

// logs streams the log of a pod.
func (s *Server) logs(c *call) (any, error) {
	q := c.URL.Query()
	tail := int64(1000)
	if text := q.Get("tail"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return nil, bad("tail " + strconv.Quote(text) + " is no number of lines")
		}
		tail = n
	}
	tail = min(tail, mostLines)
	options := &corev1.PodLogOptions{Container: q.Get("container"), Follow: q.Get("follow") == "true", Timestamps: q.Get("timestamps") == "true", TailLines: &tail}
	stream, err := c.kube.CoreV1().Pods(c.PathValue("namespace")).GetLogs(c.PathValue("name"), options).Stream(c.Context())
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	c.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	c.w.Header().Set("X-Accel-Buffering", "no")
	out := http.NewResponseController(c.w)
	buffer := make([]byte, 32<<10)
	if out.Flush() != nil {
		return written{}, nil
	}
	for {
		n, err := stream.Read(buffer)
		if n > 0 {
			if _, err := c.w.Write(buffer[:n]); err != nil || out.Flush() != nil {
				return written{}, nil // the browser has gone
			}
		}
		if errors.Is(err, io.EOF) {
			return written{}, nil
		}
		if err != nil {
			// The status has been sent: an answer that is cut off says that something was wrong.
			panic(http.ErrAbortHandler)
		}
	}
}

// object is an object as it is, as YAML.
func (s *Server) object(c *call) (any, error) {
	gvk, ok := shown[c.PathValue("resource")]
	if !ok {
		return nil, bad(c.PathValue("resource") + " can't be read here")
	}
	namespace := c.PathValue("namespace")
	if namespace == "-" {
		namespace = ""
	}
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(gvk)
	if err := c.Get(c.Context(), client.ObjectKey{Namespace: namespace, Name: c.PathValue("name")}, o); err != nil {
		return nil, err
	}
	o.SetManagedFields(nil)
	text, err := yaml.Marshal(o.Object)
	if err != nil {
		return nil, err
	}
	c.w.Header().Set("Content-Type", "application/yaml")
	_, _ = c.w.Write(text) // the browser has gone
	return written{}, nil
}
