package ledger

import (
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestMain makes histories long enough for lines to form; flags given on the command line win.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.steps", "80"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// world runs one random history on the ledger and on the naive model.
type world struct {
	ledger *Ledger
	model  *model
	// mixed lets the pods of one operation be in different projects and workflows. A seat is then charged
	// to those of whoever came first, which a restart cannot know.
	mixed bool
	// busy worlds are open from the start and seldom reconfigured, so that many pods of many shapes
	// wait at the same gates.
	busy bool
	// spread is how many queues and projects there are to name.
	spread int
}

func newWorld(t *rapid.T, mixed bool) *world {
	w := &world{ledger: New(), model: newModel(), mixed: mixed, busy: rapid.Bool().Draw(t, "busy"), spread: 4}
	if !w.busy {
		return w
	}
	w.spread = rapid.SampledFrom([]int{1, 2, 4}).Draw(t, "spread")
	for i := range 2 {
		w.setAgent(fmt.Sprintf("a%d", i), busyLimits(t))
	}
	for i := range 4 {
		c := QueueConfig{Agent: drawName(t, "a", 2), Level: rapid.Int64Range(1, 2).Draw(t, "level"), Limits: busyLimits(t), Guaranteed: drawGuarantee(t), Preemption: LowerPriority}
		w.setQueue(fmt.Sprintf("q%d", i), c)
	}
	for i := range 3 {
		w.setProject(fmt.Sprintf("p%d", i), drawName(t, "o", 2), busyLimits(t))
	}
	// Four deep, beside one that is on its own.
	for _, i := range rapid.Permutation([]int{0, 1, 2, 3, 4}).Draw(t, "order") {
		parent := ""
		if i > 0 && i < 4 {
			parent = fmt.Sprintf("w%d", i-1)
		}
		w.setWorkflow(fmt.Sprintf("w%d", i), parent, busyLimits(t))
	}
	return w
}

func busyLimits(t *rapid.T) Limits {
	limits := Limits{Seats: rapid.SampledFrom([]int64{-1, -1, 2, 4}).Draw(t, "seats"), Resources: map[string]int64{}}
	if rapid.Bool().Draw(t, "quota") {
		limits.Resources["cpu"] = rapid.Int64Range(8, 16).Draw(t, "cpu")
	}
	return limits
}

func (w *world) setQueue(name string, c QueueConfig) {
	w.ledger.SetQueue(name, c)
	w.model.setQueue(name, c)
}

func (w *world) setAgent(name string, limits Limits) {
	w.ledger.SetAgent(name, limits)
	w.model.agents[name] = limits
}

func (w *world) setProject(name, organization string, limits Limits) {
	w.ledger.SetProject(name, organization, limits)
	w.model.setProject(name, organization, limits)
}

func (w *world) setWorkflow(name, parent string, limits Limits) {
	w.ledger.SetWorkflow(name, parent, limits)
	w.model.setWorkflow(name, parent, limits)
}

// seldom wraps an action that busy worlds rarely take.
func (w *world) seldom(action func(*rapid.T)) func(*rapid.T) {
	return func(t *rapid.T) {
		if !w.busy || rapid.IntRange(0, 9).Draw(t, "seldom") == 0 {
			action(t)
		}
	}
}

func drawGuarantee(t *rapid.T) int64 {
	return rapid.SampledFrom([]int64{0, 0, 0, 1, 2, -1}).Draw(t, "guaranteed")
}

var resourceNames = []string{"cpu", "memory", "nvidia.com/gpu"}

func drawLimits(t *rapid.T) Limits {
	limits := Limits{Seats: rapid.SampledFrom([]int64{-1, -1, 0, 1, 2, 3, 5}).Draw(t, "seats"), Resources: map[string]int64{}}
	for _, name := range resourceNames {
		if rapid.IntRange(0, 3).Draw(t, name) == 0 {
			limits.Resources[name] = rapid.SampledFrom([]int64{-1, 0, 1, 2, 4, 7, math.MaxInt64}).Draw(t, "bound")
		}
	}
	if rapid.IntRange(0, 7).Draw(t, "closed") == 0 {
		limits.Closed = "budget used up"
	}
	return limits
}

func drawName(t *rapid.T, kind string, n int) string {
	return fmt.Sprintf("%s%d", kind, rapid.IntRange(0, n-1).Draw(t, kind))
}

// workflows is how many workflows there are to name.
const workflows = 5

func drawUID(t *rapid.T) string { return drawName(t, "u", 40) }

func (w *world) drawPod(t *rapid.T) Pod {
	p := Pod{
		UID:      drawUID(t),
		Queue:    drawName(t, "q", w.spread),
		Priority: rapid.Int64Range(0, 1).Draw(t, "priority"),
		Created:  rapid.Int64Range(0, 3).Draw(t, "created"),
		Requests: map[string]int64{},
	}
	if rapid.Bool().Draw(t, "has project") {
		p.Project = drawName(t, "p", min(w.spread, 3))
	}
	if rapid.Bool().Draw(t, "has workflow") {
		p.Workflow = drawName(t, "w", workflows)
	}
	if rapid.Bool().Draw(t, "shares its operation") {
		p.Operation = drawName(t, "op", 3)
		if !w.mixed {
			p.Operation += p.Project + p.Workflow
		}
		p.Gang = rapid.SampledFrom([]int{0, 0, 1, 2, 3, 4}).Draw(t, "gang")
	}
	p.Unpreemptible = rapid.IntRange(0, 5).Draw(t, "unpreemptible") == 0
	p.Runtime = rapid.SampledFrom([]int64{0, 0, 0, -1, 1, 3}).Draw(t, "runtime")
	if w.busy {
		p.Requests["cpu"] = rapid.Int64Range(1, 8).Draw(t, "cpu")
		return p
	}
	for _, name := range resourceNames {
		if rapid.IntRange(0, 2).Draw(t, name) == 0 {
			p.Requests[name] = rapid.SampledFrom([]int64{-3, 0, 1, 1, 2, 3, 8, math.MaxInt64}).Draw(t, "request")
		}
	}
	return p
}

func (w *world) reserve(t *rapid.T, uid string) {
	within := rapid.Int64Range(-1, 4).Draw(t, "within")
	require.Equal(t, w.model.reserve(uid, within), w.ledger.Reserve(uid, within), "reservation of %s", uid)
}

func (w *world) actions() map[string]func(*rapid.T) {
	l, m := w.ledger, w.model
	enter := func(t *rapid.T) {
		p := w.drawPod(t)
		l.Enter(p)
		m.enter(p)
	}
	admit := func(t *rapid.T) { w.admit(t, rapid.IntRange(0, 3).Draw(t, "max")) }
	remove := func(t *rapid.T) {
		uid := drawUID(t)
		l.Remove(uid)
		m.remove(uid)
	}
	setQueue := func(t *rapid.T) {
		name := drawName(t, "q", 4)
		c := QueueConfig{
			Agent:      drawName(t, "a", 2),
			Level:      rapid.SampledFrom([]int64{1, 2, HighestLevel}).Draw(t, "level"),
			Limits:     drawLimits(t),
			Strategy:   rapid.SampledFrom([]Strategy{BestEffortFIFO, BestEffortFIFO, StrictFIFO}).Draw(t, "strategy"),
			Paused:     rapid.IntRange(0, 5).Draw(t, "paused") == 0,
			Guaranteed: drawGuarantee(t),
			Preemption: rapid.SampledFrom([]Preemption{Never, LowerPriority}).Draw(t, "preemption"),
		}
		w.setQueue(name, c)
	}
	setAgent := func(t *rapid.T) { w.setAgent(drawName(t, "a", 2), drawLimits(t)) }
	setWorkflow := func(t *rapid.T) {
		parent := ""
		if rapid.IntRange(0, 3).Draw(t, "has parent") > 0 {
			parent = drawName(t, "w", workflows)
		}
		w.setWorkflow(drawName(t, "w", workflows), parent, drawLimits(t))
	}
	return map[string]func(*rapid.T){
		"enter":  enter,
		"enter2": enter,
		"enter many": func(t *rapid.T) {
			for range rapid.IntRange(0, 12).Draw(t, "many") {
				enter(t)
			}
		},
		"admit":  admit,
		"admit2": admit,
		"remove": remove,
		"charge": func(t *rapid.T) {
			p := w.drawPod(t)
			l.Charge(p)
			m.charge(p)
		},
		"confirm": func(t *rapid.T) {
			if p := m.pods[drawUID(t)]; p != nil {
				given := p.Pod
				l.Charge(given)
				m.charge(given)
			}
		},
		"enter again": func(t *rapid.T) {
			if p := m.pods[drawUID(t)]; p != nil {
				l.Enter(p.Pod)
				m.enter(p.Pod)
			}
		},
		"return": func(t *rapid.T) {
			uid := drawUID(t)
			l.Return(uid)
			m.giveBack(uid)
		},
		"suspend": func(t *rapid.T) {
			uid := drawUID(t)
			l.Suspend(uid, "no node fits")
			m.suspend(uid)
		},
		"resume": func(t *rapid.T) {
			uid := drawUID(t)
			l.Resume(uid)
			m.resume(uid)
		},
		"reserve head": func(t *rapid.T) {
			queue := drawName(t, "q", w.spread)
			uid, ok := l.Head(queue)
			want := ""
			if line := m.eligible(queue); m.opens(queue) && len(line) > 0 {
				want = line[0].UID
			}
			require.Equal(t, want, uid, "head of %s", queue)
			if ok {
				w.reserve(t, uid)
			}
		},
		"reserve again": func(t *rapid.T) {
			if len(m.reservations) > 0 {
				w.reserve(t, rapid.SampledFrom(m.reservations).Draw(t, "reservation").pod.UID)
			}
		},
		"reserve": func(t *rapid.T) {
			w.reserve(t, drawUID(t))
		},
		"victims":   w.victims,
		"takeovers": w.takeovers,
		"unreserve": func(t *rapid.T) {
			uid := drawUID(t)
			l.Unreserve(uid)
			m.unreservePod(uid)
		},
		"set queue":  w.seldom(setQueue),
		"set queue2": w.seldom(setQueue),
		"delete queue": w.seldom(func(t *rapid.T) {
			name := drawName(t, "q", 4)
			l.DeleteQueue(name)
			m.deleteQueue(name)
		}),
		"set agent":  w.seldom(setAgent),
		"set agent2": w.seldom(setAgent),
		"delete agent": w.seldom(func(t *rapid.T) {
			name := drawName(t, "a", 2)
			l.DeleteAgent(name)
			delete(m.agents, name)
		}),
		"set project": w.seldom(func(t *rapid.T) {
			name, limits := drawName(t, "p", 3), drawLimits(t)
			organization := rapid.SampledFrom([]string{"", "o0", "o1"}).Draw(t, "organization")
			w.setProject(name, organization, limits)
		}),
		"delete project": w.seldom(func(t *rapid.T) {
			name := drawName(t, "p", 3)
			l.DeleteProject(name)
			m.deleteProject(name)
		}),
		"set organization": w.seldom(func(t *rapid.T) {
			name, limits := drawName(t, "o", 2), drawLimits(t)
			l.SetOrganization(name, limits)
			m.organizations[name] = limits
		}),
		"delete organization": w.seldom(func(t *rapid.T) {
			name := drawName(t, "o", 2)
			l.DeleteOrganization(name)
			delete(m.organizations, name)
		}),
		"set workflow":  w.seldom(setWorkflow),
		"set workflow2": w.seldom(setWorkflow),
		"limit workflow": func(t *rapid.T) {
			name := drawName(t, "w", workflows)
			w.setWorkflow(name, m.parent(name), drawLimits(t))
		},
		"delete workflow": w.seldom(func(t *rapid.T) {
			name := drawName(t, "w", workflows)
			l.DeleteWorkflow(name)
			m.deleteWorkflow(name)
		}),
		"": w.check,
	}
}

// admit asks both for the same admissions and watches the invariants that an admission must keep.
func (w *world) admit(t *rapid.T, max int) {
	over := map[modelNode]map[string]bool{}
	for _, n := range w.nodes() {
		over[n] = w.overLimit(n)
	}
	var got []string
	for _, a := range w.ledger.Admit(max) {
		got = append(got, a.UID)
	}
	want := w.model.admit(max)
	require.Equal(t, want, got, "admissions in order")
	for _, n := range w.nodes() {
		for what := range w.overLimit(n) {
			require.True(t, over[n][what], "%s %s went over its limit of %q through an admission", n.kind, n.name, what)
		}
	}
	if max <= 0 {
		require.Nil(t, w.model.next(), "room is idle and a waiter eligible")
	}
}

// overLimit is the dimensions of a node that hold more than they may.
func (w *world) overLimit(n modelNode) map[string]bool {
	over := map[string]bool{}
	held, resources, _ := w.ledger.NodeUsage(n.kind, n.name)
	limits := w.model.limits(n)
	if limits.Seats >= 0 && held > limits.Seats {
		over[""] = true
	}
	for name, bound := range limits.Resources {
		if bound >= 0 && resources[name] > bound {
			over[name] = true
		}
	}
	return over
}

func (w *world) nodes() []modelNode {
	var nodes []modelNode
	for i := range 4 {
		nodes = append(nodes, modelNode{Queue, fmt.Sprintf("q%d", i)}, modelNode{Agent, fmt.Sprintf("a%d", i)},
			modelNode{Project, fmt.Sprintf("p%d", i)}, modelNode{Organization, fmt.Sprintf("o%d", i)})
	}
	for i := range workflows {
		nodes = append(nodes, modelNode{Workflow, fmt.Sprintf("w%d", i)})
	}
	return nodes
}

// check compares all that can be seen of the ledger with the model.
func (w *world) check(t *rapid.T) {
	w.model.settle()
	require.NoError(t, w.ledger.CheckInvariants())
	require.Len(t, slices.Collect(w.ledger.pods.all), len(w.model.pods))
	for uid, p := range w.model.pods {
		require.Equal(t, p.state, w.ledger.State(uid), "state of %s", uid)
	}
	for _, n := range w.nodes() {
		held, resources, _ := w.ledger.NodeUsage(n.kind, n.name)
		require.Equal(t, w.model.seatsOf(n), held, "seats of %s %s", n.kind, n.name)
		for _, name := range resourceNames {
			sum := w.model.usageOf(n, name)
			want := int64(math.MaxInt64)
			if sum.IsInt64() {
				want = sum.Int64()
			}
			require.Equal(t, want, resources[name], "%s of %s %s", name, n.kind, n.name)
		}
	}
	reserved := 0
	for _, r := range w.model.reservations {
		require.NotNil(t, w.ledger.podNamed(r.pod.UID).op.queue.reserved, "reservation of %s", r.pod.UID)
		reserved++
	}
	require.Len(t, w.ledger.reservations, reserved)
	w.checkStats(t)
	w.checkExplanations(t)
}

func (w *world) checkExplanations(t *rapid.T) {
	for uid, p := range w.model.pods {
		e, ok := w.ledger.Explain(uid)
		require.True(t, ok)
		require.NotEmpty(t, e.Message())
		require.Equal(t, e.Reason, w.ledger.Reason(uid))
		require.Equal(t, w.model.around(p.Workflow), e.Workflows, "workflows of %s", uid)
		if p.state != Waiting {
			require.Zero(t, e.Position)
			continue
		}
		line := w.model.line(p.Queue)
		at := slices.Index(line, p)
		require.Equal(t, at+1, e.Position, "position of %s", uid)
		if at >= 0 {
			require.Equal(t, len(line), e.Waiting)
		}
		require.Equal(t, w.model.opens(p.Queue) && w.model.neverFits(p), e.Reason == NeverFits, "%s: %s", uid, e.Reason)
		if _, complete := w.model.crew(p); !complete {
			require.Equal(t, w.model.opens(p.Queue), e.Reason == GangIncomplete, "%s: %s", uid, e.Reason)
			continue
		}
		if w.model.closed(p) {
			require.Equal(t, w.model.opens(p.Queue) && at >= 0, e.Reason == BudgetExhausted, "%s: %s", uid, e.Reason)
			continue
		}
		fails := slices.ContainsFunc(e.Checks, func(c Check) bool { return !c.OK })
		require.Equal(t, !w.model.fits(p), fails, "%s: %v", uid, e.Checks)
		strict := w.model.opens(p.Queue) && w.model.queues[p.Queue].Strategy == StrictFIFO
		turn := w.model.opens(p.Queue) && w.model.fits(p) && at >= 0 && (!strict || w.model.heads(p))
		require.Equal(t, turn, e.Reason == Turn, "%s: %s", uid, e.Reason)
	}
}

func matchesTheModel(t *rapid.T) {
	w := newWorld(t, rapid.Bool().Draw(t, "mixed"))
	t.Repeat(w.actions())
	w.admit(t, 0)
	w.check(t)
}

func TestHistoriesMatchTheModel(t *testing.T) { rapid.Check(t, matchesTheModel) }

func FuzzHistories(f *testing.F) { f.Fuzz(rapid.MakeFuzz(matchesTheModel)) }

// A ledger built anew from what the API says has the same charges.
func TestRestartReproducesTheCharges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, false)
		t.Repeat(w.actions())
		// What a restart finds on a node runs.
		for uid, p := range w.model.pods {
			if p.state == Admitted {
				given := p.Pod
				w.ledger.Charge(given)
				w.model.charge(given)
				require.Equal(t, Running, w.ledger.State(uid))
			}
		}
		// Reservations are not kept over a restart.
		for uid := range w.model.pods {
			w.ledger.Unreserve(uid)
		}
		again := w.rebuild()
		require.NoError(t, again.CheckInvariants())
		for _, n := range w.nodes() {
			held, resources, _ := w.ledger.NodeUsage(n.kind, n.name)
			heldAgain, resourcesAgain, _ := again.NodeUsage(n.kind, n.name)
			require.Equal(t, held, heldAgain, "seats of %s %s", n.kind, n.name)
			require.True(t, maps.Equal(resources, resourcesAgain), "%s %s: %v, then %v", n.kind, n.name, resources, resourcesAgain)
		}
		require.Equal(t, w.ledger.Admit(0), again.Admit(0), "what both admit next")
	})
}

