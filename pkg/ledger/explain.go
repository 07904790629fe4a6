package ledger

import (
	"fmt"
	"slices"
	"strings"
)

// Reason is why a pod waits, for machines.
type Reason string

// The reasons, and what a pod that does not wait has in their place.
const (
	QueueFull         Reason = "QueueFull"
	AgentFull         Reason = "AgentFull"
	ProjectFull       Reason = "ProjectFull"
	OrganizationFull  Reason = "OrganizationFull"
	WorkflowFull      Reason = "WorkflowFull"
	QueueQuota        Reason = "QueueQuota"
	AgentQuota        Reason = "AgentQuota"
	ProjectQuota      Reason = "ProjectQuota"
	OrganizationQuota Reason = "OrganizationQuota"
	WorkflowQuota     Reason = "WorkflowQuota"
	QueueNotFound     Reason = "QueueNotFound"
	AgentNotFound     Reason = "AgentNotFound"
	QueuePaused       Reason = "QueuePaused"
	BudgetExhausted   Reason = "BudgetExhausted"
	GangIncomplete    Reason = "GangIncomplete"
	NeverFits         Reason = "NeverFits"
	Unschedulable     Reason = "Unschedulable" // suspended
	BehindHead        Reason = "BehindHead"    // of a StrictFIFO queue
	RoomReserved      Reason = "RoomReserved"  // room is held for it
	RoomHeld          Reason = "RoomHeld"      // there would be room, but it is held for others
	Turn              Reason = "Turn"          // has room; the next Admit sees it
	IsAdmitted        Reason = "Admitted"
	IsRunning         Reason = "Running"
)

// Check is one limit on a pod's path and what is left of it. Of a pod that holds room, Used includes
// what it needs itself.
type Check struct {
	Kind     Kind
	Name     string
	Resource string // empty: seats
	Used     int64
	Limit    int64
	Need     int64
	OK       bool
	// Kept is how many of an agent's seats are kept for the queues KeptFor, which are others.
	Kept int64
	// Held is what is held for operations that waited too long.
	Held    int64
	KeptFor []string
	// Whole is what the limit is this cluster's share of; 0: it is whole.
	Whole int64
}

// Explanation is why a pod stands where it stands.
type Explanation struct {
	UID, Operation                      string
	Queue, Agent, Project, Organization string // empty: none
	// Workflows are those it is in, the innermost one first.
	Workflows []string
	State     State
	Reason    Reason
	// Checks are all bounds that concern the pod, by queue, agent, project, organization, workflows.
	Checks []Check
	// Facts are sentences for what keeps the pod waiting besides the checks, the first one first.
	Facts []string
	// Position among the Waiting pods of the queue that can ever fit, from 1. 0: has none.
	Position, Waiting int
	// Above is how many operations wait in queues of the same agent that have a higher priority.
	Above int
	// HeldFor are the pods that room is held for which this one lacks.
	HeldFor []string
}

// Explain says why a pod stands where it stands.
func (l *Ledger) Explain(uid string) (Explanation, bool) {
	p := l.podNamed(uid)
	if p == nil {
		return Explanation{}, false
	}
	e := l.explain(p)
	if p.state == Waiting && !p.shape.never {
		e.Position, e.Waiting = p.op.queue.position(p)
	}
	return e, true
}

// Reason is why a pod stands where it stands: what Explain says, without the position. Empty if the pod is not known.
func (l *Ledger) Reason(uid string) Reason {
	p := l.podNamed(uid)
	if p == nil {
		return ""
	}
	e := l.explain(p)
	return e.Reason
}

// explain is Explain without the position, which costs a look at every shape of the queue.
func (l *Ledger) explain(p *pod) Explanation {
	q := p.op.queue
	at := p.path()
	e := Explanation{UID: p.uid, Operation: p.op.name, State: p.state, Checks: l.checks(p, at)}
	for n := range at.nodes {
		if n.kind == Workflow {
			e.Workflows = append(e.Workflows, n.name)
		} else {
			*[...]*string{&e.Queue, &e.Agent, &e.Project, &e.Organization}[n.kind] = n.name
		}
	}
	switch p.state {
	case Admitted:
		e.Reason = IsAdmitted
		return e
	case Running:
		e.Reason = IsRunning
		return e
	}
	e.fact(Unschedulable, suspension(p))
	e.fact(q.unavailable())
	e.fact(NeverFits, l.impossible(p, at))
	e.fact(GangIncomplete, incomplete(p))
	for n := range at.nodes {
		e.fact(BudgetExhausted, n.closed())
	}
	if e.Reason == "" {
		e.Reason = l.refusalReason(p, &e)
	}
	if head := q.line.first; p.state == Waiting && head != nil && !head.item.begins(p) {
		e.fact(BehindHead, fmt.Sprintf("waits behind the head of StrictFIFO queue %s", q.name))
	}
	if e.Above = q.pendingAbove(); e.Above > 0 {
		e.Facts = append(e.Facts, e.above())
	}
	if e.Reason == "" {
		e.Reason = Turn
	}
	return e
}

