package audit

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// news is an event of one cluster.
type news struct {
	cluster string
	step
}

func from(cluster string, s step) news { return news{cluster, s} }

// everywhere is there in every cluster.
func everywhere(objects ...runtime.Object) (all []news) {
	for _, c := range []string{Hub, "east", "west"} {
		for _, o := range objects {
			all = append(all, from(c, there(o)))
		}
	}
	return all
}

func playFleet(events ...news) (rules []Rule) {
	f := NewFleet(DefaultConfig(), "east", "west")
	now := epoch
	var found []Violation
	for _, e := range events {
		now = epoch.Add(time.Duration(e.at) * time.Millisecond)
		found = append(found, f.Observe(e.cluster, Event{Time: now, Object: e.object, Deleted: e.deleted, Found: e.listed})...)
	}
	for _, v := range append(found, f.Finish(now)...) {
		rules = append(rules, v.Rule)
	}
	return rules
}

// copyOf is a copy of an operation in an agent's cluster, runOf a pod of that.
func copyOf(uid, origin string) *v1alpha1.Operation {
	return &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: uid, UID: types.UID(uid),
		Labels: map[string]string{v1alpha1.OriginNamespaceLabel: "ns", v1alpha1.OriginNameLabel: origin}}}
}

func runOf(operation string) podOption {
	return func(p *corev1.Pod) { p.Labels[v1alpha1.OperationUIDLabel] = operation }
}

func ofHub(operation string) podOption {
	return func(p *corev1.Pod) {
		p.Labels[v1alpha1.OperationLabel] = operation
		p.Annotations = map[string]string{v1alpha1.OriginAnnotation: "ns"}
	}
}

func operationAt(phase v1alpha1.Status, restarts int32) *v1alpha1.Operation {
	op := &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "op", UID: "op"}}
	op.Status.Phase, op.Status.Restarts = phase, restarts
	return op
}

func TestFleet(t *testing.T) {
	for name, test := range map[string]struct {
		events []news
		want   []Rule
	}{
		"a limit over all clusters": {
			append(everywhere(namespace("ns", true), queue("q"), project("p", "", 2)),
				from("east", at(10001, pod("a", of("p")))), from("east", at(10002, pod("a", of("p"), onNode))), from("west", at(10003, pod("b", of("p")))), from("west", at(10004, pod("b", of("p"), onNode))),
				from(Hub, at(10005, pod("c", of("p")))), from(Hub, at(10006, pod("c", of("p"), onNode)))),
			[]Rule{OverLimit},
		},
		"a limit that holds": {
			append(everywhere(namespace("ns", true), queue("q"), project("p", "", 2)),
				from("east", at(10001, pod("a", of("p")))), from("east", at(10002, pod("a", of("p"), onNode))), from("west", at(10003, pod("b", of("p")))), from("west", at(10004, pod("b", of("p"), onNode))),
				from("east", at(10005, pod("a", of("p"), succeeded))), from(Hub, at(10006, pod("c", of("p")))), from(Hub, at(10007, pod("c", of("p"), onNode)))),
			nil,
		},
		"an operation in two clusters": {
			append(everywhere(queue("q")),
				from("east", at(10001, copyOf("1", "op"))), from("east", at(10002, pod("a", runOf("1")))), from("east", at(10003, pod("a", runOf("1"), onNode))),
				from("west", at(10004, pod("b", runOf("2")))), from("west", at(10005, pod("b", runOf("2"), onNode))), from("west", at(10006, copyOf("2", "op")))),
			[]Rule{Twice},
		},
		"an operation at the hub and in a cluster": {
			append(everywhere(queue("q")),
				from("east", at(10001, copyOf("1", "op"))), from("east", at(10002, pod("a", runOf("1")))), from("east", at(10003, pod("a", runOf("1"), onNode))),
				from(Hub, at(10004, pod("b", ofHub("op")))), from(Hub, at(10005, pod("b", ofHub("op"), onNode))), from("east", at(15000, pod("a", runOf("1"), succeeded)))),
			[]Rule{Twice},
		},
		"one cluster after the other": {
			append(everywhere(queue("q")),
				from("east", at(10001, copyOf("1", "op"))), from("east", at(10002, pod("a", runOf("1")))), from("east", at(10003, pod("a", runOf("1"), onNode))),
				from(Hub, at(10004, pod("b", ofHub("op")))), from(Hub, at(10005, pod("b", ofHub("op"), onNode))), from("east", at(10500, pod("a", runOf("1"), succeeded)))),
			nil,
		},
		"two operations": {
			append(everywhere(queue("q")),
				from("east", at(10001, copyOf("1", "op"))), from("east", at(10002, pod("a", runOf("1")))), from("east", at(10003, pod("a", runOf("1"), onNode))),
				from("west", at(10004, copyOf("2", "other"))), from("west", at(10005, pod("b", runOf("2")))), from("west", at(10006, pod("b", runOf("2"), onNode)))),
			nil,
		},
		"two results": {
			[]news{from(Hub, at(1, operationAt(v1alpha1.StatusSucceeded, 0))), from(Hub, at(2, operationAt(v1alpha1.StatusFailed, 0)))},
			[]Rule{Result},
		},
		"a result taken back": {
			[]news{from(Hub, at(1, operationAt(v1alpha1.StatusSucceeded, 0))), from(Hub, at(2, operationAt(v1alpha1.StatusRunning, 0)))},
			[]Rule{Result},
		},
		"resumed": {
			[]news{from(Hub, at(1, operationAt(v1alpha1.StatusStopped, 0))), from(Hub, at(2, operationAt(v1alpha1.StatusRunning, 0))), from(Hub, at(3, operationAt(v1alpha1.StatusSucceeded, 0)))},
			nil,
		},
		"a restart": {
			[]news{from(Hub, at(1, operationAt(v1alpha1.StatusFailed, 0))), from(Hub, at(2, operationAt(v1alpha1.StatusRunning, 1))), from(Hub, at(3, operationAt(v1alpha1.StatusSucceeded, 1)))},
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, playFleet(test.events...))
		})
	}
}
