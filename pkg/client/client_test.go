package client

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func with(objects ...client.Object) *Client {
	return &Client{Objects: fake.NewClientBuilder().WithScheme(Scheme).WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.Operation{}, &v1alpha1.Workflow{}).
		WithIndex(&v1alpha1.Operation{}, "metadata.name", func(o client.Object) []string { return []string{o.GetName()} }).Build()}
}

// ran is an operation with a timeline, a second between its entries.
func ran(name string, statuses ...v1alpha1.Status) *v1alpha1.Operation {
	o := child("", name, "", nil)
	o.Status.Attempt = 1
	for i, s := range statuses {
		o.Status.Phase = s
		o.Status.Timeline = append(o.Status.Timeline, v1alpha1.TimelineEntry{Status: s, Reason: "R", Time: metav1.NewMicroTime(noon.Add(time.Duration(i) * time.Second)), Attempt: 1})
	}
	return o
}

func TestSettings(t *testing.T) {
	params, err := Params(map[string]any{"rate": 0.5, "layers": []int{64, 64}})
	require.NoError(t, err)
	set := Settings{Queue: "gpu", Project: "vision", Priority: ptr.To[int32](-3), Params: params}
	op, err := PodOperation("team", "train-", corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "trainer"}}})
	require.NoError(t, err)
	op.Spec.Params = v1alpha1.Values{"rate": {Raw: []byte("1")}, "seed": {Raw: []byte("7")}}
	require.NoError(t, set.Apply(op))
	text, err := json.Marshal(op.Spec)
	require.NoError(t, err)
	require.JSONEq(t, `{"queue":"gpu","project":"vision","priority":-3,"params":{"rate":0.5,"layers":[64,64],"seed":7},
		"template":{"pod":{"spec":{"containers":[{"name":"main","image":"trainer","resources":{}}]}}}}`, string(text))
	require.Equal(t, "train-", op.GenerateName)

	w := &v1alpha1.Workflow{Spec: v1alpha1.WorkflowSpec{Queue: "cpu", Project: "lab"}}
	require.NoError(t, Settings{Queue: "gpu"}.Apply(w))
	require.Equal(t, v1alpha1.WorkflowSpec{Queue: "gpu", Project: "lab"}, w.Spec)
	require.ErrorContains(t, set.Apply(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}}), "only operations and workflows have")
	_, err = Params(map[string]any{"f": func() {}})
	require.ErrorContains(t, err, "param f: ")
}

func TestCreate(t *testing.T) {
	c := with()
	op := ComponentOperation("team", "train", "trainer")
	require.NoError(t, c.Create(t.Context(), op, Settings{Queue: "gpu"}))
	made := &v1alpha1.Operation{}
	require.NoError(t, c.Objects.Get(t.Context(), client.ObjectKeyFromObject(op), made))
	require.Equal(t, v1alpha1.OperationSpec{Component: "trainer", Queue: "gpu"}, made.Spec)
}

func TestGoals(t *testing.T) {
	failed := ran("f", v1alpha1.StatusQueued, v1alpha1.StatusRunning, v1alpha1.StatusFailed)
	failed.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: metav1.ConditionFalse}}
	again := failed.DeepCopy()
	again.Spec.Restarts = 1
	for _, c := range []struct {
		what string
		o    client.Object
		goal Goal
		met  bool
	}{
		{"over", failed, Finished, true},
		{"runs again", again, Finished, false},
		{"has been running", failed, InStatus(v1alpha1.StatusRunning), true},
		{"has been running, of the run before", again, InStatus(v1alpha1.StatusRunning), false},
		{"never succeeded", failed, InStatus(v1alpha1.StatusSucceeded), false},
		{"is not ready", failed, InCondition("Ready", metav1.ConditionFalse), true},
		{"is ready", failed, InCondition("Ready", ""), false},
		{"ready as people write it", failed, "condition=Ready=false", true},
		{"is there", failed, Deleted, false},
	} {
		require.NoError(t, c.goal.Validate(), c.what)
		require.Equal(t, c.met, reached(c.o, c.goal), c.what)
	}
	require.ErrorContains(t, Goal("runing").Validate(), `"runing" is nothing to wait for (did you mean "running"?)`)
}

