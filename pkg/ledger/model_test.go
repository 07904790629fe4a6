package ledger

import (
	"cmp"
	"maps"
	"math/big"
	"slices"
)

// model is the ledger written the naive way: maps and full scans, nothing kept that can be counted.
type model struct {
	queues        map[string]*modelQueue
	agents        map[string]Limits
	projects      map[string]*modelProject
	organizations map[string]Limits
	workflows     map[string]*modelWorkflow
	pods          map[string]*modelPod
	seats         map[modelOperation]modelOwner // operations that hold a seat, and who is charged for it
	reservations  []*modelReservation           // in the order in which they have their room
}

type modelQueue struct {
	QueueConfig
	exists bool
	linked bool // ever set, so that it has an agent
}

type modelProject struct {
	organization string
	limits       Limits
	exists       bool
}

type modelWorkflow struct {
	parent string
	limits Limits
	exists bool
}

type modelOwner struct{ project, workflow string }

type modelOperation struct{ queue, name string }

type modelPod struct {
	Pod
	state State
}

type modelNode struct {
	kind Kind
	name string
}

func newModel() *model {
	return &model{
		queues:        map[string]*modelQueue{},
		agents:        map[string]Limits{},
		projects:      map[string]*modelProject{},
		organizations: map[string]Limits{},
		workflows:     map[string]*modelWorkflow{},
		pods:          map[string]*modelPod{},
		seats:         map[modelOperation]modelOwner{},
	}
}

func (p *modelPod) op() modelOperation {
	name := p.Operation
	if name == "" {
		name = p.UID
	}
	return modelOperation{p.Queue, name}
}

func (p *modelPod) owner() modelOwner { return modelOwner{p.Project, p.Workflow} }

func (m *model) setQueue(name string, c QueueConfig) {
	if old := m.queues[name]; old == nil || !old.exists || !sameConfig(old.QueueConfig, c) {
		m.unreserveQueue(name)
	}
	m.queues[name] = &modelQueue{QueueConfig: c, exists: true, linked: true}
}

func (m *model) deleteQueue(name string) {
	if q := m.queues[name]; q != nil {
		if q.exists {
			m.unreserveQueue(name)
		}
		q.exists = false
	}
}

func (m *model) setProject(name, organization string, limits Limits) {
	before := ""
	if old := m.projects[name]; old != nil {
		before = old.organization
	}
	if organization != before {
		m.unreserve(func(r *modelReservation) bool { return r.pod.Project == name })
	}
	m.projects[name] = &modelProject{organization, limits, true}
}

func (m *model) deleteProject(name string) {
	if p := m.projects[name]; p != nil {
		p.exists = false
	}
}

func (m *model) setWorkflow(name, parent string, limits Limits) {
	if slices.Contains(m.around(parent), name) {
		parent = ""
	}
	if parent != m.parent(name) {
		m.unreserve(func(r *modelReservation) bool { return slices.Contains(m.around(r.pod.Workflow), name) })
	}
	m.workflows[name] = &modelWorkflow{parent, limits, true}
}

func (m *model) deleteWorkflow(name string) {
	if w := m.workflows[name]; w != nil {
		w.exists = false
	}
}

func (m *model) parent(workflow string) string {
	if w := m.workflows[workflow]; w != nil {
		return w.parent
	}
	return ""
}

// around is a workflow and those around it, from the innermost; none for no workflow.
func (m *model) around(workflow string) []string {
	var names []string
	for ; workflow != ""; workflow = m.parent(workflow) {
		names = append(names, workflow)
	}
	return names
}

// namesWorkflow says whether pods, seats or other workflows name a workflow.
func (m *model) namesWorkflow(name string) bool {
	for _, p := range m.pods {
		if p.Workflow == name {
			return true
		}
	}
	for _, charged := range m.seats {
		if charged.workflow == name {
			return true
		}
	}
	for _, w := range m.workflows {
		if w.parent == name {
			return true
		}
	}
	return false
}

// settle forgets what nobody names any more and keeps the seats in step with the pods.
func (m *model) settle() {
	defer m.review()
	held := map[modelOperation]bool{}
	for _, p := range m.pods {
		if p.state.Holds() {
			held[p.op()] = true
		}
	}
	for op := range m.seats {
		if !held[op] {
			delete(m.seats, op)
		}
	}
	for name, q := range m.queues {
		named := false
		for _, p := range m.pods {
			named = named || p.Queue == name
		}
		if !q.exists && !named {
			delete(m.queues, name)
		}
	}
	for name, project := range m.projects {
		named := false
		for _, p := range m.pods {
			named = named || p.Project == name
		}
		for _, charged := range m.seats {
			named = named || charged.project == name
		}
		if !project.exists && !named {
			delete(m.projects, name)
		}
	}
	for forgot := true; forgot; {
		forgot = false
		for name, w := range m.workflows {
			if !w.exists && !m.namesWorkflow(name) {
				delete(m.workflows, name)
				forgot = true
			}
		}
	}
}

