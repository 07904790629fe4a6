// Command visibility measures, on a running sandbox, how long visibility.queueyard.io takes to answer while
// many pods wait, and whether being asked slows admission.
//
//	bin/sandbox up --dir DIR --simulated-nodes 20 --no-process-node
//	go run ./test/perf/visibility --dir DIR --waiting 10000
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	visibility "github.com/queueyard/queueyard/pkg/apis/visibility/v1alpha1"
	"github.com/queueyard/queueyard/pkg/sandbox/layout"
)

const (
	namespace = "perf-visibility"
	line      = "perf-line"
	flow      = "perf-flow"
	root      = "/apis/visibility.queueyard.io/v1alpha1"
)

type bench struct {
	raw     rest.Interface
	objects client.Client
	client  kubernetes.Interface
	waiting int
}

func main() {
	dir := flag.String("dir", ".sandbox", "the sandbox's directory")
	waiting := flag.Int("waiting", 10_000, "pods that wait")
	asks := flag.Int("asks", 500, "requests of each kind")
	pods := flag.Int("pods", 1000, "pods of the load that measures admission")
	flag.Parse()
	if err := run(context.Background(), *dir, *waiting, *asks, *pods); err != nil {
		fmt.Fprintln(os.Stderr, "visibility:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir string, waiting, asks, pods int) error {
	config, err := clientcmd.BuildConfigFromFlags("", layout.Dir(dir).Kubeconfig())
	if err != nil {
		return err
	}
	config.QPS = -1
	b := &bench{waiting: waiting}
	if b.client, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	b.raw = b.client.CoreV1().RESTClient()
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	if b.objects, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	if err := b.fill(ctx); err != nil {
		return err
	}
	for _, kind := range []struct {
		name string
		path func(i int) (string, []string)
	}{
		{"first page of 10", func(int) (string, []string) { return "/queues/" + line + "/pendingoperations", []string{"limit", "10"} }},
		{"first page of 100", func(int) (string, []string) { return "/queues/" + line + "/pendingoperations", nil }},
		{"explanation", func(i int) (string, []string) {
			return fmt.Sprintf("/namespaces/%s/pods/line-%d/explanation", namespace, 1+i*(waiting-1)/asks), nil
		}},
	} {
		if err := b.measure(ctx, kind.name, asks, kind.path); err != nil {
			return err
		}
	}
	if err := b.measurePages(ctx); err != nil {
		return err
	}
	for round := range 3 {
		for _, asked := range []bool{false, true} {
			rate, err := b.load(ctx, fmt.Sprintf("load-%d-%v-", round, asked), pods, asked)
			if err != nil {
				return err
			}
			fmt.Printf("| %d | pods started/s, asked at 10 Hz: %v | %.1f |\n", waiting, asked, rate)
		}
	}
	return nil
}

func (b *bench) pod(name, queue, seconds string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{v1alpha1.QueueLabel: queue},
			Annotations: map[string]string{"sandbox.queueyard.io/duration": seconds}},
		Spec: corev1.PodSpec{
			SchedulerName: v1alpha1.SchedulerName,
			RestartPolicy: corev1.RestartPolicyNever,
			NodeSelector:  map[string]string{"type": "simulated"},
			Tolerations:   []corev1.Toleration{{Key: "queueyard.io/simulated", Operator: corev1.TolerationOpExists}},
			Containers:    []corev1.Container{{Name: "main", Image: "none"}},
		},
	}
}

// fill makes pods wait behind one that runs long.
func (b *bench) fill(ctx context.Context) error {
	one, fifty := ptr.To[int32](1), ptr.To[int32](50)
	for _, o := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}},
		&v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: line}, Spec: v1alpha1.QueueSpec{Concurrency: one}},
		&v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: flow}, Spec: v1alpha1.QueueSpec{Concurrency: fifty}},
	} {
		if err := client.IgnoreAlreadyExists(b.objects.Create(ctx, o)); err != nil {
			return err
		}
	}
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		_, err := b.client.CoreV1().ServiceAccounts(namespace).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, nil
	})
	if err != nil {
		return err
	}
	if err := b.create(ctx, b.waiting+1, func(i int) *corev1.Pod { return b.pod(fmt.Sprintf("line-%d", i), line, "36000s") }); err != nil {
		return err
	}
	return wait.PollUntilContextTimeout(ctx, time.Second, 5*time.Minute, true, func(ctx context.Context) (bool, error) {
		var page visibility.PendingOperationList
		_, err := b.ask(ctx, "/queues/"+line+"/pendingoperations", []string{"limit", "1"}, &page)
		return err == nil && int(page.Waiting) == b.waiting, nil
	})
}

