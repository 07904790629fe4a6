package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/test/testenv"
)

var update = flag.Bool("update", false, "write the transcripts in testdata anew")

// noon is what the clock of every command says. Objects were created an hour before unless an annotation says otherwise.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const createdAnnotation = "test/created"

// shared is the API server of all tests; each takes away what it made.
var shared struct {
	env   *testenv.Env
	admin client.Client
}

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	if os.Getenv(asProgram) != "" {
		return program()
	}
	flag.Parse()
	var err error
	if shared.env, err = testenv.StartShared(testenv.WithCRDs()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer shared.env.Stop()
	if shared.admin, err = client.New(shared.env.Config, client.Options{Scheme: scheme}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// session is a transcript of commands and what they print.
type session struct {
	*testing.T
	text bytes.Buffer
	// answer is what stands on standard input; with one somebody sits there.
	answer  string
	colours bool
	// answers stand in for the API server.
	answers map[string]string
	// then is what happens once the API server has answered a path.
	then map[string]func()
	// scrub are what differs every time, and what to write for it.
	scrub [][2]string
}

// begin starts a transcript, which is compared with testdata/NAME.txt at the end of the test.
func begin(t *testing.T) *session {
	s := &session{T: t}
	t.Cleanup(func() {
		s.clean()
		file := filepath.Join("testdata", strings.ReplaceAll(t.Name(), "/", "-")+".txt")
		got := s.scrubbed(s.text.String())
		if *update {
			require.NoError(t, os.WriteFile(file, []byte(got), 0o600))
			return
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err, "go test ./pkg/cli -update writes it")
		require.Equal(t, string(want), got)
	})
	return s
}

func (s *session) scrubbed(text string) string {
	text = strings.ReplaceAll(text, shared.env.Config.Host, "https://hub:6443")
	for _, rule := range append(s.scrub,
		[2]string{`resourceVersion": "\d+"`, `resourceVersion": "1"`}, [2]string{`resourceVersion: "\d+"`, `resourceVersion: "1"`},
		[2]string{`uid: [-0-9a-f]{36}`, "uid: UID"}, [2]string{`"uid": "[-0-9a-f]{36}"`, `"uid": "UID"`},
	) {
		text = regexp.MustCompile(rule[0]).ReplaceAllString(text, rule[1])
	}
	return text
}

// qy runs a command line and writes down what became of it.
func (s *session) qy(line ...string) (out string, code int) {
	s.Helper()
	return s.until(s.Context(), line...)
}

func (s *session) until(ctx context.Context, line ...string) (out string, code int) {
	s.Helper()
	var stdout, stderr bytes.Buffer
	shell := s.shell()
	shell.IOStreams = genericiooptions.IOStreams{In: strings.NewReader(s.answer), Out: &stdout, ErrOut: &stderr}
	code = Main(ctx, shell, append([]string{"qy", "--kubeconfig", shared.env.Dir.Kubeconfig(), "--cache-dir", s.TempDir()}, line...))
	fmt.Fprintf(&s.text, "$ %s\n%s", strings.TrimSpace("qy "+strings.Join(line, " ")), stdout.String())
	if stderr.Len() > 0 {
		fmt.Fprintf(&s.text, "--- standard error\n%s", stderr.String())
	}
	if code != 0 {
		fmt.Fprintf(&s.text, "--- exit code %d\n", code)
	}
	s.text.WriteString("\n")
	return stdout.String(), code
}

func (s *session) shell() *Shell {
	return &Shell{
		Colours: s.colours, Interactive: s.answer != "",
		Now: func() time.Time { return noon }, Zone: time.UTC,
		Wrap: func(c *rest.Config) *rest.Config {
			c.ContentType = "application/json"
			c.Wrap(func(to http.RoundTripper) http.RoundTripper { return &calm{to: to, answers: s.answers, then: s.then} })
			return c
		},
	}
}

// uidOf stands for the UID of a workflow that was made before.
var uidOf = regexp.MustCompile(`UID\(([-a-z0-9]+)\)`)

// given makes objects with their statuses; those of a namespace that names none are in "team".
func (s *session) given(text string) {
	s.Helper()
	text = uidOf.ReplaceAllStringFunc(text, func(match string) string {
		return string(object(s, &v1alpha1.Workflow{}, "team", uidOf.FindStringSubmatch(match)[1]).UID)
	})
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	for {
		o := &unstructured.Unstructured{}
		err := decoder.Decode(o)
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(s, err)
		if o.GetAPIVersion() == "" {
			o.SetAPIVersion(v1alpha1.GroupVersion.String())
		}
		namespaced, err := shared.admin.IsObjectNamespaced(o)
		require.NoError(s, err)
		if namespaced && o.GetNamespace() == "" {
			o.SetNamespace("team")
		}
		if namespaced {
			s.namespace(o.GetNamespace())
		}
		status, hasStatus := o.Object["status"]
		require.NoError(s, shared.admin.Create(s.Context(), o))
		if hasStatus {
			o.Object["status"] = status
			require.NoError(s, shared.admin.Status().Update(s.Context(), o))
		}
	}
}

func (s *session) namespace(name string) {
	ns := &unstructured.Unstructured{}
	ns.SetAPIVersion("v1")
	ns.SetKind("Namespace")
	ns.SetName(name)
	require.NoError(s, client.IgnoreAlreadyExists(shared.admin.Create(s.Context(), ns)))
}

// clean takes away all that has no namespace of its own to be in.
func (s *session) clean() {
	ctx := context.Background()
	for _, o := range []client.Object{
		&v1alpha1.Agent{}, &v1alpha1.Queue{}, &v1alpha1.Project{}, &v1alpha1.Organization{},
	} {
		require.NoError(s, shared.admin.DeleteAllOf(ctx, o), "%T", o)
	}
	assignments := &v1alpha1.AssignmentList{}
	require.NoError(s, shared.admin.List(ctx, assignments))
	for i := range assignments.Items {
		s.letGo(&assignments.Items[i])
	}
	for _, o := range []client.Object{&v1alpha1.Operation{}, &v1alpha1.Workflow{}, &v1alpha1.Assignment{}} {
		require.NoError(s, shared.admin.DeleteAllOf(ctx, o, client.InNamespace("team")), "%T", o)
	}
}

func (s *session) letGo(a *v1alpha1.Assignment) {
	before := a.DeepCopy()
	controllerutil.RemoveFinalizer(a, v1alpha1.AgentFinalizer)
	require.NoError(s, shared.admin.Patch(context.Background(), a, client.MergeFrom(before)))
	require.NoError(s, client.IgnoreNotFound(shared.admin.Delete(context.Background(), a)))
}

// calm makes what the API server answers the same every time: when objects were created. It also answers in place of an
// aggregated API.
type calm struct {
	to      http.RoundTripper
	answers map[string]string
	then    map[string]func()
}

func (c *calm) RoundTrip(r *http.Request) (*http.Response, error) {
	text, ok := c.answers[r.URL.Path+"?operationKind="+r.URL.Query().Get("operationKind")] // where it matters
	if !ok {
		text, ok = c.answers[r.URL.Path]
	}
	if ok {
		code := http.StatusOK
		if strings.Contains(text, `"kind":"Status"`) {
			code = http.StatusNotFound
		}
		return &http.Response{StatusCode: code, Request: r, Body: io.NopCloser(strings.NewReader(text)),
			Header: http.Header{"Content-Type": {"application/json"}}}, nil
	}
	answer, err := c.to.RoundTrip(r)
	if next := c.then[r.URL.Path]; next != nil {
		delete(c.then, r.URL.Path)
		next()
	}
	if err != nil || !strings.HasPrefix(answer.Header.Get("Content-Type"), "application/json") {
		return answer, err
	}
	from := answer.Body
	reader, writer := io.Pipe()
	answer.Body = struct {
		io.Reader
		io.Closer
	}{reader, closers{reader, from}}
	answer.ContentLength = -1
	answer.Header.Del("Content-Length")
	go func() {
		decoder, encoder := json.NewDecoder(from), json.NewEncoder(writer)
		decoder.UseNumber()
		for {
			var value any
			if err := decoder.Decode(&value); err != nil {
				_ = writer.CloseWithError(err)
				return
			}
			date(value)
			if encoder.Encode(value) != nil {
				return
			}
		}
	}()
	return answer, nil
}

type closers []io.Closer

func (c closers) Close() error {
	return errors.Join(c[0].Close(), c[1].Close())
}

// date writes when objects were created.
func date(value any) {
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			date(item)
		}
	case map[string]any:
		if meta, ok := v["metadata"].(map[string]any); ok && meta["creationTimestamp"] != nil {
			created := any(noon.Add(-time.Hour).Format(time.RFC3339))
			if annotations, ok := meta["annotations"].(map[string]any); ok && annotations[createdAnnotation] != nil {
				created = annotations[createdAnnotation]
			}
			meta["creationTimestamp"] = created
			delete(meta, "managedFields")
		}
		for _, item := range v {
			date(item)
		}
	}
}

// object reads what there is now.
func object[T client.Object](s *session, o T, namespace, name string) T {
	s.Helper()
	require.NoError(s, shared.admin.Get(s.Context(), client.ObjectKey{Namespace: namespace, Name: name}, o))
	return o
}

// A transcript that no test writes any more is a mistake.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	sources, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	var code strings.Builder
	for _, f := range sources {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		code.Write(text)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".txt")
		require.Contains(t, code.String(), "func "+name+"(", f)
	}
}