// Who waits hears of every change, of an end without what was waited for, and of a deletion also if that came first.
func TestWait(t *testing.T) {
	op := ran("train", v1alpha1.StatusQueued)
	c := with(op)
	require.NoError(t, c.Objects.Get(t.Context(), client.ObjectKeyFromObject(op), op))
	watched := make(chan struct{})
	c.Objects = interceptor.NewClient(c.Objects, interceptor.Funcs{
		Watch: func(ctx context.Context, to client.WithWatch, list client.ObjectList, options ...client.ListOption) (watch.Interface, error) {
			defer close(watched)
			return to.Watch(ctx, list, options...)
		},
	})
	var seen []v1alpha1.Status
	for now, err := range c.Versions(t.Context(), op) {
		require.NoError(t, err)
		seen = append(seen, ProgressOf(now).Phase)
		next := map[v1alpha1.Status]v1alpha1.Status{v1alpha1.StatusQueued: v1alpha1.StatusRunning, v1alpha1.StatusRunning: v1alpha1.StatusFailed}[ProgressOf(now).Phase]
		if next == "" {
			continue
		}
		go func() { // what changes between a list and its watch is not told by the fake server
			<-watched
			o := now.DeepCopyObject().(*v1alpha1.Operation)
			o.Status = ran("", v1alpha1.StatusQueued, next).Status
			assert.NoError(t, c.Objects.Status().Update(context.Background(), o))
		}()
	}
	require.Equal(t, []v1alpha1.Status{v1alpha1.StatusQueued, v1alpha1.StatusRunning, v1alpha1.StatusFailed}, seen)

	c = with(op)
	require.NoError(t, c.Objects.Get(t.Context(), client.ObjectKeyFromObject(op), op))
	op.Status = ran("", v1alpha1.StatusQueued, v1alpha1.StatusFailed).Status
	require.NoError(t, c.Objects.Status().Update(t.Context(), op))
	r, err := c.Wait(t.Context(), op, InStatus(v1alpha1.StatusSucceeded))
	require.NoError(t, err)
	require.False(t, r.Reached)
	require.EqualError(t, r.Err(), "op/train is failed: R")

	require.NoError(t, c.Objects.Delete(t.Context(), op))
	_, err = c.Wait(t.Context(), op, Finished)
	require.EqualError(t, err, "operation train was deleted before it was over")
	r, err = c.Wait(t.Context(), op, Deleted)
	require.NoError(t, err)
	require.True(t, r.Reached)

	waiting := ran("waits", v1alpha1.StatusQueued)
	late := errors.New("late")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(late)
	_, err = with(waiting).Wait(ctx, waiting, Finished)
	require.ErrorIs(t, err, late)
	_, err = c.Wait(t.Context(), op, "nothing")
	require.ErrorContains(t, err, "nothing to wait for")
}

func TestTimeline(t *testing.T) {
	op := ran("train", v1alpha1.StatusQueued, v1alpha1.StatusRunning, v1alpha1.StatusSucceeded)
	op.Status.Queue = "gpu"
	line := TimelineOf(op, noon.Add(time.Hour))
	require.True(t, line.Over)
	text, err := json.Marshal(line)
	require.NoError(t, err)
	require.JSONEq(t, `{"kind":"operation","namespace":"team","name":"train","phase":"succeeded","over":true,"queue":"gpu","attempt":1,"queued":1,"running":1,"entries":[
		{"status":"queued","time":"2026-03-01T12:00:00.000000Z","reason":"R","attempt":1,"for":1},
		{"status":"running","time":"2026-03-01T12:00:01.000000Z","reason":"R","attempt":1,"for":1},
		{"status":"succeeded","time":"2026-03-01T12:00:02.000000Z","reason":"R","attempt":1}]}`, string(text))
	open := TimelineOf(ran("train", v1alpha1.StatusQueued), noon.Add(90*time.Second))
	require.Equal(t, Seconds(90*time.Second), open.Entries[0].For)
	require.False(t, open.Over)
}

