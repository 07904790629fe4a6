package tenancy

import (
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Directory answers what exists. Callers must not change what it returns.
type Directory interface {
	// Queue is the queue of that name.
	Queue(name string) (QueueInfo, bool)
	// QueueNames are the names of all queues in any order. They serve suggestions only.
	QueueNames() []string
	// Project is the project of that name.
	Project(name string) (*v1alpha1.Project, bool)
	// ProjectsOf are the projects that claim a namespace with these labels, sorted by name.
	ProjectsOf(namespace string, namespaceLabels map[string]string) []*v1alpha1.Project
	// Organization is the organization of that name.
	Organization(name string) (*v1alpha1.Organization, bool)
	// Remote says whether the agent of that name is in another cluster.
	Remote(agent string) bool
}

// QueueInfo is what admission needs to know of a queue.
type QueueInfo struct {
	Name string
	// Agent serves it, or is the first of those that do.
	Agent string
	// Agents are those that serve it, in order.
	Agents   []string
	State    v1alpha1.QueueState
	Deleting bool
}

// InfoOf is what admission needs to know of q.
func InfoOf(q *v1alpha1.Queue) QueueInfo {
	info := QueueInfo{Name: q.Name, Agent: q.Spec.Agent, State: q.Spec.State, Deleting: !q.DeletionTimestamp.IsZero()}
	if info.Agent == "" {
		info.Agent = v1alpha1.DefaultName
	}
	if info.Agents = q.Spec.Agents; len(info.Agents) == 0 {
		info.Agents = []string{info.Agent}
	}
	info.Agent = info.Agents[0]
	return info
}

// Several says whether several agents may serve q: which of them gets an operation is chosen for each.
func Several(q *v1alpha1.Queue) bool { return len(q.Spec.Agents) > 0 }

// Serves says whether an agent is one of those that serve a queue.
func (q QueueInfo) Serves(agent string) bool { return slices.Contains(q.Agents, agent) }

// Here is the agent of this cluster that serves a queue: the first that is not remote. A queue has one in a cluster.
func (q QueueInfo) Here(remote func(agent string) bool) (agent string, served bool) {
	for _, name := range q.Agents {
		if !remote(name) {
			return name, true
		}
	}
	return "", false
}

// Index is a Directory in memory. Its owner serialises changes and reads.
type Index struct {
	queues        map[string]QueueInfo
	projects      map[string]indexedProject
	organizations map[string]*v1alpha1.Organization
	remote        map[string]bool // agents
}

// indexedProject keeps the selector parsed: it is asked for every pod.
type indexedProject struct {
	project *v1alpha1.Project
	claims  namespaceMatcher
}

var _ Directory = &Index{}

// NewIndex is an Index in which nothing exists.
func NewIndex() *Index {
	return &Index{
		queues:        map[string]QueueInfo{},
		projects:      map[string]indexedProject{},
		organizations: map[string]*v1alpha1.Organization{},
		remote:        map[string]bool{},
	}
}

// SetQueue adds or replaces a queue.
func (x *Index) SetQueue(q *v1alpha1.Queue) { x.queues[q.Name] = InfoOf(q) }

// DeleteQueue removes a queue.
func (x *Index) DeleteQueue(name string) { delete(x.queues, name) }

// SetProject adds or replaces a project.
func (x *Index) SetProject(p *v1alpha1.Project) {
	x.projects[p.Name] = indexedProject{project: p, claims: matcherOf(p.Spec.Namespaces)}
}

// DeleteProject removes a project.
func (x *Index) DeleteProject(name string) { delete(x.projects, name) }

// SetOrganization adds or replaces an organization.
func (x *Index) SetOrganization(o *v1alpha1.Organization) { x.organizations[o.Name] = o }

// DeleteOrganization removes an organization.
func (x *Index) DeleteOrganization(name string) { delete(x.organizations, name) }

// SetAgent adds or replaces an agent.
func (x *Index) SetAgent(a *v1alpha1.Agent) { x.remote[a.Name] = a.Spec.Remote }

// DeleteAgent removes an agent.
func (x *Index) DeleteAgent(name string) { delete(x.remote, name) }

// Remote implements Directory.
func (x *Index) Remote(agent string) bool { return x.remote[agent] }

// Queue implements Directory.
func (x *Index) Queue(name string) (QueueInfo, bool) {
	q, ok := x.queues[name]
	return q, ok
}

// QueueNames implements Directory.
func (x *Index) QueueNames() []string { return slices.Collect(maps.Keys(x.queues)) }

// Project implements Directory.
func (x *Index) Project(name string) (*v1alpha1.Project, bool) {
	p, ok := x.projects[name]
	return p.project, ok
}

// ProjectsOf implements Directory.
func (x *Index) ProjectsOf(namespace string, namespaceLabels map[string]string) []*v1alpha1.Project {
	var claiming []*v1alpha1.Project
	for _, p := range x.projects {
		if p.claims.matches(namespace, namespaceLabels) {
			claiming = append(claiming, p.project)
		}
	}
	sortByName(claiming)
	return claiming
}

// Organization implements Directory.
func (x *Index) Organization(name string) (*v1alpha1.Organization, bool) {
	o, ok := x.organizations[name]
	return o, ok
}

// ClaimsNamespace tells whether a project claims a namespace with these labels, by name or selector.
func ClaimsNamespace(p *v1alpha1.Project, namespace string, namespaceLabels map[string]string) bool {
	return matcherOf(p.Spec.Namespaces).matches(namespace, namespaceLabels)
}

type namespaceMatcher struct {
	names    []string
	selector labels.Selector
}

func matcherOf(n v1alpha1.ProjectNamespaces) namespaceMatcher {
	selector, err := metav1.LabelSelectorAsSelector(n.Selector)
	if err != nil {
		// A selector that cannot be read selects nothing; the project's Ready condition says so.
		selector = labels.Nothing()
	}
	return namespaceMatcher{names: n.Names, selector: selector}
}

func (m namespaceMatcher) matches(namespace string, namespaceLabels map[string]string) bool {
	return slices.Contains(m.names, namespace) || m.selector.Matches(labels.Set(namespaceLabels))
}

func sortByName(projects []*v1alpha1.Project) {
	slices.SortFunc(projects, func(a, b *v1alpha1.Project) int { return strings.Compare(a.Name, b.Name) })
}
