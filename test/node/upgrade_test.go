package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/test/audit"
	"github.com/queueyard/queueyard/test/load"
)

const (
	loaded = "steady"
	// pace is faster than five seats serve pods of two seconds; waiting bounds the work that is left at the end.
	pace    = 300 * time.Millisecond
	waiting = 10
)

const loadPod = `{"spec": {"containers": [{"name": "main", "image": "` + exampleImage + `", "command": ["sleep", "2"], "resources": {"requests": {"cpu": "10m"}}}]}}`

func loadJob() *batchv1.JobSpec {
	once := int32(0)
	return &batchv1.JobSpec{BackoffLimit: &once, Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever,
		Containers: []corev1.Container{{Name: "main", Image: exampleImage, Command: []string{"sleep", "2"},
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m")}}}}}}}
}

// build is a chart and the tag of its images.
type build struct {
	chart, tag string
}

func (b build) args() []string {
	return []string{b.chart, "--namespace", namespace, "--create-namespace", "--set", "image.tag=" + b.tag}
}

var present = build{"charts/queueyard", tag}

// previous is the build of an earlier commit, with its images loaded. Where there is none the present one stands in for it.
func (m *machine) previous() build {
	dir := filepath.Join("bin", "previous")
	commit, err := os.ReadFile(filepath.Join(repository, dir, "commit"))
	if errors.Is(err, os.ErrNotExist) {
		m.t.Log("there is no build of an earlier commit (make test-node says why): the present one is upgraded to itself, by a restart of its programs")
		return present
	}
	require.NoError(m.t, err)
	m.t.Logf("upgrading from commit %.7s", commit)
	m.loadImages(filepath.Join(dir, "images"))
	return build{filepath.Join(dir, "chart"), "previous"}
}

// TestUpgrade exchanges the programs for those of another commit and back while queues are busy, and takes them away and
// brings them again: nothing is lost, doubled or above a limit.
func TestUpgrade(t *testing.T) {
	bin := programs(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	m := startMachine(ctx, t, bin)
	m.loadProject()
	m.loadExamples()
	from := m.previous()

	m.command("helm", append([]string{"install", release}, from.args()...)...)
	m.command("kubectl", "wait", "-n", namespace, "deployment", "--all", "--for=condition=Available", "--timeout=120s")
	c := m.untyped()
	l := load.New(c, load.Options{Namespace: loaded, Pod: loadPod, Job: loadJob(), Pace: pace, Waiting: waiting})
	m.eventually(ctx, "the queues of the load", func() error { return l.SetUp(ctx) })
	m.holdSeat(ctx, c)

	config := audit.DefaultConfig()
	config.StuckAfter = 2 * time.Minute // nobody is there to serve between removal and installation
	watcher, err := audit.Watch(ctx, m.plane.Config, config, func(v audit.Violation) { t.Log(v) })
	require.NoError(t, err)
	require.NoError(t, l.Watch(ctx, m.client))
	submitting, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.Submit(submitting)
	}()
	require.NoError(t, l.UntilServed(ctx))
	holder := m.get(t, "pods", "", loaded, jobPod("holds", "{.metadata.uid}"))

	for _, step := range []struct {
		name string
		to   build
		helm []string
	}{
		{"upgrade", present, append([]string{"upgrade", release}, present.args()...)},
		{"rollback", from, []string{"rollback", release, "1", "--namespace", namespace}},
		{"upgrade again", present, append([]string{"upgrade", release}, present.args()...)},
	} {
		began := time.Now()
		if from == present {
			m.command("kubectl", "rollout", "restart", "-n", namespace, "deployment")
		}
		m.command("helm", append(step.helm, "--wait", "--timeout", "300s")...)
		for _, program := range []string{"queueyard-scheduler", "queueyard-controller"} {
			m.command("kubectl", "rollout", "status", "-n", namespace, "deployment/"+program, "--timeout=300s")
			m.eventually(ctx, "the programs of "+step.to.tag, func() error { return m.runs(program, step.to.tag) })
		}
		took := time.Since(began)
		require.NoError(t, l.UntilServed(ctx), "%s: nothing goes on after it", step.name)
		t.Logf("%s in %s: nothing started for %s at most", step.name, took.Round(time.Second), l.Stall(began, time.Now()).Round(100*time.Millisecond))
	}

	t.Log("uninstall leaves what runs and what waits, queues and definitions")
	stop()
	<-done
	began := time.Now()
	out := m.command("helm", "uninstall", release, "-n", namespace, "--wait", "--timeout", "120s")
	t.Log("helm uninstall says:\n" + out)
	require.Contains(t, out, "[CustomResourceDefinition] queues.queueyard.io")
	m.command("kubectl", "wait", "-n", namespace, "pod", "--all", "--for=delete", "--timeout=120s")
	require.NotEmpty(t, m.get(t, "queue.queueyard.io", loaded+"-high", "", "{.metadata.uid}"))
	// Nobody's webhook stands in the way of the cluster's own pods any more.
	m.command("kubectl", "create", "job", "plain", "-n", loaded, "--image", exampleImage, "--", "true")
	m.command("kubectl", "wait", "-n", loaded, "job/plain", "--for=condition=Complete", "--timeout=120s")
	require.Equal(t, holder, m.get(t, "pods", "", loaded, jobPod("holds", "{.metadata.uid}")))
	require.Equal(t, "1", m.get(t, "job", "holds", loaded, "{.status.ready}"))
	require.Empty(t, m.get(t, "pods", "", loaded, jobPod("waits", "{.spec.nodeName}")))

	t.Log("installed again it goes on where it was")
	m.command("helm", append([]string{"install", release, "--wait", "--timeout", "300s"}, present.args()...)...)
	var outcome load.Outcome
	m.eventually(ctx, "the end of what was submitted", func() error {
		outcome, err = l.Outcome(ctx)
		if err == nil && len(outcome.Lost) > 0 {
			err = fmt.Errorf("%d of %d are not there or have not succeeded: %v", len(outcome.Lost), outcome.Submitted, outcome.Lost)
		}
		return err
	})
	t.Logf("uninstall and install: nothing started for %s at most", l.Stall(began, time.Now()).Round(100*time.Millisecond))
	require.Empty(t, m.get(t, "pods", "", loaded, jobPod("waits", "{.spec.nodeName}")), "the seat is held by a pod of before")
	m.command("kubectl", "delete", "job", "holds", "-n", loaded)
	m.command("kubectl", "wait", "-n", loaded, "job/waits", "--for=condition=Complete", "--timeout=120s")

	violations := watcher.Stop()
	t.Logf("%d submitted, %d finished, %d lost, %d doubled, %d violations; %d submissions refused and made again",
		outcome.Submitted, outcome.Finished, len(outcome.Lost), len(outcome.Doubled), len(violations), outcome.Refused)
	for _, q := range watcher.Summary() {
		t.Logf("queue %s: %d at most of %d, %d operations", q.Queue, q.Peak, q.Limit, q.Operations)
	}
	require.Empty(t, violations)
	require.Empty(t, outcome.Doubled)
	require.Equal(t, outcome.Submitted, outcome.Finished)
}

// holdSeat makes a queue of one seat, a Job that holds it to the end of the test, and one that waits for it.
func (m *machine) holdSeat(ctx context.Context, c client.Client) {
	one := int32(1)
	queue := &v1alpha1.Queue{Spec: v1alpha1.QueueSpec{Concurrency: &one}}
	queue.Name = "one-seat"
	require.NoError(m.t, c.Create(ctx, queue))
	for _, name := range []string{"holds", "waits"} {
		job := &batchv1.Job{Spec: *loadJob()}
		job.Namespace, job.Name, job.Labels = loaded, name, map[string]string{v1alpha1.QueueLabel: queue.Name}
		if name == "holds" {
			job.Spec.Template.Spec.Containers[0].Command = []string{"sleep", "3600"}
		}
		require.NoError(m.t, c.Create(ctx, job))
		if name == "holds" {
			m.command("kubectl", "wait", "-n", loaded, "job/holds", "--for=jsonpath={.status.ready}=1", "--timeout=120s")
		}
	}
}

// jobPod is the path of a field of the pod of a Job.
func jobPod(job, field string) string {
	return fmt.Sprintf(`{.items[?(@.metadata.labels.job-name==%q)]%s}`, job, strings.Trim(field, "{}"))
}

// runs tells whether all pods of a program are of the images of a tag.
func (m *machine) runs(program, tag string) error {
	out, err := m.run("kubectl", "get", "pods", "-n", namespace, "-l", "app.kubernetes.io/name="+program, "-o", "jsonpath={.items[*].spec.containers[*].image}")
	if err != nil {
		return err
	}
	images := strings.Fields(out)
	if len(images) == 0 || slices.ContainsFunc(images, func(image string) bool { return !strings.HasSuffix(image, ":"+tag) }) {
		return fmt.Errorf("images are %q, not of tag %s", images, tag)
	}
	return nil
}

// untyped is a client of every kind.
func (m *machine) untyped() client.Client {
	scheme := runtime.NewScheme()
	require.NoError(m.t, errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)))
	config := rest.CopyConfig(m.plane.Config)
	config.QPS, config.Timeout = -1, 15*time.Second
	c, err := client.New(config, client.Options{Scheme: scheme})
	require.NoError(m.t, err)
	return c
}
