package tenancy

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/cost"
	"github.com/queueyard/queueyard/pkg/suggest"
)

// Claim is what an object says of itself and of where it is.
type Claim struct {
	Namespace       string
	NamespaceLabels map[string]string
	Labels          map[string]string
	Annotations     map[string]string
	// Operation: it may run in another cluster. What is a pod or makes pods here may not.
	Operation bool
	// Assigned says that a hub has checked it: its project and queue are those that it names, whatever they claim and allow
	// in this cluster.
	Assigned bool
}

// Assignment is the queue that an object gets and whose limits it counts against.
type Assignment struct {
	Queue        string
	Project      string // empty: no project claims the namespace
	Organization string // empty: the project belongs to none that exists
	// Source says in a few words who chose the queue.
	Source string
}

// Resolve decides which queue a claim gets: its own, else its project's default, else its
// organization's, else defaultQueue. The queue exists and the project may use it, or the claim is
// refused. Whether the queue takes new operations is asked with CheckAccepting: the pods of an
// operation that was accepted earlier still go in.
func Resolve(dir Directory, defaultQueue string, c Claim) (Assignment, *Refusal) {
	for _, check := range []func(Claim) *Refusal{CheckCost, CheckDeclarations} {
		if refusal := check(c); refusal != nil {
			return Assignment{}, refusal
		}
	}
	ref, refusal := queueReference(c.Labels, c.Annotations)
	if refusal != nil {
		return Assignment{}, refusal
	}
	project, refusal := resolveProject(dir, c)
	if refusal != nil {
		return Assignment{}, refusal
	}
	choice := choose(dir, ref, project, defaultQueue)
	queue, ok := dir.Queue(choice.Queue)
	if !ok {
		return Assignment{}, unknownQueue(dir, choice)
	}
	if ref.agent != "" && !queue.Serves(ref.agent) {
		return Assignment{}, refuse(ReasonWrongAgent,
			"queue %q is served by %s, not by %q: write %s or %s.%s",
			queue.Name, queue.by(), ref.agent, queue.Name, queue.Agent, queue.Name)
	}
	if project != nil && !c.Assigned && !Allowed(project.Spec.AllowedQueues, queue.Name) {
		return Assignment{}, notAllowed(project, choice)
	}
	if here, served := queue.Here(dir.Remote); !c.Operation && !served {
		return Assignment{}, refuse(ReasonServedElsewhere,
			"queue %q is served by %s in another cluster, where no pod or Job of this one can go: create an Operation, or use another queue",
			queue.Name, queue.by())
	} else if !c.Operation && ref.agent != "" && ref.agent != here {
		return Assignment{}, refuse(ReasonServedElsewhere,
			"agent %q serves queue %q in another cluster, where no pod or Job of this one can go: create an Operation, or write %s.%s to have it served here",
			ref.agent, queue.Name, here, queue.Name)
	}
	return choice.Assignment, nil
}

// Claimed is what counts of a claim that Resolve refuses: what runs is charged, whatever has become forbidden or unknown
// since. It is what the claim names itself, and for what it does not name the same as if nothing were refused.
func Claimed(dir Directory, defaultQueue string, c Claim) Assignment {
	project, refusal := resolveProject(dir, c)
	ref, _ := queueReference(c.Labels, c.Annotations)
	a := choose(dir, ref, project, defaultQueue).Assignment
	if refusal != nil {
		a.Project, _ = projectReference(c.Labels, c.Annotations)
	}
	return a
}

// Default is the queue that projects and organizations give a claim that names none, and who gives it; empty where none does.
func Default(dir Directory, c Claim) (queue, source string) {
	project, refusal := resolveProject(dir, c)
	if refusal != nil {
		return "", ""
	}
	found := choose(dir, reference{}, project, "")
	if found.Queue == "" {
		return "", ""
	}
	return found.Queue, found.Source
}

// CheckReferences refuses a queue or project that cannot be a name, or of which label and annotation differ.
func CheckReferences(c Claim) *Refusal {
	if _, refusal := queueReference(c.Labels, c.Annotations); refusal != nil {
		return refusal
	}
	_, refusal := projectReference(c.Labels, c.Annotations)
	return refusal
}

// by names the agents of a queue.
func (q QueueInfo) by() string {
	if len(q.Agents) == 1 {
		return fmt.Sprintf("agent %q", q.Agent)
	}
	quoted := make([]string, len(q.Agents))
	for i, name := range q.Agents {
		quoted[i] = fmt.Sprintf("%q", name)
	}
	return "agents " + strings.Join(quoted, ", ")
}

// CheckCost refuses a declared cost that is none.
func CheckCost(c Claim) *Refusal {
	if _, _, err := cost.Declared(c.Labels, c.Annotations); err != nil {
		return refuse(ReasonInvalidCost, "%v", err)
	}
	return nil
}

