// Package simulation makes the nodes that KWOK plays: they exist in the API only, and so do the runs of their pods.
package simulation

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/workqueue"
)

const (
	// Taint keeps away pods that do not ask to be simulated.
	Taint = "queueyard.io/simulated"
	// Label and its value select the simulated nodes.
	Label      = "type"
	LabelValue = "simulated"

	// NodeAnnotation marks the nodes that KWOK manages.
	NodeAnnotation      = "kwok.x-k8s.io/node"
	NodeAnnotationValue = "fake"

	namePrefix  = "sim-"
	parallelism = 8
)

// RBAC is what the program that plays the nodes may do.
//
//go:embed rbac.yaml
var RBAC []byte

// Capacity is what each simulated node offers.
type Capacity struct {
	CPU, Memory, GPUs, Pods, EphemeralStorage resource.Quantity
}

// DefaultCapacity is that of a large GPU machine.
func DefaultCapacity() Capacity {
	return Capacity{
		CPU:              resource.MustParse("32"),
		Memory:           resource.MustParse("256Gi"),
		GPUs:             resource.MustParse("8"),
		Pods:             resource.MustParse("110"),
		EphemeralStorage: resource.MustParse("100Gi"),
	}
}

func (c Capacity) resources() corev1.ResourceList {
	return corev1.ResourceList{
		corev1.ResourceCPU:              c.CPU,
		corev1.ResourceMemory:           c.Memory,
		corev1.ResourcePods:             c.Pods,
		corev1.ResourceEphemeralStorage: c.EphemeralStorage,
		"nvidia.com/gpu":                c.GPUs,
	}
}

// EnsureNodes makes the first n simulated nodes where they are missing. Nodes that exist keep their capacity, and
// nodes beyond n stay.
func EnsureNodes(ctx context.Context, client kubernetes.Interface, n int, capacity Capacity) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	workqueue.ParallelizeUntil(ctx, parallelism, n, func(i int) {
		_, err := client.CoreV1().Nodes().Create(ctx, node(i, capacity), metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			cancel(fmt.Errorf("simulated node %s: %w", namePrefix+strconv.Itoa(i), err))
		}
	})
	return context.Cause(ctx)
}

// Count is the number of simulated nodes and how many of them are ready.
func Count(ctx context.Context, client kubernetes.Interface) (total, ready int, err error) {
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: Label + "=" + LabelValue, ResourceVersion: "0"})
	if err != nil {
		return 0, 0, err
	}
	for _, node := range nodes.Items {
		if NodeReady(&node) {
			ready++
		}
	}
	return len(nodes.Items), ready, nil
}

// NodeReady reports whether pods can be placed on the node: it says it is ready, and the node controller has seen it.
func NodeReady(node *corev1.Node) bool {
	for _, taint := range node.Spec.Taints {
		if taint.Key == corev1.TaintNodeNotReady || taint.Key == corev1.TaintNodeUnreachable {
			return false
		}
	}
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func node(i int, capacity Capacity) *corev1.Node {
	name := namePrefix + strconv.Itoa(i)
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name:        name,
			Annotations: map[string]string{NodeAnnotation: NodeAnnotationValue},
			Labels: map[string]string{
				Label:                    LabelValue,
				corev1.LabelHostname:     name,
				corev1.LabelOSStable:     "linux",
				corev1.LabelArchStable:   "amd64",
				corev1.LabelInstanceType: LabelValue,
			},
		},
		Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: Taint, Effect: corev1.TaintEffectNoSchedule}}},
		Status: corev1.NodeStatus{
			Capacity:    capacity.resources(),
			Allocatable: capacity.resources(),
		},
	}
}
