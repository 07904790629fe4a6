package dashboard

import (
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

// Pages, put together, are all that fits, each once, in an order that does not depend on that of the cache.
func TestRowsArePaged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := make([]row, rapid.IntRange(0, 40).Draw(t, "rows"))
		for i := range rows {
			rows[i] = row{Kind: "operation", Namespace: "team", Name: fmt.Sprintf("op-%d", i), Queue: rapid.SampledFrom([]string{"gpu", "lab/gpu", "cpu"}).Draw(t, "queue"),
				Status: rapid.SampledFrom([]v1alpha1.Status{"queued", "running"}).Draw(t, "status"), Priority: int64(rapid.IntRange(0, 2).Draw(t, "priority")), Created: at(rapid.IntRange(0, 3).Draw(t, "created"))}
			if rapid.Bool().Draw(t, "started") {
				start := at(rapid.IntRange(0, 3).Draw(t, "start"))
				rows[i].Started = &start
			}
		}
		order := rapid.SampledFrom([]string{"", "name", "-priority", "started", "-started", "status"}).Draw(t, "order")
		limit := rapid.IntRange(1, 50).Draw(t, "limit")
		all := func(rows []row) (names []string) {
			for offset := 0; ; offset += limit {
				view, err := selected(slices.Clone(rows), nil, url.Values{"queue": {"gpu"}, "status": {"queued"}, "sort": {order}, "offset": {fmt.Sprint(offset)}, "limit": {fmt.Sprint(limit)}})
				require.NoError(t, err)
				for _, r := range view.Items {
					require.Equal(t, "gpu", shortQueue(r.Queue))
					require.Equal(t, v1alpha1.StatusQueued, r.Status)
					names = append(names, r.Name)
				}
				if offset >= view.Total {
					require.Len(t, names, view.Total)
					return names
				}
			}
		}
		fits := 0
		for _, r := range rows {
			if shortQueue(r.Queue) == "gpu" && r.Status == v1alpha1.StatusQueued {
				fits++
			}
		}
		names := all(rows)
		require.Len(t, names, fits)
		require.Equal(t, names, all(rapid.Permutation(rows).Draw(t, "other order")))
	})
}

func TestBadQueries(t *testing.T) {
	for _, q := range []string{"sort=colour", "offset=-1", "limit=many"} {
		values, err := url.ParseQuery(q)
		require.NoError(t, err)
		_, err = selected(nil, nil, values)
		require.Error(t, err, q)
	}
}

func TestStays(t *testing.T) {
	op := &v1alpha1.Operation{Status: v1alpha1.OperationStatus{Queue: "gpu"}}
	for i, s := range []v1alpha1.Status{"created", "compiled", "queued", "unschedulable", "scheduled", "running", "retrying", "queued", "running", "succeeded"} {
		op.Status.Timeline = append(op.Status.Timeline, v1alpha1.TimelineEntry{Status: s, Time: metav1.NewMicroTime(at(i))})
	}
	require.Equal(t, []stay{{"gpu", at(2), at(4), at(6)}, {"gpu", at(7), at(8), at(9)}}, staysOf(op))
	op.Status.Timeline = op.Status.Timeline[:3]
	require.Equal(t, []stay{{queue: "gpu", queued: at(2)}}, staysOf(op), "it waits")
	op.Status.Timeline = op.Status.Timeline[:2]
	require.Empty(t, staysOf(op))
}

func podAt(name, job string, created int, phase corev1.PodPhase, times ...int) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "team", UID: types.UID(name), CreationTimestamp: metav1.NewTime(at(created)), Labels: map[string]string{v1alpha1.QueueLabel: "lab.gpu"}},
		Status: corev1.PodStatus{Phase: phase}}
	if job != "" {
		yes := true
		pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: job, UID: "job", Controller: &yes}}
	}
	if len(times) > 0 {
		pod.Spec.NodeName = "node"
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(at(times[0]))}}
	}
	if len(times) > 1 {
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "main", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 3, Reason: "Error", FinishedAt: metav1.NewTime(at(times[1]))}}}}
	}
	return pod
}