func (b *bench) create(ctx context.Context, n int, pod func(i int) *corev1.Pod) error {
	var once sync.Once
	var first error
	workqueue.ParallelizeUntil(ctx, 32, n, func(i int) {
		_, err := b.client.CoreV1().Pods(namespace).Create(ctx, pod(i), metav1.CreateOptions{})
		if client.IgnoreAlreadyExists(err) != nil {
			once.Do(func() { first = err })
		}
	})
	return first
}

func (b *bench) ask(ctx context.Context, path string, query []string, into any) (time.Duration, error) {
	request := b.raw.Get().AbsPath(root + path)
	for i := 0; i < len(query); i += 2 {
		request.Param(query[i], query[i+1])
	}
	start := time.Now()
	data, err := request.DoRaw(ctx)
	took := time.Since(start)
	if err != nil {
		return took, fmt.Errorf("%s: %w: %s", path, err, data)
	}
	return took, json.Unmarshal(data, into)
}

func (b *bench) measure(ctx context.Context, name string, n int, path func(i int) (string, []string)) error {
	times := make([]time.Duration, 0, n)
	for i := range n {
		p, query := path(i)
		took, err := b.ask(ctx, p, query, &map[string]any{})
		if err != nil && !strings.Contains(err.Error(), "could not find") { // the one that runs
			return err
		}
		times = append(times, took)
	}
	b.report(name, times)
	return nil
}

// measurePages reads the whole line.
func (b *bench) measurePages(ctx context.Context) error {
	var times []time.Duration
	for token, seen := "", 0; ; {
		var page visibility.PendingOperationList
		took, err := b.ask(ctx, "/queues/"+line+"/pendingoperations", []string{"limit", "100", "continue", token}, &page)
		if err != nil {
			return err
		}
		times = append(times, took)
		seen += len(page.Items)
		if token = page.Continue; token == "" {
			if seen != b.waiting {
				return fmt.Errorf("the pages hold %d operations of %d", seen, b.waiting)
			}
			break
		}
	}
	b.report("every page of 100", times)
	return nil
}

func (b *bench) report(name string, times []time.Duration) {
	slices.Sort(times)
	at := func(q float64) string {
		return times[min(len(times)-1, int(q*float64(len(times))))].Round(10 * time.Microsecond).String()
	}
	fmt.Printf("| %d | %s | p50 %s, p99 %s, max %s |\n", b.waiting, name, at(0.5), at(0.99), times[len(times)-1].Round(10*time.Microsecond))
}

// load runs pods of a second each on fifty seats and says how many started per second.
func (b *bench) load(ctx context.Context, prefix string, n int, asked bool) (float64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if asked {
		go wait.UntilWithContext(ctx, func(ctx context.Context) {
			_, _ = b.ask(ctx, "/queues/"+line+"/pendingoperations", nil, &map[string]any{})
			_, _ = b.ask(ctx, fmt.Sprintf("/namespaces/%s/pods/line-%d/explanation", namespace, b.waiting/2), nil, &map[string]any{})
		}, 100*time.Millisecond)
	}
	start := time.Now()
	if err := b.create(ctx, n, func(i int) *corev1.Pod { return b.pod(fmt.Sprintf("%s%d", prefix, i), flow, "1s") }); err != nil {
		return 0, err
	}
	err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, 10*time.Minute, true, func(ctx context.Context) (bool, error) {
		var page visibility.PendingOperationList
		_, err := b.ask(ctx, "/queues/"+flow+"/pendingoperations", []string{"limit", "1"}, &page)
		return err == nil && page.Waiting == 0 && len(page.Items) == 0, nil
	})
	return float64(n) / time.Since(start).Seconds(), err
}