// CheckAccepting refuses new operations in a queue that takes none.
func CheckAccepting(q QueueInfo) *Refusal {
	switch {
	case q.Deleting:
		return refuse(ReasonQueueDeleting,
			"queue %q is being deleted and takes no new operations: use another queue, or create it anew when it is gone", q.Name)
	case q.State == v1alpha1.QueueDraining:
		return refuse(ReasonQueueDraining,
			"queue %q is draining and takes no new operations: use another queue, or set its spec.state to %s", q.Name, v1alpha1.QueueOpen)
	}
	return nil
}

// Allowed tells whether a queue is among the names and globs of allowedQueues. An empty list
// allows all; a glob that cannot be read matches nothing.
func Allowed(allowedQueues []string, queue string) bool {
	return len(allowedQueues) == 0 || slices.ContainsFunc(allowedQueues, func(glob string) bool {
		match, err := path.Match(glob, queue)
		return err == nil && match
	})
}

// resolveProject finds the project of a claim; nil if no project claims its namespace.
func resolveProject(dir Directory, c Claim) (*v1alpha1.Project, *Refusal) {
	name, refusal := projectReference(c.Labels, c.Annotations)
	if refusal != nil {
		return nil, refusal
	}
	if name == "" && c.Assigned {
		return nil, nil
	}
	if name == "" {
		return onlyProject(dir, c)
	}
	project, ok := dir.Project(name)
	if !ok {
		return nil, refuse(ReasonUnknownProject,
			"project %q does not exist: set label %s to a project that claims namespace %q%s, or remove the label",
			name, v1alpha1.ProjectLabel, c.Namespace, among(dir, c))
	}
	if !c.Assigned && !ClaimsNamespace(project, c.Namespace, c.NamespaceLabels) {
		return nil, refuse(ReasonProjectNotHere,
			"project %q does not claim namespace %q%s: add the namespace to spec.namespaces of the project, or change label %s",
			name, c.Namespace, among(dir, c), v1alpha1.ProjectLabel)
	}
	return project, nil
}

func onlyProject(dir Directory, c Claim) (*v1alpha1.Project, *Refusal) {
	projects := dir.ProjectsOf(c.Namespace, c.NamespaceLabels)
	switch len(projects) {
	case 0:
		return nil, nil
	case 1:
		return projects[0], nil
	}
	return nil, refuse(ReasonAmbiguousProject,
		"namespace %q is claimed by projects %s: set label %s to one of them",
		c.Namespace, list(namesOf(projects)), v1alpha1.ProjectLabel)
}

// among lists the projects a user may name instead.
func among(dir Directory, c Claim) string {
	projects := dir.ProjectsOf(c.Namespace, c.NamespaceLabels)
	if len(projects) == 0 {
		return " (none does now)"
	}
	return " (those that do: " + list(namesOf(projects)) + ")"
}

func namesOf(projects []*v1alpha1.Project) []string {
	names := make([]string, 0, len(projects))
	for _, p := range projects {
		names = append(names, p.Name)
	}
	return names
}

// choice is an assignment with what is said when it cannot stand.
type choice struct {
	Assignment
	who    string // who chose it, for a sentence; empty: the user did
	remedy string // what to change
}

func choose(dir Directory, ref reference, project *v1alpha1.Project, defaultQueue string) choice {
	var c choice
	var organization *v1alpha1.Organization
	if project != nil {
		c.Project = project.Name
		if o, ok := dir.Organization(project.Spec.Organization); ok {
			organization, c.Organization = o, o.Name
		}
	}
	c.remedy = "set label " + v1alpha1.QueueLabel + " to another queue"
	switch {
	case ref.given():
		c.Queue, c.Source = ref.queue, "label"
	case project != nil && project.Spec.DefaultQueue != "":
		c.Queue, c.Source = project.Spec.DefaultQueue, "project "+project.Name
		c.who = fmt.Sprintf(", the default of project %q,", project.Name)
		c.remedy += ", or change spec.defaultQueue of the project"
	case organization != nil && organization.Spec.DefaultQueue != "":
		c.Queue, c.Source = organization.Spec.DefaultQueue, "organization "+organization.Name
		c.who = fmt.Sprintf(", the default of organization %q,", organization.Name)
		c.remedy += ", or change spec.defaultQueue of the organization"
	default:
		c.Queue, c.Source = defaultQueue, "scheduler default"
		c.who = ", the scheduler's default,"
		if project != nil {
			c.remedy += ", or set spec.defaultQueue of the project"
		}
	}
	return c
}

func unknownQueue(dir Directory, c choice) *Refusal {
	return refuse(ReasonUnknownQueue, "queue %s%s does not exist%s: %s, or create it (kubectl get queues lists those that exist)",
		quote(c.Queue), c.who, suggest.DidYouMean(c.Queue, dir.QueueNames()), c.remedy)
}

func notAllowed(p *v1alpha1.Project, c choice) *Refusal {
	return refuse(ReasonQueueNotAllowed, "queue %q%s is not allowed to project %q, which may use %s: %s",
		c.Queue, c.who, p.Name, list(p.Spec.AllowedQueues), c.remedy)
}
