package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/sandbox"
	"github.com/queueyard/queueyard/test/audit"
)

var (
	fleetOperations = flag.Int("fleet", 60, "operations of TestPartitions")
	fleetSeed       = flag.Uint64("fleet-seed", 0, "seed of what is cut and killed in TestPartitions; 0: by the clock")
)

// line is the connection of an agent's cluster to the hub, which can be cut.
type line struct {
	listener net.Listener
	hub      string

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
}

func newLine(t *testing.T, hub string) *line {
	t.Helper()
	address, err := url.Parse(hub)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := &line{listener: listener, hub: address.Host, conns: map[net.Conn]bool{}}
	t.Cleanup(func() {
		listener.Close()
		l.set(true)
	})
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go l.carry(conn)
		}
	}()
	return l
}

func (l *line) url() string { return "https://" + l.listener.Addr().String() }

// set cuts the line, or mends it.
func (l *line) set(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
	if cut {
		for conn := range l.conns {
			conn.Close()
		}
	}
}

// hold keeps a connection to be cut, and says whether it may be.
func (l *line) hold(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[conn] = true
	return !l.cut
}

func (l *line) carry(conn net.Conn) {
	hub, err := net.Dial("tcp", l.hub)
	if err != nil {
		conn.Close()
		return
	}
	if held := []bool{l.hold(conn), l.hold(hub)}; held[0] && held[1] {
		go func() {
			_, _ = io.Copy(hub, conn)
			hub.Close()
		}()
		_, _ = io.Copy(conn, hub)
	}
	conn.Close()
	hub.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, conn)
	delete(l.conns, hub)
}

// fleet is two clusters with agents of the sandbox of the case, and an audit of all three.
type fleet struct {
	*scenario
	lines   map[string]*line
	workers map[string]*sandbox.Sandbox
	copies  map[string]client.Client
}

var fleetAgents = []string{"east", "west"}

func beginFleet(t *testing.T, name string) *fleet {
	f := &fleet{scenario: begin(t, name), lines: map[string]*line{}, workers: map[string]*sandbox.Sandbox{}, copies: map[string]client.Client{}}
	clusters := map[string]*rest.Config{audit.Hub: f.config}
	for _, agent := range fleetAgents {
		agent = f.agent + "-" + agent
		f.lines[agent] = newLine(t, f.config.Host)
		f.workers[agent], f.copies[agent] = f.join(agent, f.lines[agent].url())
		var err error
		clusters[agent], err = f.workers[agent].Config()
		require.NoError(t, err)
	}
	all, err := audit.WatchFleet(t.Context(), clusters, audit.DefaultConfig(), nil)
	require.NoError(t, err)
	t.Cleanup(func() {
		for _, v := range all.Stop() {
			t.Errorf("violation: %s", v)
		}
	})
	return f
}

// served makes a queue that one of the agents serves.
func (f *fleet) served(name, agent string, concurrency int32) string {
	return f.queue(name, func(q *v1alpha1.QueueSpec) { q.Agent, q.Concurrency = f.agent+"-"+agent, &concurrency })
}

func (f *fleet) ended(queue string, phase v1alpha1.Status, n int) {
	f.Helper()
	f.eventually(fmt.Sprintf("%d operations of queue %s are %s", n, queue, phase), func() (bool, any) {
		ops := &v1alpha1.OperationList{}
		err := f.objects.List(f.Context(), ops, client.InNamespace(f.namespace))
		seen := map[v1alpha1.Status]int{}
		for _, op := range ops.Items {
			if op.Spec.Queue == queue && op.Labels[v1alpha1.WorkflowLabel] == "" {
				seen[op.Status.Phase]++
			}
		}
		return err == nil && seen[phase] == n, fmt.Sprint(err, seen)
	})
}

// nothingLeft waits until the hub has no assignments and the clusters have no copies.
func (f *fleet) nothingLeft() {
	f.Helper()
	f.eventually("nothing is left of what has ended", func() (bool, any) {
		left, n := "", 0
		for agent, objects := range f.copies {
			assignments, copies := &v1alpha1.AssignmentList{}, &v1alpha1.OperationList{}
			err := errors.Join(f.objects.List(f.Context(), assignments, client.InNamespace(v1alpha1.AgentNamespace(agent))), objects.List(f.Context(), copies))
			n += len(assignments.Items) + len(copies.Items)
			if err != nil {
				n++
			}
			left += fmt.Sprintf("%s: %d assignments, %d copies, %v; ", agent, len(assignments.Items), len(copies.Items), err)
		}
		return n == 0, left
	})
}

