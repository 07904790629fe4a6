package audit

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// step is an event at a number of milliseconds after the epoch.
type step struct {
	at      int
	object  runtime.Object
	deleted bool
	listed  bool
}

func at(ms int, o runtime.Object) step   { return step{at: ms, object: o} }
func gone(ms int, o runtime.Object) step { return step{at: ms, object: o, deleted: true} }
func idle(ms int) step                   { return step{at: ms} }

// there was an object already when the audit began.
func there(o runtime.Object) step { return step{object: o, listed: true} }

// play feeds the steps to a new auditor and returns all it found.
func play(config Config, steps ...step) ([]Violation, *Auditor) {
	a := New(config)
	var found []Violation
	now := epoch
	for _, s := range steps {
		now = epoch.Add(time.Duration(s.at) * time.Millisecond)
		found = append(found, a.Observe(Event{Time: now, Object: s.object, Deleted: s.deleted, Found: s.listed})...)
	}
	return append(found, a.Finish(now)...), a
}

type podOption func(*corev1.Pod)

func pod(name string, options ...podOption) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: name, UID: types.UID(name), CreationTimestamp: metav1.NewTime(epoch),
			Labels: map[string]string{v1alpha1.QueueLabel: "q"},
		},
		Spec: corev1.PodSpec{SchedulerName: v1alpha1.SchedulerName, Containers: []corev1.Container{{Name: "c"}}},
	}
	for _, o := range options {
		o(p)
	}
	return p
}

func onNode(p *corev1.Pod) { p.Spec.NodeName = "node" }
func succeeded(p *corev1.Pod) {
	p.Spec.NodeName = "node"
	p.Status.Phase = corev1.PodSucceeded
}
func terminating(p *corev1.Pod) {
	p.Spec.NodeName = "node"
	p.DeletionTimestamp = &metav1.Time{Time: epoch}
}
func gated(p *corev1.Pod) { p.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "g"}} }
func unschedulable(p *corev1.Pod) {
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable}}
}
func in(queue string) podOption {
	return func(p *corev1.Pod) { p.Labels[v1alpha1.QueueLabel] = queue }
}
func unlabelled(p *corev1.Pod) { p.Labels = nil }
func annotated(queue string) podOption {
	return func(p *corev1.Pod) { p.Annotations = map[string]string{v1alpha1.QueueLabel: queue} }
}
func of(project string) podOption {
	return func(p *corev1.Pod) { p.Labels[v1alpha1.ProjectLabel] = project }
}
func ownedBy(job string) podOption {
	yes := true
	return func(p *corev1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{UID: types.UID(job), Controller: &yes}}
	}
}
func asking(name corev1.ResourceName, quantity string) podOption {
	return func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources.Requests = corev1.ResourceList{name: resource.MustParse(quantity)}
	}
}
func alsoAsking(name corev1.ResourceName, quantity string, before podOption) podOption {
	return func(p *corev1.Pod) {
		before(p)
		p.Spec.Containers[0].Resources.Requests[name] = resource.MustParse(quantity)
	}
}
func all(options ...podOption) podOption {
	return func(p *corev1.Pod) {
		for _, o := range options {
			o(p)
		}
	}
}
func created(ms int) podOption {
	return func(p *corev1.Pod) {
		p.CreationTimestamp = metav1.NewTime(epoch.Add(time.Duration(ms) * time.Millisecond))
	}
}

func saying(reason string) podOption {
	return func(p *corev1.Pod) {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: v1alpha1.AdmittedCondition, Status: corev1.ConditionFalse, Reason: reason})
	}
}
func annotating(key, value string) podOption {
	return func(p *corev1.Pod) { metav1.SetMetaDataAnnotation(&p.ObjectMeta, key, value) }
}
func queuedSince(ms int) podOption {
	return annotating(v1alpha1.QueuedTimeAnnotation, epoch.Add(time.Duration(ms)*time.Millisecond).Format(time.RFC3339Nano))
}

type queueOption func(*v1alpha1.Queue)

func queue(name string, options ...queueOption) *v1alpha1.Queue {
	q := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)}, Spec: v1alpha1.QueueSpec{Agent: "a"}}
	for _, o := range options {
		o(q)
	}
	return q
}