func (m *model) enter(p Pod) {
	old := m.pods[p.UID]
	switch {
	case old == nil:
		m.pods[p.UID] = &modelPod{p, Waiting}
	case old.state.Holds():
	case !samePod(old.Pod, p):
		delete(m.pods, p.UID)
		m.review()
		m.pods[p.UID] = &modelPod{p, Waiting}
		m.settle()
	}
}

func samePod(a, b Pod) bool {
	return sameCharge(a, b) && a.Priority == b.Priority && a.Created == b.Created && max(a.Runtime, 0) == max(b.Runtime, 0) && a.Unpreemptible == b.Unpreemptible && max(a.Gang, 1) == max(b.Gang, 1)
}

func sameCharge(a, b Pod) bool {
	return (&modelPod{Pod: a}).op() == (&modelPod{Pod: b}).op() && a.Project == b.Project && a.Workflow == b.Workflow && maps.Equal(a.Requests, b.Requests)
}

func (m *model) charge(p Pod) {
	old := m.pods[p.UID]
	if old != nil && old.state.Holds() && sameCharge(old.Pod, p) {
		old.state, old.Unpreemptible = Running, p.Unpreemptible
		m.review()
		return
	}
	if old != nil {
		queue, project, workflows := m.queues[old.Queue], m.projects[old.Project], maps.Clone(m.workflows)
		m.remove(p.UID)
		m.workflows = workflows
		if queue != nil {
			m.queues[old.Queue] = queue
		}
		if project != nil {
			m.projects[old.Project] = project
		}
	}
	m.pods[p.UID] = &modelPod{p, Unknown}
	m.review() // it belongs to its operation before it holds room
	m.hold(m.pods[p.UID], Running)
	m.review()
}

func (m *model) hold(p *modelPod, s State) {
	p.state = s
	if _, seated := m.seats[p.op()]; !seated {
		m.seats[p.op()] = p.owner()
	}
}

func (m *model) giveBack(uid string) {
	if p := m.pods[uid]; p != nil && p.state == Admitted {
		p.state = Waiting
	}
}

func (m *model) suspend(uid string) {
	if p := m.pods[uid]; p != nil && p.state != Running {
		p.state = Suspended
	}
}

func (m *model) resume(uid string) {
	if p := m.pods[uid]; p != nil && p.state == Suspended {
		p.state = Waiting
	}
}

func (m *model) remove(uid string) {
	delete(m.pods, uid)
	m.settle()
}

func (m *model) pathOf(p *modelPod) []modelNode { return m.path(p.Queue, p.owner()) }

// path is the nodes of a pod of this queue and owner.
func (m *model) path(queue string, o modelOwner) []modelNode {
	at := []modelNode{{Queue, queue}}
	if q := m.queues[queue]; q != nil && q.linked {
		at = append(at, modelNode{Agent, q.Agent})
	}
	if o.project != "" {
		at = append(at, modelNode{Project, o.project})
		if p := m.projects[o.project]; p != nil && p.organization != "" {
			at = append(at, modelNode{Organization, p.organization})
		}
	}
	for _, name := range m.around(o.workflow) {
		at = append(at, modelNode{Workflow, name})
	}
	return at
}

func (m *model) limits(n modelNode) Limits {
	unlimited := Limits{Seats: Unlimited}
	switch n.kind {
	case Queue:
		if q := m.queues[n.name]; q != nil && q.exists {
			return q.Limits
		}
	case Agent:
		if limits, ok := m.agents[n.name]; ok {
			return limits
		}
	case Project:
		if p := m.projects[n.name]; p != nil && p.exists {
			return p.limits
		}
	case Organization:
		if limits, ok := m.organizations[n.name]; ok {
			return limits
		}
	case Workflow:
		if w := m.workflows[n.name]; w != nil && w.exists {
			return w.limits
		}
	}
	return unlimited
}

func (m *model) seatsOf(n modelNode) int64 {
	count := int64(0)
	for op, owner := range m.seats {
		if slices.Contains(m.path(op.queue, owner), n) {
			count++
		}
	}
	return count
}

func (m *model) usageOf(n modelNode, resource string) *big.Int {
	sum := new(big.Int)
	for _, p := range m.pods {
		if p.state.Holds() && slices.Contains(m.pathOf(p), n) {
			sum.Add(sum, big.NewInt(max(p.Requests[resource], 0)))
		}
	}
	return sum
}