// The pods of a Job are one row and one stay: it began with the first, and is over with the last.
func TestJobs(t *testing.T) {
	pods := []*corev1.Pod{podAt("a", "nightly", 1, corev1.PodSucceeded, 5, 9), podAt("b", "nightly", 0, corev1.PodRunning, 7), podAt("c", "nightly", 2, corev1.PodPending)}
	rows := rowsOfPods(pods)
	require.Len(t, rows, 1)
	require.Equal(t, row{Kind: "job", Namespace: "team", Name: "nightly", Queue: "gpu", Status: v1alpha1.StatusRunning, Pods: 3, Created: at(0), Queued: new(at(0)), Started: new(at(5))}, rows[0])
	require.Equal(t, []stay{{queue: "gpu", queued: at(0), started: at(5)}}, staysOfPods(pods))

	ended := []*corev1.Pod{podAt("a", "nightly", 1, corev1.PodSucceeded, 5, 9), podAt("b", "nightly", 0, corev1.PodFailed, 7, 8)}
	r := rowsOfPods(ended)[0]
	require.Equal(t, v1alpha1.StatusFailed, r.Status)
	require.Contains(t, r.Message, "exit code 3")
	require.Equal(t, at(9), *r.Ended)
	require.Equal(t, []stay{{"gpu", at(0), at(5), at(9)}}, staysOfPods(ended))

	operation := podAt("d", "", 0, corev1.PodRunning, 1)
	operation.Labels[v1alpha1.OperationLabel] = "train"
	require.Empty(t, rowsOfPods([]*corev1.Pod{operation}), "the operation is there itself")
}

// At every moment of a use the numbers are those of the stays that are then under way.
func TestUse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now, window := at(600), 10*time.Minute
		var stays []stay
		for range rapid.IntRange(0, 8).Draw(t, "stays") {
			s := stay{queue: rapid.SampledFrom([]string{"gpu", "cpu"}).Draw(t, "queue"), queued: at(rapid.IntRange(-100, 600).Draw(t, "queued"))}
			if rapid.Bool().Draw(t, "starts") {
				s.started = s.queued.Add(time.Duration(rapid.IntRange(0, 300).Draw(t, "waits")) * time.Second)
				if rapid.Bool().Draw(t, "ends") {
					s.ended = s.started.Add(time.Duration(rapid.IntRange(0, 300).Draw(t, "runs")) * time.Second)
				}
			}
			stays = append(stays, s)
		}
		u := useOf(stays, "gpu", now, window)
		for i := range moments {
			moment := u.From.Add(time.Duration(i) * window / (moments - 1))
			running, waiting := 0, 0
			for _, s := range stays {
				switch {
				case s.queue != "gpu" || moment.Before(s.queued) || !s.ended.IsZero() && !moment.Before(s.ended):
				case s.started.IsZero() || moment.Before(s.started):
					waiting++
				default:
					running++
				}
			}
			require.Equal(t, running, u.Running[i], "running at %d", i)
			require.Equal(t, waiting, u.Waiting[i], "waiting at %d", i)
		}
	})
}

func TestWaits(t *testing.T) {
	var stays []stay
	for i := range 100 {
		stays = append(stays, stay{queue: "gpu", queued: at(0), started: at(i + 1)})
	}
	stays = append(stays, stay{queue: "gpu", queued: at(0)}, stay{queue: "cpu", queued: at(0), started: at(9999)})
	require.Equal(t, &waits{Count: 100, P50: 50, P95: 95}, waitsOf(stays, "gpu", at(200)))
	require.Nil(t, waitsOf(stays, "gpu", at(200).Add(lately)), "all that is long ago")
	require.Nil(t, waitsOf(nil, "gpu", noon))
}

// More names than a message holds are said as one.
func TestChanges(t *testing.T) {
	c := newChanges()
	l, leave := c.listen()
	c.add("queues", "gpu")
	for i := range manyNames + 5 {
		c.add("operations", fmt.Sprintf("team/op-%d", i))
	}
	require.Equal(t, map[string][]string{"queues": {"gpu"}, "operations": {anyName}}, l.take())
	require.Empty(t, l.take())
	leave()
	c.add("queues", "gpu")
	require.Empty(t, l.take())
}

// What a file imports is there, nothing is asked of other hosts, and no markup needs what the content policy forbids.
func TestWeb(t *testing.T) {
	imports := regexp.MustCompile(`from '([^']+)'`)
	forbidden := regexp.MustCompile(`https?://|style="|\bon[a-z]+="|eval\(|innerHTML`)
	require.NoError(t, fs.WalkDir(web, "web", func(file string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		if d.IsDir() || strings.Contains(file, "/vendor/") || strings.HasSuffix(file, ".svg") {
			return nil
		}
		text, err := fs.ReadFile(web, file)
		require.NoError(t, err)
		require.NotRegexp(t, forbidden, string(text), file)
		if strings.HasSuffix(file, ".js") {
			for _, found := range imports.FindAllStringSubmatch(string(text), -1) {
				_, err := fs.Stat(web, path.Join(path.Dir(file), found[1]))
				require.NoError(t, err, file)
			}
		}
		return nil
	}))
}
