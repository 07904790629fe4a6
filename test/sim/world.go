package sim

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/ledger"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// world is the plan as the ledger is told it, and beside it the simulation's own count of it.
type world struct {
	ledger    *ledger.Ledger
	directory *tenancy.Index
	plan      *Plan
	resources resources
	agents    map[string]*node
	queues    map[string]*queue
	projects  map[string]*node
	orgs      map[string]*node
	levels    map[levelKey]*level
	classes   map[string]*class
}

// class is operations that differ only in when they come and how long they run.
type class struct {
	name     string
	queue    *queue
	project  string
	priority int64
	pods     int32
	requests map[string]int64
	needs    []amount // the same for the simulation's own count
	path     []*node
	never    bool // not even alone: waits for ever
}

func newWorld(p *Plan) (*world, error) {
	w := &world{
		ledger:    ledger.New(),
		directory: tenancy.NewIndex(),
		plan:      installed(p),
		resources: newResources(),
		agents:    map[string]*node{},
		queues:    map[string]*queue{},
		projects:  map[string]*node{},
		orgs:      map[string]*node{},
		levels:    map[levelKey]*level{},
		classes:   map[string]*class{},
	}
	w.addAgents()
	return w, errors.Join(w.addQueues(), w.addTenants())
}

// installed is a plan with what every installation has: the agent and the queue named default.
func installed(p *Plan) *Plan {
	full := &Plan{maps.Clone(p.Agents), maps.Clone(p.Queues), p.Projects, p.Organizations, p.Unsimulated}
	if full.Agents[v1alpha1.DefaultName] == nil {
		a := &v1alpha1.Agent{}
		a.Name = v1alpha1.DefaultName
		full.Agents[a.Name] = a
	}
	if full.Queues[v1alpha1.DefaultName] == nil {
		q := &v1alpha1.Queue{}
		q.Name = v1alpha1.DefaultName
		full.Queues[q.Name] = q
	}
	return full
}

// The objects are told in the order of their names: the same plan makes the same ledger.

func (w *world) addAgents() {
	for _, name := range slices.Sorted(maps.Keys(w.plan.Agents)) {
		limits := limitsOf(w.plan.Agents[name].Spec.Concurrency, nil)
		w.ledger.SetAgent(name, limits)
		w.agents[name] = w.newNode(ledger.Agent, name, limits)
	}
}

func (w *world) addQueues() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(w.plan.Queues)) {
		q := w.plan.Queues[name]
		w.directory.SetQueue(q)
		agent := tenancy.InfoOf(q).Agent
		if w.agents[agent] == nil {
			errs = append(errs, fmt.Errorf("queue %s: there is no agent %s: add its manifest", name, agent))
			continue
		}
		config := queueConfig(q)
		w.ledger.SetQueue(name, config)
		w.queues[name] = w.newQueue(name, config)
	}
	for _, q := range w.queues {
		q.weight = q.level.weightOf(q)
	}
	return errors.Join(errs...)
}

func (w *world) addTenants() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(w.plan.Organizations)) {
		o := w.plan.Organizations[name]
		w.directory.SetOrganization(o)
		limits := limitsOf(o.Spec.Concurrency, o.Spec.Quota)
		w.ledger.SetOrganization(name, limits)
		w.orgs[name] = w.newNode(ledger.Organization, name, limits)
	}
	for _, name := range slices.Sorted(maps.Keys(w.plan.Projects)) {
		p := w.plan.Projects[name]
		if org := p.Spec.Organization; org != "" && w.orgs[org] == nil {
			errs = append(errs, fmt.Errorf("project %s: there is no organization %s: add its manifest", name, org))
			continue
		}
		// A load names its project. Here it does so with a namespace that only this project claims.
		claimed := p.DeepCopy()
		claimed.Spec.Namespaces = v1alpha1.ProjectNamespaces{Names: []string{name}}
		w.directory.SetProject(claimed)
		limits := limitsOf(p.Spec.Concurrency, p.Spec.Quota)
		w.ledger.SetProject(name, p.Spec.Organization, limits)
		w.projects[name] = w.newNode(ledger.Project, name, limits)
	}
	return errors.Join(errs...)
}

// newClass gives operations their queue as admission does, or says why it would refuse them.
func (w *world) newClass(c class, queueName string) (*class, error) {
	if c.project != "" && w.projects[c.project] == nil {
		return nil, fmt.Errorf("%s: there is no project %s: add its manifest", c.name, c.project)
	}
	claim := tenancy.Claim{Namespace: c.project}
	if queueName != "" {
		claim.Labels = map[string]string{v1alpha1.QueueLabel: queueName}
	}
	assignment, refusal := tenancy.Resolve(w.directory, v1alpha1.DefaultName, claim)
	if refusal == nil {
		info, _ := w.directory.Queue(assignment.Queue)
		refusal = tenancy.CheckAccepting(info)
	}
	if refusal != nil {
		return nil, fmt.Errorf("%s: %w", c.name, refusal)
	}
	c.queue = w.queues[assignment.Queue]
	c.path = []*node{c.queue.node, w.agents[c.queue.level.agent]}
	if p := w.projects[c.project]; p != nil {
		c.path = append(c.path, p)
		if o := w.orgs[w.plan.Projects[c.project].Spec.Organization]; o != nil {
			c.path = append(c.path, o)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.requests)) {
		if n := c.requests[name]; n > 0 {
			c.needs = append(c.needs, amount{w.resources.number(name), n})
		}
	}
	c.never = c.neverRuns()
	return &c, nil
}

func (c *class) neverRuns() bool {
	for _, n := range c.path {
		for _, need := range append([]amount{{seats, 1}}, c.needs...) {
			if bound := n.use(need.resource).bound; bound >= 0 && bound < need.n {
				return true
			}
		}
	}
	return c.queue.paused
}
