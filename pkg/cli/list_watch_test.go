package cli

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// reader stops a command once it has printed something.
type reader struct {
	text   bytes.Buffer
	wanted string
	stop   context.CancelFunc
}

func (r *reader) Write(text []byte) (int, error) {
	n, err := r.text.Write(text)
	if strings.Contains(r.text.String(), r.wanted) {
		r.stop()
	}
	return n, err
}

// watch writes down what a command prints until it has printed something.
func (s *session) watch(wanted string, line ...string) {
	s.Helper()
	ctx, stop := context.WithCancel(s.Context())
	out := &reader{wanted: wanted, stop: stop}
	shell := s.shell()
	shell.IOStreams = genericiooptions.IOStreams{In: strings.NewReader(""), Out: out, ErrOut: out}
	code := Main(ctx, shell, append([]string{"qy", "--kubeconfig", shared.env.Dir.Kubeconfig(), "--cache-dir", s.TempDir()}, line...))
	require.Equal(s, codeInterrupted, code)
	s.text.WriteString(regexp.MustCompile(` +\n`).ReplaceAllString(out.text.String(), "\n"))
}

// What changes while the list is watched is printed as a line under the table, in its columns; nothing twice.
func TestListWatch(t *testing.T) {
	s := beginRuns(t)
	s.then = map[string]func(){"/apis/queueyard.io/v1alpha1/namespaces/team/operations": func() {
		op := object(s, &v1alpha1.Operation{}, "team", "train")
		stopping := op.Status.Timeline[len(op.Status.Timeline)-1]
		stopping.Status = v1alpha1.StatusStopping
		op.Status.Phase, op.Status.Timeline = stopping.Status, append(op.Status.Timeline, stopping)
		require.NoError(t, shared.admin.Status().Update(t.Context(), op))
	}}
	s.watch("stopping", "list", "ops", "-n", "team", "--queue", "gpu", "--watch")
}
