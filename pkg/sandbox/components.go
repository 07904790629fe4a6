package sandbox

import (
	"strconv"

	"github.com/queueyard/queueyard/pkg/sandbox/cluster"
	"github.com/queueyard/queueyard/pkg/sandbox/layout"
	"github.com/queueyard/queueyard/pkg/sandbox/process"
	"github.com/queueyard/queueyard/pkg/sandbox/supervisor"
)

// Names of the components.
const (
	ControlPlane   = cluster.ControlPlane
	Etcd           = cluster.Etcd
	SimulatedNodes = cluster.SimulatedNodes
	ProcessNode    = cluster.ProcessNode
	Scheduler      = "scheduler"
	Controller     = "controller"
)

// SchedulerReplica is the name of a replica of the scheduler as a component; the first is 0.
func SchedulerReplica(i int) string {
	if i == 0 {
		return Scheduler
	}
	return Scheduler + "-" + strconv.Itoa(i+1)
}

// program is the file of the sandbox command itself; it is also the supervisor and the process node.
const program = "sandbox"

// Names of the programs of Queueyard's own components.
const (
	schedulerProgram  = "queueyard-scheduler"
	controllerProgram = "queueyard-controller"
)

const schedulerConfig = "scheduler.yaml"

// parts makes the command lines of the components.
type parts struct {
	dir     layout.Dir
	state   *cluster.State
	options Options
}

func (p *parts) controlPlane() ([]supervisor.Component, error) {
	spec, err := cluster.ControlPlaneProcess(p.dir, p.state, p.options.BinDir)
	if err != nil {
		return nil, err
	}
	var components []supervisor.Component
	if p.options.EtcdApart {
		components = append(components, supervisor.Component{Name: Etcd, Process: cluster.EtcdApart(p.dir, &spec)})
	}
	return append(components, supervisor.Component{Name: ControlPlane, Process: spec}), nil
}

func (p *parts) simulatedNodes() (supervisor.Component, error) {
	return p.component(SimulatedNodes, cluster.ControlPlaneProgram, "simulate-nodes", "--dir", string(p.dir))
}

func (p *parts) processNode() (supervisor.Component, error) {
	return p.component(ProcessNode, program,
		"process-node", "--dir", string(p.dir), "--port", strconv.Itoa(p.state.Ports.Kubelet), "--workdir", p.options.WorkDir)
}

func (p *parts) scheduler(replica int) (supervisor.Component, error) {
	kubeconfig := p.dir.KubeconfigOf(Scheduler)
	return p.component(SchedulerReplica(replica), schedulerProgram,
		"--config", p.dir.Config(schedulerConfig),
		"--authentication-kubeconfig", kubeconfig,
		"--authorization-kubeconfig", kubeconfig,
		"--bind-address", "127.0.0.1",
		"--secure-port", strconv.Itoa(p.state.Ports.Schedulers[replica].Secure),
		"--tls-cert-file", p.dir.Cert(cluster.SchedulerServing),
		"--tls-private-key-file", p.dir.Key(cluster.SchedulerServing),
		// The leader tells the API server which port it found.
		"--visibility-bind-address", "127.0.0.1",
		"--visibility-port", "0")
}

func (p *parts) controller() (supervisor.Component, error) {
	ports := p.state.Ports
	args := []string{
		"--kubeconfig", p.dir.KubeconfigOf(Controller),
		"--leader-elect",
		"--webhook-port", strconv.Itoa(ports.ControllerWebhook),
		"--webhook-dns-name", "localhost",
		"--health-address", cluster.Loopback(ports.ControllerHealth),
		"--metrics-address", cluster.Loopback(ports.ControllerMetrics),
	}
	if p.options.Agent != "" {
		args = append(args, "--agent", p.options.Agent, "--hub-kubeconfig", p.options.HubKubeconfig)
	}
	return p.component(Controller, controllerProgram, args...)
}

func (p *parts) component(name, program string, args ...string) (supervisor.Component, error) {
	path, err := cluster.Program(p.options.BinDir, program)
	if err != nil {
		return supervisor.Component{}, err
	}
	return supervisor.Component{
		Name:    name,
		Process: process.Spec{Path: path, Args: args, Dir: string(p.dir), Log: p.dir.Log(name)},
	}, nil
}