func (m *model) seated(p *modelPod) bool {
	_, ok := m.seats[p.op()]
	return ok
}

func (m *model) neverFits(p *modelPod) bool {
	if _, complete := m.crew(p); !complete {
		return false
	}
	asks := m.asks(p)
	for _, n := range m.pathOf(p) {
		limits := m.limits(n)
		if !m.seated(p) && limits.Seats == 0 {
			return true
		}
		for resource, want := range asks {
			if bound, ok := limits.Resources[resource]; ok && bound >= 0 && want > bound && want > 0 {
				return true
			}
		}
	}
	return false
}

func (m *model) closed(p *modelPod) bool {
	return slices.ContainsFunc(m.pathOf(p), func(n modelNode) bool { return m.limits(n).Closed != "" })
}

func (m *model) fits(p *modelPod) bool {
	return !m.closed(p) && !slices.ContainsFunc(m.pathOf(p), func(n modelNode) bool { return len(m.lacking(p, n)) > 0 })
}

// line is the pods of a queue that wait and can ever fit, in order.
func (m *model) line(queue string) []*modelPod {
	var line []*modelPod
	for _, p := range m.pods {
		if p.Queue == queue && p.state == Waiting && !m.neverFits(p) {
			line = append(line, p)
		}
	}
	m.sort(line)
	return line
}

func (m *model) sort(line []*modelPod) {
	slices.SortFunc(line, func(a, b *modelPod) int {
		if sa, sb := m.seated(a), m.seated(b); sa != sb {
			if sa {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Created, b.Created), cmp.Compare(a.UID, b.UID))
	})
}

func (m *model) opens(name string) bool {
	q := m.queues[name]
	if q == nil || !q.exists || q.Paused {
		return false
	}
	_, ok := m.agents[q.Agent]
	return ok
}

// eligible is the line of a queue without the parts of gangs.
func (m *model) eligible(queue string) []*modelPod {
	return slices.DeleteFunc(m.line(queue), func(p *modelPod) bool {
		_, complete := m.crew(p)
		return !complete
	})
}

// heads says whether a pod is the first of those eligible in its queue, or admitted together with it.
func (m *model) heads(p *modelPod) bool {
	line := m.eligible(p.Queue)
	if len(line) == 0 {
		return false
	}
	gang, _ := m.crew(p)
	return line[0] == p || gang != nil && line[0].op() == p.op() && line[0].owner() == p.owner()
}

// candidate is the pod that a queue would admit next, or nil.
func (m *model) candidate(queue string) *modelPod {
	if !m.opens(queue) {
		return nil
	}
	if r := m.reservationOf(queue); r != nil && m.competes(r.pod) && m.fits(r.pod) {
		return r.pod
	}
	line := m.eligible(queue)
	if m.queues[queue].Strategy == StrictFIFO && len(line) > 0 {
		line = line[:1]
	}
	for _, p := range line {
		if m.fits(p) {
			return p
		}
	}
	return nil
}

func (m *model) weight(queue string) int64 {
	q := m.queues[queue]
	if q.Limits.Seats >= 0 {
		return max(q.Limits.Seats, 1)
	}
	largest := int64(1)
	for _, other := range m.queues {
		if other.exists && other.Agent == q.Agent && other.Level == q.Level {
			largest = max(largest, other.Limits.Seats)
		}
	}
	return largest
}

func (m *model) queueBefore(a, b string) bool {
	qa, qb := m.queues[a], m.queues[b]
	if ka, kb := m.kept(a) > 0, m.kept(b) > 0; ka != kb {
		return ka
	}
	if qa.Level != qb.Level {
		return qa.Level > qb.Level
	}
	if ra, rb := m.offersReserved(a), m.offersReserved(b); ra != rb {
		return ra
	}
	sa, sb := m.seatsOf(modelNode{Queue, a})*m.weight(b), m.seatsOf(modelNode{Queue, b})*m.weight(a)
	if sa != sb {
		return sa < sb
	}
	return a < b
}

func (m *model) next() *modelPod {
	var best *modelPod
	for name := range m.queues {
		p := m.candidate(name)
		if p != nil && (best == nil || m.queueBefore(name, best.Queue)) {
			best = p
		}
	}
	return best
}

func (m *model) admit(max int) []string {
	for _, r := range m.reservations {
		m.mark(r)
	}
	var admitted []string
	for max <= 0 || len(admitted) < max {
		p := m.next()
		if p == nil {
			break
		}
		crew, _ := m.crew(p)
		if crew == nil {
			crew = []*modelPod{p}
		}
		for _, p := range crew {
			m.hold(p, Admitted)
			admitted = append(admitted, p.UID)
		}
		m.review()
	}
	return admitted
}