// refusalReason is the reason that the limits give, if they refuse the pod.
func (l *Ledger) refusalReason(p *pod, e *Explanation) (reason Reason) {
	onlyHeld := true
	for _, c := range e.Checks {
		if c.OK {
			continue
		}
		onlyHeld = onlyHeld && plus(plus(c.Used, c.Kept), c.Need) <= c.Limit
		if reason == "" {
			reason = c.reason()
		}
	}
	switch {
	case reason == "":
	case p.shape.reservation() != nil:
		return RoomReserved
	case onlyHeld:
		e.HeldFor = heldFor(p.shape)
		return RoomHeld
	}
	return reason
}

// fact adds a sentence, if there is one, and is the reason if it is the first.
func (e *Explanation) fact(r Reason, sentence string) {
	if sentence == "" {
		return
	}
	e.Facts = append(e.Facts, sentence)
	if e.Reason == "" {
		e.Reason = r
	}
}

// Message is the explanation in one sentence with its numbers.
func (e *Explanation) Message() string {
	switch e.Reason {
	case IsAdmitted:
		return fmt.Sprintf("queue %s: admitted", e.Queue)
	case IsRunning:
		return fmt.Sprintf("queue %s: running", e.Queue)
	}
	parts := []string{e.cause()}
	if e.Above > 0 && (e.Reason == AgentFull || e.Reason == Turn) {
		parts = append(parts, e.above())
	}
	if e.Position > 0 {
		parts = append(parts, fmt.Sprintf("position %d of %d", e.Position, e.Waiting))
	}
	return strings.Join(parts, "; ")
}

func (e *Explanation) cause() string {
	for i := range e.Checks {
		if c := &e.Checks[i]; !c.OK && (c.reason() == e.Reason || e.Reason == RoomReserved || e.Reason == RoomHeld) {
			return c.sentence() + e.fullAbove(i)
		}
	}
	if e.Reason == Turn {
		return fmt.Sprintf("queue %s: has room, waits for its turn", e.Queue)
	}
	return e.Facts[0]
}

// fullAbove says which workflows around that of a check have no room either.
func (e *Explanation) fullAbove(at int) string {
	inner := &e.Checks[at]
	if inner.Kind != Workflow {
		return ""
	}
	text := ""
	for i := range e.Checks[at+1:] {
		c := &e.Checks[at+1+i]
		if c.OK || c.Resource != inner.Resource {
			continue
		}
		kin := "ancestor"
		if slices.Index(e.Workflows, c.Name) == slices.Index(e.Workflows, inner.Name)+1 {
			kin = "parent"
		}
		text += fmt.Sprintf(", its %s %s %s/%s", kin, c.DisplayName(), FormatAmount(c.Resource, c.Used), FormatAmount(c.Resource, c.Limit))
	}
	return text
}

func (e *Explanation) above() string {
	return fmt.Sprintf("%d waiting in queues of higher priority go first", e.Above)
}

func (c *Check) reason() Reason {
	if c.Resource == "" {
		return [...]Reason{QueueFull, AgentFull, ProjectFull, OrganizationFull, WorkflowFull}[c.Kind]
	}
	return [...]Reason{QueueQuota, AgentQuota, ProjectQuota, OrganizationQuota, WorkflowQuota}[c.Kind]
}

func (c *Check) sentence() string {
	if c.Resource == "" {
		sentence := fmt.Sprintf("%s %s: %d/%d operations running", c.Kind, c.DisplayName(), c.Used, c.Limit)
		if c.Kept > 0 && c.Used < c.Limit {
			sentence += fmt.Sprintf(", the other %d kept for %s %s", c.Limit-c.Used, plural("queue", len(c.KeptFor)), strings.Join(c.KeptFor, ", "))
		}
		if c.Held > 0 {
			sentence += fmt.Sprintf(", %d held for operations that waited too long", c.Held)
		}
		return sentence + c.shared()
	}
	held := ""
	if c.Held > 0 {
		held = fmt.Sprintf(" %s held for operations that waited too long,", FormatAmount(c.Resource, c.Held))
	}
	if c.Resource == CostPerHour {
		return fmt.Sprintf("%s %s: cost %s/%s per hour,%s needs %s", c.Kind, c.DisplayName(),
			FormatAmount(c.Resource, c.Used), FormatAmount(c.Resource, c.Limit), held, FormatAmount(c.Resource, c.Need)) + c.shared()
	}
	return fmt.Sprintf("%s %s: %s %s/%s used,%s needs %s", c.Kind, c.DisplayName(), c.Resource,
		FormatAmount(c.Resource, c.Used), FormatAmount(c.Resource, c.Limit), held, FormatAmount(c.Resource, c.Need)) + c.shared()
}

// shared says that other clusters have a part of the limit, too.
func (c *Check) shared() string {
	if c.Whole == 0 {
		return ""
	}
	return fmt.Sprintf(" (this cluster's share of %s)", FormatAmount(c.Resource, c.Whole))
}

func plural(noun string, n int) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}

