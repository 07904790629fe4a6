package operation

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

var allPhases = []v1alpha1.Status{
	"", v1alpha1.StatusCreated, v1alpha1.StatusOnSchedule, v1alpha1.StatusResuming, v1alpha1.StatusCompiled, v1alpha1.StatusQueued,
	v1alpha1.StatusUnschedulable, v1alpha1.StatusScheduled, v1alpha1.StatusStarting, v1alpha1.StatusRunning,
	v1alpha1.StatusWarning, v1alpha1.StatusUnknown, v1alpha1.StatusRetrying, v1alpha1.StatusStopping,
	v1alpha1.StatusSucceeded, v1alpha1.StatusFailed, v1alpha1.StatusStopped, v1alpha1.StatusSkipped, v1alpha1.StatusUpstreamFailed,
}

// operationIn is an operation whose first attempt came to a phase along the usual way.
func operationIn(phase v1alpha1.Status) *v1alpha1.Operation {
	op := &v1alpha1.Operation{}
	op.Name, op.Namespace, op.UID, op.Generation = "train", "team", "u-1", 1
	op.CreationTimestamp = metav1.NewTime(start)
	way := []v1alpha1.Status{v1alpha1.StatusCreated, v1alpha1.StatusCompiled, v1alpha1.StatusQueued, v1alpha1.StatusScheduled, v1alpha1.StatusStarting, v1alpha1.StatusRunning}
	before := map[v1alpha1.Status]int{
		"": 0, v1alpha1.StatusCreated: 0, v1alpha1.StatusResuming: 3, v1alpha1.StatusCompiled: 1, v1alpha1.StatusOnSchedule: 2, v1alpha1.StatusQueued: 2,
		v1alpha1.StatusUnschedulable: 3, v1alpha1.StatusScheduled: 3, v1alpha1.StatusStarting: 4, v1alpha1.StatusRunning: 5,
		v1alpha1.StatusWarning: 5, v1alpha1.StatusUnknown: 6, v1alpha1.StatusRetrying: 6, v1alpha1.StatusStopping: 6,
		v1alpha1.StatusSucceeded: 6, v1alpha1.StatusFailed: 6, v1alpha1.StatusStopped: 6, v1alpha1.StatusSkipped: 0, v1alpha1.StatusUpstreamFailed: 0,
	}
	reasons := map[v1alpha1.Status]string{v1alpha1.StatusStopping: reasonStopped, v1alpha1.StatusWarning: "ImageError"}
	at := start
	for _, s := range append(way[:before[phase]:before[phase]], phase) {
		if s == "" {
			continue
		}
		if s == v1alpha1.StatusCompiled {
			op.Status.Attempt = 1
		}
		at = at.Add(time.Second)
		reason := reasons[s]
		if reason == "" {
			reason = "Test"
		}
		enter(&op.Status, s, at, reason, "")
		stamp := metav1.NewMicroTime(at)
		switch {
		case s == v1alpha1.StatusQueued:
			op.Status.QueuedTime = &stamp
		case s == v1alpha1.StatusRunning:
			op.Status.StartTime = &stamp
		case s.Final():
			op.Status.FinishTime = &stamp
		}
	}
	op.Status.Queue = "gpu"
	return op
}

// seen is what a pod of a stage tells.
func seen(stage Stage) Observation {
	o := Observation{Stage: stage}
	at := func(n int) time.Time { return start.Add(time.Duration(10+n) * time.Second) }
	switch stage {
	case Succeeded, Failed:
		o.FinishedAt = at(4)
		fallthrough
	case Running, Lost:
		o.RunningAt = at(3)
		fallthrough
	case Starting:
		o.StartingAt = at(2)
		fallthrough
	case Scheduled:
		o.ScheduledAt, o.Node = at(1), "n1"
	}
	switch stage {
	case Failed:
		o.Cause = Cause{Application, "ExitCode", "container \"main\" ended with exit code 1"}
	case Gone:
		o.Deleting, o.Cause = true, Cause{Infrastructure, "Deleted", "somebody deleted the pod"}
	case Unschedulable:
		o.Cause = Cause{Infrastructure, "Unschedulable", "no node fits it"}
	case Lost:
		o.Cause = Cause{Infrastructure, "NodeLost", "node n1 does not answer"}
	}
	return o
}

func situation(op *v1alpha1.Operation, run Observation) Situation {
	return Situation{
		Operation: op, Policy: PolicyOf(op.Spec.Termination), Run: run, Held: run.Stage != Absent, Now: start.Add(time.Minute),
		Due:     func(*v1alpha1.OperationStatus, Observation) (due, released bool) { return true, true },
		Compile: func(int32, time.Time) Compilation { return Compilation{Queue: "gpu"} },
	}
}

func outcome(before *v1alpha1.Operation, d Decision) string {
	text := string(d.Status.Phase)
	if d.Status.Phase == before.Status.Phase {
		text = "="
	}
	if d.Action != Nothing {
		text += "+" + string(d.Action)
	}
	return text
}

var update = flag.Bool("update", false, "write testdata/machine.txt anew")

// TestMachine decides every (phase, stage) pair, for an operation that is to run and for one that is
// to stop. The table is the specification: read its changes.
func TestMachine(t *testing.T) {
	var table strings.Builder
	for _, desired := range []v1alpha1.DesiredState{v1alpha1.Run, v1alpha1.Stopped} {
		fmt.Fprintf(&table, "desiredState %s: phase before, then what each stage makes of it\n", desired)
		for _, phase := range allPhases {
			name := string(phase)
			if name == "" {
				name = "(none)"
			}
			fmt.Fprintf(&table, "%s\n", name)
			for _, stage := range Stages {
				op := operationIn(phase)
				op.Spec.DesiredState = desired
				run := seen(stage)
				d := Decide(situation(op, run))
				fmt.Fprintf(&table, "    %-14s %s\n", stage, outcome(op, d))
			}
		}
	}
	const file = "testdata/machine.txt"
	if *update {
		if err := os.WriteFile(file, []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if table.String() != string(want) {
		got := strings.Split(table.String(), "\n")
		for i, line := range strings.Split(string(want), "\n") {
			if i < len(got) && got[i] != line {
				t.Errorf("line %d: got %q, want %q", i+1, got[i], line)
			}
		}
	}
}
