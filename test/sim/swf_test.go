package sim

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const goodJob = "1 0 5 60.5 4 58 1024 8 120 2048 1 3 2 7 1 -1 -1 -1"

// jobs reads a whole trace.
func jobs(text string) ([]Job, error) {
	trace := NewTrace("t.swf", strings.NewReader(text))
	var all []Job
	for {
		job, err := trace.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, job)
	}
}

func TestTraceReadsJobs(t *testing.T) {
	got, err := jobs("; Version: 2.2\n;\n\n  " + goodJob + "\r\n\t2 7 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1")
	require.NoError(t, err)
	require.Equal(t, []Job{
		{
			Number: 1, Wait: 5 * time.Second, Run: 60500 * time.Millisecond, Processors: 4, Memory: 1024,
			RequestProcessors: 8, RequestMemory: 2048, Status: 1, User: 3, Group: 2, Queue: 1,
		},
		{
			Number: 2, Submit: 7 * time.Second, Wait: -1, Run: -1, Processors: -1, Memory: -1,
			RequestProcessors: -1, RequestMemory: -1, Status: -1, User: -1, Group: -1, Queue: -1,
		},
	}, got)
}

func TestTraceNamesTheLineOfAnError(t *testing.T) {
	line := func(field int, value string) string {
		columns := strings.Fields(goodJob)
		columns[field] = value
		return strings.Join(columns, " ")
	}
	for _, c := range []struct{ name, text, want string }{
		{"too few fields", "1 2 3", "t.swf: line 3: 3 fields: a job has 18"},
		{"too many fields", goodJob + " 5", "t.swf: line 3: 19 fields"},
		{"comment behind a job", goodJob + " ; no", "t.swf: line 3: 20 fields"},
		{"no number", line(fieldUser, "ada"), `t.swf: line 3: field 12, user: "ada" is no whole number`},
		{"fraction of a processor", line(fieldRequestProcessors, "1.5"), "field 8, requested processors"},
		{"below -1", line(fieldQueue, "-2"), "field 15, queue: -2 must be between 0"},
		{"too many processors", line(fieldProcessors, "9999999999999"), "field 5, allocated processors"},
		{"no time", line(fieldRun, "soon"), `field 4, run time: "soon" is no number of seconds`},
		{"not a number", line(fieldRun, "NaN"), `field 4, run time: "NaN" is no number of seconds`},
		{"infinite time", line(fieldRun, "1e300"), "field 4, run time: 1e300 seconds must be between 0"},
		{"negative time", line(fieldWait, "-0.5"), "field 3, wait time: -0.5 seconds"},
		{"no submit time", line(fieldSubmit, "-1"), "field 2, submit time: is missing"},
		{"unsorted", line(fieldSubmit, "9") + "\n" + goodJob, "t.swf: line 4: submit time: 0s is before the line above, 9s"},
		{"endless line", strings.Repeat("1 ", maxLine), "t.swf: line 3: longer than 65536 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := jobs("; header\n\n" + c.text)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func replayed(t *testing.T, text string, m Mapping) (*Report, error) {
	s, err := New(planOf(10, queueOf("user-3", 1, 1), queueOf("queue-unknown", 1, 1)))
	require.NoError(t, err)
	if err := s.AddTrace(NewTrace("t.swf", strings.NewReader(text)), m); err != nil {
		return nil, err
	}
	return s.Run()
}

func TestReplay(t *testing.T) {
	const (
		cancelled = "2 1 -1 -1 4 -1 -1 4 -1 -1 5 3 2 7 1 -1 -1 -1\n"
		part      = "3 1 0 60 4 -1 -1 4 -1 -1 2 3 2 7 1 -1 -1 -1\n"
		plain     = "4 1 0 60 4 -1 -1 -1 -1 -1 1 3 2 7 -1 -1 -1 -1\n"
	)
	report, err := replayed(t, goodJob+"\n"+cancelled+part+plain, Mapping{By: ByUser})
	require.NoError(t, err)
	require.Equal(t, Operations{Arrived: 2, Completed: 2, Skipped: 2, Pods: 2}, report.Operations)
	require.Equal(t, 120.5, report.Seconds)
	require.Equal(t, 59.5, report.Waits.Max)
	peaks := map[string]int64{}
	for _, l := range report.Limits {
		if l.Kind == "queue" {
			peaks[l.Resource] = l.Peak
		}
	}
	require.Equal(t, map[string]int64{"seats": 1, "pods": 1, "cpu": 8000, "memory": 8 * 2048 * 1024}, peaks)

	report, err = replayed(t, plain, Mapping{By: ByQueue})
	require.NoError(t, err)
	require.Equal(t, "queue-unknown", report.Queues[0].Name)

	_, err = replayed(t, goodJob, Mapping{By: ByGroup})
	require.ErrorContains(t, err, `t.swf: line 1: job 1: queue "group-2" does not exist`)
	_, err = replayed(t, goodJob+"\n\nbad", Mapping{Queue: "user-3"})
	require.ErrorContains(t, err, "t.swf: line 3: 1 fields")
	const vast = "1 0 0 60 1000000000000 -1 -1 -1 -1 1000000000000 1 3 2 7 1 -1 -1 -1"
	_, err = replayed(t, vast, Mapping{By: ByUser})
	require.ErrorContains(t, err, "more than 9P of memory")

	for m, want := range map[Mapping]string{
		{}:                         "where a trace goes is missing",
		{By: "color"}:              `a trace cannot be mapped by "color"`,
		{By: ByUser, Queue: "all"}: "choose one of the two",
	} {
		_, err := replayed(t, goodJob, m)
		require.ErrorContains(t, err, want)
	}
}

// FuzzTrace reads anything: it must not panic, and what it accepts can be played to its end.
func FuzzTrace(f *testing.F) {
	example, err := os.ReadFile(filepath.Join(examples, "trace.swf"))
	require.NoError(f, err)
	f.Add(string(example))
	f.Fuzz(func(t *testing.T, text string) {
		all, err := jobs(text)
		if err != nil {
			require.ErrorContains(t, err, "t.swf: line ")
			return
		}
		ran := 0
		for _, j := range all {
			require.GreaterOrEqual(t, j.Submit, time.Duration(0))
			if j.Run >= 0 && !partial(j.Status) {
				ran++
			}
		}
		report, err := replayed(t, text, Mapping{Queue: "user-3"})
		if err == nil {
			require.EqualValues(t, ran, report.Operations.Completed)
		}
	})
}