func seats(n int32) queueOption    { return func(q *v1alpha1.Queue) { q.Spec.Concurrency = &n } }
func priority(n int32) queueOption { return func(q *v1alpha1.Queue) { q.Spec.Priority = &n } }
func servedBy(agent string) queueOption {
	return func(q *v1alpha1.Queue) { q.Spec.Agent = agent }
}
func paused(q *v1alpha1.Queue) { q.Spec.State = v1alpha1.QueuePaused }
func strict(q *v1alpha1.Queue) { q.Spec.Strategy = v1alpha1.StrictFIFO }
func holding(name corev1.ResourceName, quantity string) queueOption {
	return func(q *v1alpha1.Queue) { q.Spec.Quota = quota(name, quantity) }
}

func quota(name corev1.ResourceName, quantity string) *v1alpha1.Quota {
	return &v1alpha1.Quota{Resources: map[corev1.ResourceName]resource.Quantity{name: resource.MustParse(quantity)}}
}

func agent(name string, concurrency int32) *v1alpha1.Agent {
	return &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.AgentSpec{Concurrency: &concurrency}}
}

func namespace(name string, managed bool) *corev1.Namespace {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if managed {
		ns.Labels = map[string]string{v1alpha1.ManagedLabel: "true"}
	}
	return ns
}

func project(name, organization string, concurrency int32) *v1alpha1.Project {
	return &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.ProjectSpec{
		Organization: organization, Concurrency: &concurrency, Namespaces: v1alpha1.ProjectNamespaces{Names: []string{"ns"}}}}
}

func organization(name string, concurrency int32) *v1alpha1.Organization {
	return &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.OrganizationSpec{Concurrency: &concurrency}}
}

type workflowOption func(*v1alpha1.Workflow)

// flow is a workflow of namespace ns.
func flow(name string, concurrency int32, options ...workflowOption) *v1alpha1.Workflow {
	w := &v1alpha1.Workflow{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID("uid-" + name)}, Spec: v1alpha1.WorkflowSpec{Concurrency: &concurrency}}
	for _, o := range options {
		o(w)
	}
	return w
}

func unbounded(w *v1alpha1.Workflow) { w.Spec.Concurrency = nil }
func halted(w *v1alpha1.Workflow)    { w.Spec.DesiredState = v1alpha1.Stopped }

// below makes a workflow a child of another.
func below(parent string) workflowOption {
	return func(w *v1alpha1.Workflow) {
		w.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(flow(parent, 0), v1alpha1.GroupVersion.WithKind("Workflow"))}
		w.Labels = map[string]string{v1alpha1.WorkflowUIDLabel: "uid-" + parent}
	}
}

func unmarked(w *v1alpha1.Workflow) { w.Labels = nil }

// opOf makes a pod the first attempt of an operation of a workflow.
func opOf(workflow, operation string) podOption {
	return func(p *corev1.Pod) {
		p.Labels[v1alpha1.WorkflowUIDLabel] = "uid-" + workflow
		p.Labels[v1alpha1.OperationUIDLabel] = "uid-" + operation
		p.Labels[v1alpha1.AttemptLabel] = "1"
	}
}

func alone(p *corev1.Pod) { delete(p.Labels, v1alpha1.WorkflowUIDLabel) }

func attempt(n string) podOption { return func(p *corev1.Pod) { p.Labels[v1alpha1.AttemptLabel] = n } }

// kept has the gate of workflows.
func kept(p *corev1.Pod) {
	p.Spec.SchedulingGates = append(p.Spec.SchedulingGates, corev1.PodSchedulingGate{Name: v1alpha1.WorkflowGate})
}

func deleting(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: epoch} }

// confirmed is gone from its node, and kept by a finalizer only.
func confirmed(p *corev1.Pod) {
	terminating(p)
	p.DeletionGracePeriodSeconds = new(int64)
}

// op is the object of an operation of a workflow.
func op(name, workflow string, phase v1alpha1.Status, kind string) *v1alpha1.Operation {
	return &v1alpha1.Operation{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID("uid-" + name), Labels: map[string]string{v1alpha1.WorkflowUIDLabel: "uid-" + workflow}},
		Status:     v1alpha1.OperationStatus{Queue: "q", Phase: phase, Run: &v1alpha1.RunReference{Kind: kind}},
	}
}
