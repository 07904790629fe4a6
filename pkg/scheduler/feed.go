package scheduler

import (
	"errors"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	podgroups "sigs.k8s.io/scheduler-plugins/apis/scheduling/v1alpha1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/ledger"
	"github.com/queueyard/queueyard/pkg/limits"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// The feed turns what the informers see into what the ledger knows. It is the only one that does.

// watch registers the feed's handlers.
func (r *Room) watch(core informers.SharedInformerFactory, ours *informerSet) error {
	group := "." + v1alpha1.GroupVersion.Group
	return errors.Join(
		r.ready.add("pods", core.Core().V1().Pods().Informer(), handle(r.podSeen, r.podGone)),
		r.ready.add("namespaces", core.Core().V1().Namespaces().Informer(), handle(r.namespaceSeen, r.namespaceGone)),
		r.ready.add("queues"+group, ours.queues, handle(r.queueSeen, r.queueGone)),
		r.ready.add("agents"+group, ours.agents, handle(r.agentSeen, r.agentGone)),
		r.ready.add("projects"+group, ours.projects, handle(r.projectSeen, r.projectGone)),
		r.ready.add("organizations"+group, ours.organizations, handle(r.organizationSeen, r.organizationGone)),
		r.ready.add("podgroups."+podgroups.SchemeGroupVersion.Group, ours.podGroups, handle(r.podGroupSeen, r.podGroupGone)),
	)
}

// handle calls seen for every version of an object and gone at its end. An object that was
// replaced by another of the same name while nobody looked is gone, too.
func handle[T metav1.Object](seen func(T), gone func(T)) cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) { seen(obj.(T)) },
		UpdateFunc: func(oldObj, newObj any) {
			if before := oldObj.(T); before.GetUID() != newObj.(T).GetUID() {
				gone(before)
			}
			seen(newObj.(T))
		},
		DeleteFunc: func(obj any) {
			if last, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = last.Obj
			}
			gone(obj.(T))
		},
	}
}

// podSeen takes a version of a pod that is not over.
func (r *Room) podSeen(pod *v1.Pod) {
	if !r.serves(pod) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entryOf(pod)
	if e.bound() && pod.Spec.NodeName == "" {
		return // older than what the API server said when we began to lead
	}
	e.pod, e.listed = pod, true
	if e.bound() {
		r.placed(e)
	} else {
		r.waiting(e)
	}
	r.signal()
}

// podGone takes a pod that is over: terminal or deleted.
func (r *Room) podGone(pod *v1.Pod) {
	if !r.serves(pod) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gone(pod.UID)
}

func (r *Room) gone(uid types.UID) {
	e := r.entries[uid]
	var crew []*entry
	seated := 0
	if e != nil {
		crew = without(r.crew(e), e)
		_, seated = r.ledger.Counts(e.assignment.Queue)
	}
	r.ledger.Remove(string(uid))
	r.ranks.drop(uid)
	if e != nil {
		r.vacated(e.assignment.Queue, seated)
		r.notIdle(e)
		r.noRetry(e)
		r.notLeaving(e)
		e.listed = false
		r.drop(e)
	}
	r.disband(crew)
	r.signal()
}

// placed charges a pod that is on a node: to the queue it was admitted to, whatever its labels have
// become, or after a restart to the one they name. Before this replica leads it may be seen earlier than what
// says which queue that is, so it is asked again.
func (r *Room) placed(e *entry) {
	state := r.ledger.State(string(e.uid()))
	if !r.leading || !state.Holds() {
		assignment, refusal := r.assign(e.pod)
		if refusal != nil {
			assignment = r.claimed(e.pod)
		}
		e.assignment = assignment
	}
	if e.gang.operation == "" {
		e.gang, _ = r.directory.gangOf(e.pod) // after a restart its PodGroup may be seen later than the pod
	}
	if state == ledger.Admitted { // else it was placed under another leader
		r.started(e.assignment.Queue)
		r.observePlaced(e)
	}
	r.ledger.Charge(declare(r.describe(e.pod, e.assignment, e.gang), e.pod))
	r.seeLeaving(e)
	e.refusal, e.committed = nil, false
	r.ranks.drop(e.uid())
	r.notIdle(e)
	r.noRetry(e)
	r.report(e)
}