// checks lists the bounds on a path that concern a pod.
func (l *Ledger) checks(p *pod, at path) []Check {
	var checks []Check
	add := func(n *limitNode, d dim, amount int64) {
		bound := n.bound(d)
		if bound < 0 {
			return
		}
		c := Check{Kind: n.kind, Name: n.name, Resource: l.dims.names[d], Used: n.taken(d), Limit: bound, Need: amount}
		c.Whole = n.limits.Whole[c.Resource]
		if p.state.Holds() {
			c.OK = !n.over(d)
		} else {
			if p.shape != nil {
				c.Held = n.held(d, p.shape)
			}
			free := n.free(d)
			if d == seats {
				free = n.freeSeats(p.op.queue)
			}
			c.OK = free >= plus(amount, c.Held)
		}
		if d == seats && n.kept > 0 {
			c.KeptFor, c.Kept = p.op.queue.keptFor()
		}
		checks = append(checks, c)
	}
	for n := range at.nodes {
		if p.state.Holds() || p.op.holders() == 0 {
			add(n, seats, 1)
		}
		for _, want := range p.asks().needs {
			add(n, want.dim, want.amount)
		}
	}
	return checks
}

// closed says why a node admits nothing for now; empty if it is not closed.
func (n *limitNode) closed() string {
	if n.limits.Closed == "" {
		return ""
	}
	return fmt.Sprintf("%s %s: %s", n.kind, n.displayName(), n.limits.Closed)
}

// unavailable says why a queue admits nothing whatever its room; the sentence is empty if it is open.
func (q *queue) unavailable() (Reason, string) {
	switch {
	case !q.exists:
		return QueueNotFound, fmt.Sprintf("queue %s does not exist; create it or name another queue", q.name)
	case !q.agent.exists:
		return AgentNotFound, fmt.Sprintf("agent %s of queue %s does not exist; create it or give the queue another agent", q.agent.name, q.name)
	case q.config.Paused:
		return QueuePaused, fmt.Sprintf("queue %s is paused; it admits again when its state is Open", q.name)
	}
	return "", ""
}

func suspension(p *pod) string {
	switch {
	case p.state != Suspended:
		return ""
	case p.reason == "":
		return "in back-off"
	}
	return "in back-off: " + p.reason
}

// incomplete says how much of a gang is here, if that is not enough.
func incomplete(p *pod) string {
	if p.shape == nil || !p.shape.partial {
		return ""
	}
	return fmt.Sprintf("gang has %d of %d pods", p.shape.pods.len()+int(p.op.holders()), p.op.gang)
}

// asks is what must be free for the pod to be admitted: what its whole gang asks for where it is in one.
func (p *pod) asks() *vector {
	if p.shape != nil && !p.shape.partial {
		return p.shape.ask
	}
	return p.vec
}

// begins says whether a pod is among those that are admitted next of a shape.
func (s *shape) begins(p *pod) bool {
	return s.pods.head == p || s.gang != nil && p.shape == s
}

// impossible is the sentence for a pod that asks more than a bound on its path allows in all.
func (l *Ledger) impossible(p *pod, at path) string {
	if p.shape != nil && p.shape.partial {
		return ""
	}
	who := ""
	if p.shape != nil && p.shape.gang != nil {
		who = fmt.Sprintf("its gang of %d ", p.op.gang)
	}
	for n := range at.nodes {
		if p.op.holders() == 0 && n.bound(seats) == 0 && n.limits.Whole[""] == 0 {
			return fmt.Sprintf("%s %s admits no operations: its concurrency is 0; raise it", n.kind, n.displayName())
		}
		for _, want := range p.asks().needs {
			name := l.dims.names[want.dim]
			if bound := n.bound(want.dim); bound >= 0 && want.amount > max(bound, n.limits.Whole[name]) {
				bound = max(bound, n.limits.Whole[name])
				if name == CostPerHour {
					return fmt.Sprintf("%sasks cost %s per hour but %s %s allows at most %s per hour in all; lower the cost or raise the quota",
						who, FormatAmount(name, want.amount), n.kind, n.displayName(), FormatAmount(name, bound))
				}
				return fmt.Sprintf("%sasks %s %s but %s %s allows at most %s in all; lower the request or raise the quota",
					who, name, FormatAmount(name, want.amount), n.kind, n.displayName(), FormatAmount(name, bound))
			}
		}
	}
	return ""
}

// position counts the waiting pods of a queue that can ever fit, and where among them this one is.
func (q *queue) position(p *pod) (position, waiting int) {
	for s := range q.shapes {
		if s.never {
			continue
		}
		waiting += s.pods.len()
		switch {
		case s.seated == p.shape.seated:
			position += s.pods.before(p)
		case s.seated:
			position += s.pods.len()
		}
	}
	return position + 1, waiting
}

// pendingAbove counts the operations that wait in the queues of the same agent on higher levels.
func (q *queue) pendingAbove() int {
	if q.level == nil {
		return 0
	}
	count := 0
	for priority, v := range q.agent.levels {
		if priority > q.config.Level {
			count += v.pending
		}
	}
	return count
}