// What may be done to something, and what it says.
func TestActions(t *testing.T) {
	stopped := ran("s", v1alpha1.StatusStopped)
	stopped.Spec.DesiredState = v1alpha1.Stopped
	held := ran("h", v1alpha1.StatusOnSchedule)
	held.Spec.Approved = ptr.To(false)
	for _, c := range []struct {
		o      client.Object
		action Action
		why    string // it may not; empty: it may
	}{
		{ran("r", v1alpha1.StatusRunning), Stop, ""},
		{ran("d", v1alpha1.StatusSucceeded), Stop, "is over already: succeeded"},
		{stopped, Resume, ""},
		{ran("r", v1alpha1.StatusRunning), Resume, "was not stopped, it is running: qy restart runs again what has ended"},
		{ran("d", v1alpha1.StatusSucceeded), Restart, ""},
		{ran("r", v1alpha1.StatusRunning), Restart, "is not over, it is running: stop it first, or wait for its end"},
		{held, Approve, ""},
		{ran("r", v1alpha1.StatusRunning), Approve, "needs no approval, it is running"},
		{&corev1.Pod{}, Stop, "is neither operation nor workflow: it can't be told to stop"},
		{held, "explode", `can't be told to "explode": there are stop, resume, restart and approve`},
	} {
		err := c.action.May(c.o)
		if c.why == "" {
			require.NoError(t, err)
			continue
		}
		require.EqualError(t, err, c.why)
	}
	c := with(held)
	says, err := c.Act(t.Context(), held, Approve)
	require.NoError(t, err)
	require.Equal(t, "is approved", says)
	require.NoError(t, c.Objects.Get(t.Context(), client.ObjectKeyFromObject(held), held))
	require.True(t, *held.Spec.Approved)
	says, err = c.Act(t.Context(), held, Approve)
	require.NoError(t, err)
	require.Equal(t, "is approved (as before)", says)
}

// A Job by itself runs as soon as one of its pods is ready. Since when its pods know; without them nothing counts that time as waiting.
func TestJobRuns(t *testing.T) {
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "j", CreationTimestamp: metav1.NewTime(noon)}, Status: batchv1.JobStatus{Active: 1, Ready: ptr.To[int32](0)}}
	p := ProgressOf(job)
	queued, _ := p.Spent(noon.Add(time.Minute))
	require.Equal(t, v1alpha1.StatusQueued, p.Phase)
	require.Equal(t, time.Minute, queued)
	job.Status.Ready = ptr.To[int32](1)
	p = ProgressOf(job)
	queued, _ = p.Spent(noon.Add(time.Minute))
	require.Equal(t, v1alpha1.StatusRunning, p.Phase)
	require.Zero(t, queued)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "j-1"}, Spec: corev1.PodSpec{NodeName: "n"}, Status: corev1.PodStatus{Phase: corev1.PodRunning,
		ContainerStatuses: []corev1.ContainerStatus{{Name: "main", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(noon.Add(20 * time.Second))}}}}}}
	p = ProgressOf(job, pod, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "j-2"}})
	queued, running := p.Spent(noon.Add(time.Minute))
	require.Equal(t, v1alpha1.StatusRunning, p.Phase)
	require.Equal(t, 20*time.Second, queued)
	require.Equal(t, 40*time.Second, running)
	job.Status.Ready, job.Status.Conditions = ptr.To[int32](0), []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(noon.Add(time.Second))}}
	require.Equal(t, v1alpha1.StatusSucceeded, ProgressOf(job).Phase)
}
