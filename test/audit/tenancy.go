package audit

import (
	"cmp"
	"math"
	"path"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	podgroups "sigs.k8s.io/scheduler-plugins/apis/scheduling/v1alpha1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// world is what the auditor knows of the objects that say where pods wait.
type world struct {
	queues        map[string]*v1alpha1.Queue
	agents        map[string]*v1alpha1.Agent
	projects      map[string]*v1alpha1.Project
	organizations map[string]*v1alpha1.Organization
	namespaces    map[string]labels.Set
	podGroups     map[types.NamespacedName]*podgroups.PodGroup
	guaranteed    map[string][]*v1alpha1.Queue // agent -> queues that are guaranteed seats of it, first served first
}

func newWorld() world {
	return world{
		queues:        map[string]*v1alpha1.Queue{},
		agents:        map[string]*v1alpha1.Agent{},
		projects:      map[string]*v1alpha1.Project{},
		organizations: map[string]*v1alpha1.Organization{},
		namespaces:    map[string]labels.Set{},
		podGroups:     map[types.NamespacedName]*podgroups.PodGroup{},
		guaranteed:    map[string][]*v1alpha1.Queue{},
	}
}

// said is what the object says under a key, by label or by annotation.
func said(o metav1.Object, key string) string {
	return cmp.Or(o.GetLabels()[key], o.GetAnnotations()[key])
}

// refused reports a pod that says something no queue can take: a label and an annotation that
// differ, a cost or another declaration that is none, a queue of another agent, or a PodGroup or a
// namespace of its operation that does not exist.
func (w *world) refused(o *corev1.Pod) bool {
	if group := groupOf(o); group.Name != "" && w.podGroups[group] == nil {
		return true
	}
	if _, _, readable := declaredCost(o); !readable {
		return true
	}
	if !declaresWell(o) {
		return true
	}
	if _, known := w.namespaces[w.origin(o)]; !known && w.origin(o) != o.Namespace {
		return true
	}
	labels, annotations := o.GetLabels(), o.GetAnnotations()
	if l, a := labels[v1alpha1.ProjectLabel], annotations[v1alpha1.ProjectLabel]; l != "" && a != "" && l != a {
		return true
	}
	label, annotation := labels[v1alpha1.QueueLabel], annotations[v1alpha1.QueueLabel]
	if label != "" && annotation != "" && queueName(label) != queueName(annotation) {
		return true
	}
	for _, reference := range []string{label, annotation} {
		agent := agentName(reference)
		if q := w.queues[queueName(reference)]; agent != "" && q != nil && !slices.Contains(agentsOf(q), agent) {
			return true
		}
	}
	return false
}

// queueName is the queue in NAME, AGENT.NAME or AGENT/NAME.
func queueName(reference string) string {
	return reference[strings.LastIndexAny(reference, "./")+1:]
}

// agentName is the agent in it, or nothing.
func agentName(reference string) string {
	return reference[:max(0, strings.LastIndexAny(reference, "./"))]
}

// place is the queue and the project of a pod.
func (w *world) place(pod *corev1.Pod) (queue, project string) {
	project = said(pod, v1alpha1.ProjectLabel)
	if project == "" {
		if claims := w.claims(w.origin(pod)); len(claims) == 1 {
			project = claims[0]
		}
	}
	queue = queueName(said(pod, v1alpha1.QueueLabel))
	if p := w.projects[project]; queue == "" && p != nil {
		queue = p.Spec.DefaultQueue
		if o := w.organizations[p.Spec.Organization]; queue == "" && o != nil {
			queue = o.Spec.DefaultQueue
		}
	}
	return cmp.Or(queue, v1alpha1.DefaultName), project
}

// guarded reports whether admission keeps users from writing into a pod what only the controller may.
func (w *world) guarded(pod *corev1.Pod) bool {
	return w.namespaces[pod.Namespace][v1alpha1.ManagedLabel] == "true"
}

// origin is the namespace whose project a pod belongs to: that of its operation, where it can be believed.
func (w *world) origin(pod *corev1.Pod) string {
	if origin := pod.Annotations[v1alpha1.OriginAnnotation]; w.guarded(pod) && len(validation.IsDNS1123Label(origin)) == 0 {
		return origin
	}
	return pod.Namespace
}

// queuedSince is since when a pod, or what it repeats, is in line: as it says where that can be
// believed, but never before 1970 nor later than its creation.
func (w *world) queuedSince(pod *corev1.Pod) time.Time {
	created := pod.CreationTimestamp.Time
	since, err := time.Parse(time.RFC3339Nano, pod.Annotations[v1alpha1.QueuedTimeAnnotation])
	if err != nil || !w.guarded(pod) || since.Before(time.Unix(0, 0)) || since.Unix() > created.Unix() {
		return created
	}
	return since
}

// declaresWell reports whether what a pod declares of its run can be read.
func declaresWell(pod *corev1.Pod) bool {
	if text, declared := pod.Annotations[v1alpha1.MaxRuntimeAnnotation]; declared {
		if d, err := time.ParseDuration(text); err != nil || d <= 0 {
			return false
		}
	}
	text, declared := pod.Annotations[v1alpha1.PreemptibleAnnotation]
	return !declared || text == "true" || text == "false"
}

// claims are the projects that claim a namespace.
func (w *world) claims(namespace string) []string {
	var names []string
	for name, p := range w.projects {
		if w.claimed(p, namespace) {
			names = append(names, name)
		}
	}
	return names
}

func (w *world) claimed(p *v1alpha1.Project, namespace string) bool {
	if slices.Contains(p.Spec.Namespaces.Names, namespace) {
		return true
	}
	selector, err := metav1.LabelSelectorAsSelector(p.Spec.Namespaces.Selector)
	return err == nil && selector.Matches(w.namespaces[namespace])
}

// serves reports whether the queue takes the operations of that project and namespace at all.
func (w *world) serves(queue, project, namespace string) bool {
	q := w.queues[queue]
	if q == nil || q.DeletionTimestamp != nil || q.Spec.State == v1alpha1.QueuePaused || w.agents[w.agent(q)] == nil {
		return false
	}
	if project == "" {
		// A pod that does not say which of several projects it belongs to belongs to none.
		return len(w.claims(namespace)) == 0
	}
	p := w.projects[project]
	if p == nil || !w.claimed(p, namespace) {
		return false
	}
	return len(p.Spec.AllowedQueues) == 0 || slices.ContainsFunc(p.Spec.AllowedQueues, func(glob string) bool {
		ok, err := path.Match(glob, queue)
		return err == nil && ok
	})
}

// path lists the limits that an operation of that queue and project counts against.
func (w *world) path(queue, project string) []nodeKey {
	keys := []nodeKey{{queueKind, queue}}
	if q := w.queues[queue]; q != nil {
		keys = append(keys, nodeKey{agentKind, w.agent(q)})
	}
	if project != "" {
		keys = append(keys, nodeKey{projectKind, project})
		if p := w.projects[project]; p != nil && p.Spec.Organization != "" {
			keys = append(keys, nodeKey{organizationKind, p.Spec.Organization})
		}
	}
	return keys
}

// agentsOf are the agents that serve a queue.
func agentsOf(q *v1alpha1.Queue) []string {
	if len(q.Spec.Agents) > 0 {
		return q.Spec.Agents
	}
	return []string{q.Spec.Agent}
}

// agent is the one in this cluster, or the first.
func (w *world) agent(q *v1alpha1.Queue) string {
	for _, name := range agentsOf(q) {
		if a := w.agents[name]; a == nil || !a.Spec.Remote {
			return name
		}
	}
	return agentsOf(q)[0]
}

// level is the priority level of a queue: unset is above every number.
func level(q *v1alpha1.Queue) int64 {
	if q.Spec.Priority == nil || *q.Spec.Priority == v1alpha1.Unlimited {
		return math.MaxInt64
	}
	return int64(*q.Spec.Priority)
}