// rebuild makes a ledger from the objects and the pods. What is deleted is set first and deleted last:
// where its pods stay charged is the one thing that only memory knows.
func (w *world) rebuild() *Ledger {
	l := New()
	for name, q := range w.model.queues {
		if q.linked {
			l.SetQueue(name, q.QueueConfig)
		}
	}
	for name, limits := range w.model.agents {
		l.SetAgent(name, limits)
	}
	for name, p := range w.model.projects {
		l.SetProject(name, p.organization, p.limits)
	}
	for name, limits := range w.model.organizations {
		l.SetOrganization(name, limits)
	}
	for name, flow := range w.model.workflows {
		l.SetWorkflow(name, flow.parent, flow.limits)
	}
	for _, p := range w.model.pods {
		if p.state.Holds() {
			l.Charge(p.Pod)
		} else {
			l.Enter(p.Pod)
			if p.state == Suspended {
				l.Suspend(p.UID, "no node fits")
			}
		}
	}
	for name, q := range w.model.queues {
		if !q.exists {
			l.DeleteQueue(name)
		}
	}
	for name, p := range w.model.projects {
		if !p.exists {
			l.DeleteProject(name)
		}
	}
	for name, flow := range w.model.workflows {
		if !flow.exists {
			l.DeleteWorkflow(name)
		}
	}
	return l
}