// A queue is given to another agent while some of its operations run and others wait, the steps of a workflow run where their queues are, and
// then both clusters are cut off, their controllers and the hub's killed, at any time: each operation has one result, and no limit is broken
// in any cluster, nor over all. So it is when the hub's own control plane is killed.
func TestPartitions(t *testing.T) {
	f := beginFleet(t, "fleet")
	east, west := f.served("east", "east", 6), f.served("west", "west", 6)

	t.Run("a queue moves", func(t *testing.T) {
		s := f.in(t)
		moves := f.served("moves", "east", 1)
		s.create(s.operation("runs", moves, shell("sleep 8")))
		s.reach("runs", v1alpha1.StatusRunning)
		s.create(s.operation("waits", moves, shell("exit 0")))
		s.reach("waits", v1alpha1.StatusQueued)
		s.editQueue(moves, func(q *v1alpha1.QueueSpec) { q.Agent = f.agent + "-west" })
		op := s.reach("waits", v1alpha1.StatusSucceeded)
		assert.Equal(t, f.agent+"-west", op.Status.Agent, "what waited moved")
		op = s.reach("runs", v1alpha1.StatusSucceeded)
		assert.Equal(t, f.agent+"-east", op.Status.Agent, "what ran stayed")
		assert.EqualValues(t, 1, op.Status.Attempt)
	})
	t.Run("a queue of both", func(t *testing.T) { f.overflows(t) })
	t.Run("a dag over both", func(t *testing.T) {
		s := f.in(t)
		s.workflow("both", east, fmt.Sprintf(`
entrypoint: main
templates:
- name: main
  dag:
    operations:
    - {name: make, template: make}
    - {name: use, template: use, params: {given: "{{ ops.make.outputs.n }}"}}
- name: make
  operation:
    template: {pod: {spec: {containers: [{name: main, image: none, command: [bash, -c, 'echo "{\"n\": 20}" > $TERMINATION_MESSAGE_PATH']}]}}}
- name: use
  inputs: [{name: given, type: int}]
  operation:
    queue: %s
    template: {pod: {spec: {containers: [{name: main, image: none, command: [bash, -c, 'echo "{\"n\": $(( {{ params.given }} + 1 ))}" > $TERMINATION_MESSAGE_PATH']}]}}}
`, west))
		s.ends("both", v1alpha1.StatusSucceeded)
		for _, op := range s.childrenOf("both") {
			want := f.agent + "-" + map[string]string{"make": "east", "use": "west"}[op.Labels[v1alpha1.StepLabel]]
			assert.Equal(t, want, op.Status.Agent, "step %s", op.Labels[v1alpha1.StepLabel])
			if op.Labels[v1alpha1.StepLabel] == "use" {
				assert.JSONEq(t, "21", string(op.Status.Outputs["n"].Raw))
			}
		}
	})
	t.Run("the hub's control plane is killed", func(t *testing.T) { f.hubIsKilled(t) })
	t.Run("cuts and kills", func(t *testing.T) { f.cutsAndKills(t, east, west) })
}

// hubIsKilled keeps the control plane of the hub from serving until something that it assigned has ended meanwhile: what runs goes on, and
// when the hub is back each has ended once, at its first attempt.
func (f *fleet) hubIsKilled(t *testing.T) {
	s := f.in(t)
	const each = 12
	queues := []string{f.served("killed-east", "east", 4), f.served("killed-west", "west", 4)}
	over := filepath.Join(t.TempDir(), "over")
	s.create(s.operation("outlasts", queues[0], shell("until [ -e "+over+" ]; do sleep 0.1; done")))
	s.reach("outlasts", v1alpha1.StatusRunning)
	var made []client.Object
	for i := range 2*each - 1 {
		op := s.operation(fmt.Sprintf("killed-%d", i), queues[(i+1)%2], nil)
		op.Spec.Template = &v1alpha1.RunTemplate{Pod: encoded(simulated("2"))}
		made = append(made, op)
	}
	s.createTogether(made)
	worker := f.copies[f.agent+"-east"]
	require.NoError(t, s.sandbox.Kill(sandbox.ControlPlane))
	require.NoError(t, os.WriteFile(over, nil, 0o600))
	s.eventually("it ends while the hub is away", func() (bool, any) {
		components, _, err := s.sandbox.Status()
		require.NoError(t, err)
		for _, c := range components {
			if c.Name == sandbox.ControlPlane && c.PID != 0 {
				_ = s.sandbox.Kill(sandbox.ControlPlane) // it may have ended meanwhile
			}
		}
		copies := &v1alpha1.OperationList{}
		err = worker.List(s.Context(), copies, client.MatchingLabels{v1alpha1.OriginNamespaceLabel: s.namespace, v1alpha1.OriginNameLabel: "outlasts"})
		return err == nil && len(copies.Items) == 1 && copies.Items[0].Status.Phase == v1alpha1.StatusSucceeded, fmt.Sprint(err, len(copies.Items))
	})
	for _, queue := range queues {
		f.ended(queue, v1alpha1.StatusSucceeded, each)
	}
	ops := &v1alpha1.OperationList{}
	require.NoError(t, s.objects.List(s.Context(), ops, client.InNamespace(s.namespace)))
	for _, op := range ops.Items {
		assert.EqualValues(t, 1, op.Status.Attempt, op.Name)
	}
	f.nothingLeft()
}

