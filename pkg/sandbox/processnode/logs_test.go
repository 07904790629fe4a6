package processnode

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

func TestParseLogQuery(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := map[string]struct {
		want logQuery
		err  string
	}{
		"": {want: logQuery{tail: -1, limit: -1}},
		"follow=true&timestamps=true&previous=false": {want: logQuery{follow: true, timestamps: true, tail: -1, limit: -1}},
		"tailLines=10&limitBytes=5":                  {want: logQuery{tail: 10, limit: 5}},
		"tailLines=0":                                {want: logQuery{tail: 0, limit: -1}},
		"sinceSeconds=60":                            {want: logQuery{tail: -1, limit: -1, since: now.Add(-time.Minute)}},
		"sinceTime=2026-01-02T00:00:00Z":             {want: logQuery{tail: -1, limit: -1, since: now.Truncate(24 * time.Hour)}},
		"tailLines=-1":                               {err: `tailLines must be a number of 0 or more, not "-1"`},
		"tailLines=many":                             {err: `tailLines must be a number of 0 or more, not "many"`},
		"follow=perhaps":                             {err: `follow must be true or false, not "perhaps"`},
		"sinceTime=yesterday":                        {err: `sinceTime must be a time like 2006-01-02T15:04:05Z, not "yesterday"`},
	}
	for text, tt := range tests {
		t.Run(text, func(t *testing.T) {
			values, err := url.ParseQuery(text)
			require.NoError(t, err)
			got, err := parseLogQuery(values, now)
			if tt.err != "" {
				require.EqualError(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

func TestLogFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "0.log")
	w, err := newLogWriter(path)
	require.NoError(t, err)
	long := strings.Repeat("x", maxLine+10)
	for _, piece := range []string{"one\ntw", "o\n\nfour\n", long + "\n", "no end"} {
		_, err := w.Write([]byte(piece))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())

	read := func(q logQuery) string {
		var out strings.Builder
		require.NoError(t, streamLog(t.Context(), path, q, func() bool { return true }, &out, func() {}))
		return out.String()
	}
	all := "one\ntwo\n\nfour\n" + long + "\nno end"
	require.Equal(t, all, read(logQuery{tail: -1, limit: -1}))
	require.Equal(t, all, read(logQuery{tail: -1, limit: -1, follow: true}), "a followed log ends with its container")
	require.Equal(t, "no end", read(logQuery{tail: 1, limit: -1}))
	require.Equal(t, all, read(logQuery{tail: 100, limit: -1}))
	require.Empty(t, read(logQuery{tail: 0, limit: -1}))
	require.Equal(t, "one\ntw", read(logQuery{tail: -1, limit: 6}))
	require.Empty(t, read(logQuery{tail: -1, limit: -1, since: time.Now().Add(time.Hour)}))
	stamped := read(logQuery{tail: -1, limit: -1, timestamps: true})
	require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z one\n`, stamped)
}

func TestTerminationMessage(t *testing.T) {
	dir := t.TempDir()
	file, log := filepath.Join(dir, "message"), filepath.Join(dir, "0.log")
	w, err := newLogWriter(log)
	require.NoError(t, err)
	_, err = w.Write([]byte("it broke\n"))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	fallback := corev1.TerminationMessageFallbackToLogsOnError
	require.Empty(t, terminationMessage(corev1.TerminationMessageReadFile, file, log, 1))
	require.Empty(t, terminationMessage(fallback, file, log, 0))
	require.Equal(t, "it broke\n", terminationMessage(fallback, file, log, 1))
}