// waiting puts a pod that has no node into its queue's line.
func (r *Room) waiting(e *entry) {
	if e.committed {
		return // its bind is under way
	}
	if gated := len(e.pod.Spec.SchedulingGates) > 0; gated != e.gated {
		e.gated, e.since = gated, r.clock.Now()
	}
	if e.pod.DeletionTimestamp != nil || e.gated {
		r.withdraw(e)
		return
	}
	if !r.directory.knowsNamespace(e.pod.Namespace) || !r.directory.knowsNamespace(r.origin(e.pod)) {
		r.withdraw(e) // until the namespace, and so who claims it, has been seen
		return
	}
	assignment, refusal := r.assign(e.pod)
	var g gang
	if refusal == nil {
		g, refusal = r.directory.gangOf(e.pod)
	}
	e.refusal = refusal
	if refusal != nil {
		r.withdraw(e)
		r.report(e)
		return
	}
	moved := e.assignment.Queue != assignment.Queue || e.assignment.Project != assignment.Project || e.gang != g
	if moved && r.ranks.has(e.uid()) {
		r.withdraw(e)
	}
	if e.assignment.Queue != "" && e.assignment.Queue != assignment.Queue {
		e.since = r.clock.Now()
	}
	e.assignment, e.gang = assignment, g
	r.ledger.Enter(declare(r.describe(e.pod, assignment, g), e.pod))
	r.barIfMakingWay(e)
	r.report(e)
}

// withdraw takes a pod out of the line, and its room with it.
func (r *Room) withdraw(e *entry) {
	crew := without(r.crew(e), e)
	r.ledger.Remove(string(e.uid()))
	r.noRetry(e)
	r.unadmit(e)
	r.disband(crew)
}

// resolveStale asks anew which queue everything may have that waits where tenancy changed, and what
// everything that runs there costs.
func (r *Room) resolveStale() {
	if !r.stale.any() {
		return
	}
	for _, e := range r.entries {
		switch {
		case !e.listed || !r.isStale(e):
		case e.bound():
			r.placed(e)
		default:
			r.waiting(e)
		}
	}
	r.stale = staleness{}
}

func (r *Room) namespaceSeen(ns *v1.Namespace) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.directory.setNamespace(ns.Name, ns.Labels) {
		r.stale.add(ns.Name)
		r.signal()
	}
}

func (r *Room) namespaceGone(ns *v1.Namespace) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.directory.deleteNamespace(ns.Name)
}

func (r *Room) queueSeen(q *v1alpha1.Queue) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.directory.queues[q.Name]
	if before != nil && older(q, before) {
		return
	}
	r.directory.queues[q.Name] = q
	announceMetrics(q.Name)
	if before == nil || !equality.Semantic.DeepEqual(tenancy.InfoOf(before), tenancy.InfoOf(q)) {
		r.directory.SetQueue(q)
		r.stale.addQueue(q.Name)
	}
	r.applyQueue(q)
	r.changes.queues[q.Name] = true
	r.signal()
}

func (r *Room) applyQueue(q *v1alpha1.Queue) {
	c := limits.Queue(q)
	c.Agent, _ = r.agentHere(q)
	c.Preemption = preemptionOf(q)
	c.Limits = r.queueLimits(q)
	r.ledger.SetQueue(q.Name, c)
}

// agentHere is the agent of a queue in this cluster, or the first of those in others.
func (r *Room) agentHere(q *v1alpha1.Queue) (agent string, served bool) {
	info := tenancy.InfoOf(q)
	if agent, served = info.Here(r.servedElsewhere); !served {
		agent = info.Agent
	}
	return agent, served
}

func (r *Room) queueGone(q *v1alpha1.Queue) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := r.directory.queues[q.Name]; now != nil && now.UID != q.UID {
		return // another of its name is there
	}
	delete(r.directory.queues, q.Name)
	r.directory.DeleteQueue(q.Name)
	r.ledger.DeleteQueue(q.Name)
	delete(r.accounts, accountKey{ledger.Queue, q.Name})
	delete(r.enforced, accountKey{ledger.Queue, q.Name})
	delete(r.turnovers, q.Name)
	delete(r.vacancies, q.Name)
	forgetMetrics(q.Name)
	r.stale.addQueue(q.Name)
	r.signal()
}

func (r *Room) agentSeen(a *v1alpha1.Agent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.directory.agents[a.Name]
	if before == nil {
		r.agentCameOrWent(a.Name)
	}
	r.directory.agents[a.Name] = a
	r.directory.SetAgent(a)
	if before == nil || before.Spec.Remote != a.Spec.Remote {
		r.groupsChanged(a.Name)
	}
	if before == nil || !equality.Semantic.DeepEqual(before.Spec.Prices, a.Spec.Prices) || before.Spec.Remote != a.Spec.Remote {
		r.tenancyChanged() // what everything costs, and whether it can be here
	}
	r.ledger.SetAgent(a.Name, limits.Of(a.Spec.Concurrency, nil))
	r.changes.agents[a.Name] = true
	r.signal()
}