// overflows has a queue that both agents serve run as many as it may, over the seats of the first one, and takes that one away.
func (f *fleet) overflows(t *testing.T) {
	s := f.in(t)
	east, west := f.agent+"-east", f.agent+"-west"
	edit := func(name string, change func(*v1alpha1.AgentSpec)) {
		agent := &v1alpha1.Agent{}
		require.NoError(t, s.objects.Get(s.Context(), client.ObjectKey{Name: name}, agent))
		before := agent.DeepCopy()
		change(&agent.Spec)
		require.NoError(t, s.objects.Patch(s.Context(), agent, client.MergeFrom(before)))
	}
	for _, name := range []string{east, west} {
		edit(name, func(a *v1alpha1.AgentSpec) { a.Concurrency = ptr.To[int32](2) })
	}
	both := s.queue("both", func(q *v1alpha1.QueueSpec) {
		q.Agent, q.Agents, q.Concurrency = "", []string{east, west}, ptr.To[int32](3)
	})
	const n = 9
	var made []client.Object
	for i := range n {
		seconds := "4"
		if i < 2 {
			seconds = "20" // they keep the first agent full until it is drained
		}
		made = append(made, &v1alpha1.Operation{
			ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: fmt.Sprintf("both-%d", i)},
			Spec:       v1alpha1.OperationSpec{Queue: both, Template: &v1alpha1.RunTemplate{Pod: encoded(simulated(seconds))}},
		})
	}
	at := func(i int) string { return s.reach(fmt.Sprintf("both-%d", i), v1alpha1.StatusRunning).Status.Agent }
	s.create(made[:2]...)
	assert.Equal(t, []string{east, east}, []string{at(0), at(1)})
	s.create(made[2:]...)
	third := s.reach("both-2", v1alpha1.StatusRunning)
	assert.Equal(t, west, third.Status.Agent)
	assert.Contains(t, fmt.Sprint(third.Status.Timeline), fmt.Sprintf("agent %s: 2 of 2 seats free; agent %s: none of 2 seats free", west, east))
	edit(east, func(a *v1alpha1.AgentSpec) { a.State = v1alpha1.AgentDraining })
	f.ended(both, v1alpha1.StatusSucceeded, n)
	for i := 2; i < n; i++ {
		op := s.reach(fmt.Sprintf("both-%d", i), v1alpha1.StatusSucceeded)
		assert.Equal(t, west, op.Status.Agent, "what had not begun when the first was drained ran at the other")
	}
	for _, name := range []string{east, west} {
		edit(name, func(a *v1alpha1.AgentSpec) { a.State, a.Concurrency = v1alpha1.AgentOpen, nil })
	}
}

func (f *fleet) cutsAndKills(t *testing.T, queues ...string) {
	// A limit of both clusters and of the hub together.
	f.create(
		&v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: f.agent}, Spec: v1alpha1.OrganizationSpec{Concurrency: ptr.To[int32](8)}},
		&v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: f.agent}, Spec: v1alpha1.ProjectSpec{Organization: f.agent, Namespaces: v1alpha1.ProjectNamespaces{Names: []string{f.namespace}}}},
	)
	t.Cleanup(func() {
		assert.NoError(t, f.objects.Delete(context.Background(), &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: f.agent}}))
		assert.NoError(t, f.objects.Delete(context.Background(), &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: f.agent}}))
	})
	seed := *fleetSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("go test ./test/e2e -run TestPartitions -fleet %d -fleet-seed %d", *fleetOperations, seed)
	random := rand.New(rand.NewPCG(seed, 0))
	n := *fleetOperations / len(queues)
	var made []client.Object
	for i := range n {
		for _, queue := range queues {
			op := &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: fmt.Sprintf("%s-%d", queue[len(f.agent)+1:], i)}}
			op.Spec = v1alpha1.OperationSpec{Queue: queue, Template: &v1alpha1.RunTemplate{Pod: encoded(simulated(fmt.Sprint(1 + random.IntN(3))))}}
			made = append(made, op)
		}
	}
	f.createTogether(made)
	for range max(4, n/12) {
		agent := f.agent + "-" + fleetAgents[random.IntN(len(fleetAgents))]
		switch random.IntN(4) {
		case 0:
			require.NoError(t, f.workers[agent].Kill(sandbox.Controller))
		case 1:
			require.NoError(t, f.sandbox.Kill(sandbox.Controller))
		default:
			f.lines[agent].set(true)
		}
		pause(t, time.Duration(500+random.IntN(4000))*time.Millisecond)
		f.lines[agent].set(false)
		pause(t, time.Duration(random.IntN(2000))*time.Millisecond)
	}
	for _, queue := range queues {
		f.ended(queue, v1alpha1.StatusSucceeded, n)
	}
	f.nothingLeft()
}

// pause lets the clusters work: what happens in it is any of what may.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}