func (r *Room) agentGone(a *v1alpha1.Agent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.directory.agents, a.Name)
	r.directory.DeleteAgent(a.Name)
	r.groupsChanged(a.Name)
	r.ledger.DeleteAgent(a.Name)
	r.agentCameOrWent(a.Name)
	r.tenancyChanged()
}

// groupsChanged looks anew which of several agents serves a queue here.
func (r *Room) groupsChanged(agent string) {
	for _, q := range r.directory.queues {
		if tenancy.Several(q) && tenancy.InfoOf(q).Serves(agent) {
			r.applyQueue(q)
		}
	}
}

// agentCameOrWent changes whether the queues that name it are ready.
func (r *Room) agentCameOrWent(name string) {
	for _, q := range r.directory.queues {
		if tenancy.InfoOf(q).Serves(name) {
			r.changes.queues[q.Name] = true
		}
	}
}

func (r *Room) projectSeen(p *v1alpha1.Project) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, known := r.directory.Project(p.Name)
	if known && older(p, before) {
		return
	}
	r.applyProject(p)
	r.directory.SetProject(p)
	if !known || before.UID != p.UID || before.Generation != p.Generation {
		r.directory.forgetClaims()
		r.tenancyChanged()
	}
	r.changes.projects[p.Name] = true
	r.signal()
}

func (r *Room) applyProject(p *v1alpha1.Project) {
	r.ledger.SetProject(p.Name, p.Spec.Organization, r.tenantLimits(ledger.Project, p, p.Spec.Concurrency, p.Spec.Quota, &p.Status))
}

func (r *Room) projectGone(p *v1alpha1.Project) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now, ok := r.directory.Project(p.Name); ok && now.UID != p.UID {
		return // another of its name is there
	}
	r.directory.DeleteProject(p.Name)
	r.directory.forgetClaims()
	r.ledger.DeleteProject(p.Name)
	delete(r.accounts, accountKey{ledger.Project, p.Name})
	delete(r.enforced, accountKey{ledger.Project, p.Name})
	r.tenancyChanged()
}

func (r *Room) organizationSeen(o *v1alpha1.Organization) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, known := r.directory.Organization(o.Name)
	if known && older(o, before) {
		return
	}
	r.applyOrganization(o)
	r.directory.SetOrganization(o)
	if !known || before.Generation != o.Generation {
		r.tenancyChanged()
	}
	r.changes.organizations[o.Name] = true
	r.signal()
}

func (r *Room) applyOrganization(o *v1alpha1.Organization) {
	r.ledger.SetOrganization(o.Name, r.tenantLimits(ledger.Organization, o, o.Spec.Concurrency, o.Spec.Quota, &o.Status))
}

func (r *Room) organizationGone(o *v1alpha1.Organization) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now, ok := r.directory.Organization(o.Name); ok && now.UID != o.UID {
		return // another of its name is there
	}
	r.directory.DeleteOrganization(o.Name)
	r.ledger.DeleteOrganization(o.Name)
	delete(r.accounts, accountKey{ledger.Organization, o.Name})
	delete(r.enforced, accountKey{ledger.Organization, o.Name})
	r.tenancyChanged()
}

// tenancyChanged has the pump resolve what waits anew, once for any number of changes.
func (r *Room) tenancyChanged() {
	r.stale.everywhere = true
	r.signal()
}

// staleness is where tenancy has changed since what waits there was last resolved.
type staleness struct {
	everywhere bool
	namespaces map[string]bool
	queues     map[string]bool
}

func (s *staleness) add(namespace string) {
	if s.namespaces == nil {
		s.namespaces = map[string]bool{}
	}
	s.namespaces[namespace] = true
}

// addQueue notes a queue that came, changed or went: that matters to what is in it, and to what was refused.
func (s *staleness) addQueue(name string) {
	if s.queues == nil {
		s.queues = map[string]bool{}
	}
	s.queues[name] = true
}

func (s *staleness) any() bool { return s.everywhere || len(s.namespaces) > 0 || len(s.queues) > 0 }

// isStale says whether what has changed may matter to a pod.
func (r *Room) isStale(e *entry) bool {
	s := &r.stale
	return s.everywhere ||
		len(s.queues) > 0 && (e.refusal != nil || s.queues[e.assignment.Queue]) ||
		len(s.namespaces) > 0 && (s.namespaces[e.pod.Namespace] || s.namespaces[r.origin(e.pod)])
}
