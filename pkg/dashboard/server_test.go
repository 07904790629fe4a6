package dashboard

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	queueyard "github.com/queueyard/queueyard/pkg/client"
	"github.com/queueyard/queueyard/test/testenv"
)

// shared is the API server of all tests; each makes namespaces and queues of its own.
var shared struct {
	env   *testenv.Env
	admin client.Client
}

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	var err error
	if shared.env, err = testenv.StartShared(testenv.WithCRDs()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer shared.env.Stop()
	if shared.admin, err = client.New(shared.env.Config, client.Options{Scheme: queueyard.Scheme}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// browser asks a server of a test.
type browser struct {
	*testing.T
	server *Server
	url    string
	host   string
	// header of every request.
	header http.Header
}

func serve(t *testing.T, o Options) *browser {
	o.Config = shared.env.Config
	s, err := New(t.Context(), o)
	require.NoError(t, err)
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	return &browser{T: t, server: s, url: h.URL, host: strings.TrimPrefix(h.URL, "http://"), header: http.Header{}}
}

// signedIn serves whoever runs the test, who is let in.
func signedIn(t *testing.T, o Options) *browser {
	b := serve(t, o)
	answer := b.do(http.MethodPost, "/api/v1/session", fmt.Sprintf(`{"code": %q}`, b.server.Code()))
	require.Equal(t, http.StatusNoContent, answer.code, answer.body)
	b.header.Set("Cookie", answer.header.Get("Set-Cookie"))
	return b
}

type answer struct {
	code   int
	header http.Header
	body   string
}

func (b *browser) do(method, path, body string, change ...func(*http.Request)) answer {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), method, b.url+path, strings.NewReader(body))
	require.NoError(b, err)
	r.Header = b.header.Clone()
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, f := range change {
		f(r)
	}
	response, err := http.DefaultClient.Do(r)
	require.NoError(b, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(b, err)
	return answer{response.StatusCode, response.Header, string(text)}
}

func get[T any](b *browser, path string) T {
	b.Helper()
	a := b.do(http.MethodGet, "/api/v1"+path, "")
	require.Equal(b, http.StatusOK, a.code, a.body)
	var value T
	require.NoError(b, json.Unmarshal([]byte(a.body), &value))
	return value
}

// offers is what a page may do.
type offers struct{ Actions []action }

func given(t *testing.T, o client.Object) {
	t.Helper()
	status := o.DeepCopyObject().(client.Object)
	require.NoError(t, shared.admin.Create(t.Context(), o))
	t.Cleanup(func() { _ = shared.admin.Delete(context.Background(), o) })
	switch o.(type) {
	case *v1alpha1.Agent, *v1alpha1.Operation, *v1alpha1.Project, *v1alpha1.Queue, *v1alpha1.Workflow:
		status.SetResourceVersion(o.GetResourceVersion())
		require.NoError(t, shared.admin.Status().Update(t.Context(), status))
	}
}

func namespaceFor(t *testing.T) string {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "team-"}}
	require.NoError(t, shared.admin.Create(t.Context(), ns))
	return ns.Name
}

func operationIn(namespace, name string, phase v1alpha1.Status) *v1alpha1.Operation {
	op, err := queueyard.PodOperation(namespace, name, corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "trainer"}}})
	if err != nil {
		panic(err)
	}
	op.Spec.Queue = "gpu"
	op.Status.Phase = phase
	op.Status.Timeline = []v1alpha1.TimelineEntry{{Status: phase, Time: metav1.NowMicro(), Reason: "Test"}}
	return op
}

// A code opens one browser, once; without the cookie nobody sees anything.
func TestCodes(t *testing.T) {
	b := serve(t, Options{})
	for _, path := range []string{"/overview", "/operations", "/events", "/objects/queues/-/default", "/namespaces"} {
		require.Equal(t, http.StatusUnauthorized, b.do(http.MethodGet, "/api/v1"+path, "").code, path)
	}
	require.Empty(t, get[sessionView](b, "/session").User)
	code := b.server.Code()
	enter := func(code string) answer {
		return b.do(http.MethodPost, "/api/v1/session", fmt.Sprintf(`{"code": %q}`, code))
	}
	require.Equal(t, http.StatusUnauthorized, enter("").code)
	require.Equal(t, http.StatusUnauthorized, enter("guess").code)
	first := enter(code)
	require.Equal(t, http.StatusNoContent, first.code)
	for _, part := range []string{"HttpOnly", "SameSite=Strict", "Path=/"} {
		require.Contains(t, first.header.Get("Set-Cookie"), part)
	}
	require.Equal(t, http.StatusUnauthorized, enter(code).code, "a code is good once")
	b.header.Set("Cookie", first.header.Get("Set-Cookie"))
	require.NotEmpty(t, get[sessionView](b, "/session").User)
	b.header.Set("Cookie", strings.Replace(first.header.Get("Set-Cookie"), "=", "=x", 1))
	require.Equal(t, http.StatusUnauthorized, b.do(http.MethodGet, "/api/v1/overview", "").code, "another secret")
}

// Every answer bears the headers that keep other pages out, refusals too.
func TestHeaders(t *testing.T) {
	b := signedIn(t, Options{})
	for _, path := range []string{"/", "/queues/any", "/assets/main.js", "/assets/none.js", "/api/v1/session", "/api/v1/none", "/api/v1/queues/none"} {
		h := b.do(http.MethodGet, path, "").header
		require.Contains(t, h.Get("Content-Security-Policy"), "default-src 'self'", path)
		require.Contains(t, h.Get("Content-Security-Policy"), "frame-ancestors 'none'", path)
		require.NotContains(t, h.Get("Content-Security-Policy"), "unsafe", path)
		require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"), path)
		require.Equal(t, "no-referrer", h.Get("Referrer-Policy"), path)
		require.NotContains(t, h, "Access-Control-Allow-Origin", path)
	}
	require.Equal(t, "no-store", b.do(http.MethodGet, "/api/v1/session", "").header.Get("Cache-Control"))
}

// Other sites, other names for this machine, and forms get nothing, with the cookie too.
func TestOtherOrigins(t *testing.T) {
	b := signedIn(t, Options{})
	guarded := serve(t, Options{Hosts: []string{"127.0.0.1:1"}})
	require.Equal(t, http.StatusMisdirectedRequest, guarded.do(http.MethodGet, "/", "").code, "a name that was made to lead here")
	require.Equal(t, http.StatusOK, guarded.do(http.MethodGet, "/", "", func(r *http.Request) { r.Host = "127.0.0.1:1" }).code)

	given(t, &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "origins"}})
	pause := `{"kind": "queue", "name": "origins", "action": "pause"}`
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for name, change := range map[string]func(*http.Request){
		"fetch of another site":      header("Sec-Fetch-Site", "cross-site"),
		"fetch of another port":      header("Sec-Fetch-Site", "same-site"),
		"older browser, other site":  header("Origin", "https://evil.example"),
		"form, which sends no JSON":  header("Content-Type", "application/x-www-form-urlencoded"),
		"form that pretends by text": header("Content-Type", "text/plain"),
	} {
		a := b.do(http.MethodPost, "/api/v1/actions", pause, change)
		require.Contains(t, []int{http.StatusForbidden, http.StatusBadRequest}, a.code, name)
	}
	q := &v1alpha1.Queue{}
	require.NoError(t, shared.admin.Get(t.Context(), client.ObjectKey{Name: "origins"}, q))
	require.Equal(t, v1alpha1.QueueOpen, q.Spec.State)
	require.Equal(t, http.StatusForbidden, b.do(http.MethodGet, "/api/v1/overview", "", header("Sec-Fetch-Site", "cross-site"), header("Sec-Fetch-Mode", "no-cors")).code)
	require.Equal(t, http.StatusOK, b.do(http.MethodPost, "/api/v1/actions", pause, header("Sec-Fetch-Site", "same-origin")).code)
	require.NoError(t, shared.admin.Get(t.Context(), client.ObjectKey{Name: "origins"}, q))
	require.Equal(t, v1alpha1.QueuePaused, q.Spec.State)
}

func TestReadOnly(t *testing.T) {
	b := signedIn(t, Options{ReadOnly: true})
	given(t, &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "read-only"}})
	require.True(t, get[sessionView](b, "/session").ReadOnly)
	require.Empty(t, get[queueView](b, "/queues/read-only").Actions)
	a := b.do(http.MethodPost, "/api/v1/actions", `{"kind": "queue", "name": "read-only", "action": "pause"}`)
	require.Equal(t, http.StatusForbidden, a.code)
	q := &v1alpha1.Queue{}
	require.NoError(t, shared.admin.Get(t.Context(), client.ObjectKey{Name: "read-only"}, q))
	require.Equal(t, v1alpha1.QueueOpen, q.Spec.State)
}

// visitorOf a namespace may see what runs there, and nothing else.
func visitorOf(t *testing.T, namespace string) (token string) {
	meta := metav1.ObjectMeta{Name: "visitor", Namespace: namespace}
	given(t, &corev1.ServiceAccount{ObjectMeta: meta})
	given(t, &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"operations"}, Verbs: []string{"get", "list", "watch"}},
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list", "watch"}},
	}})
	given(t, &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: rbacv1.RoleRef{Kind: "Role", Name: "visitor"},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: "visitor", Namespace: namespace}}})
	config, err := shared.env.ConfigFor(t.Context(), namespace, "visitor")
	require.NoError(t, err)
	return config.BearerToken
}

// A visitor sees what their token may, and what the server itself may does not matter: here it was started as administrator.
func TestVisitors(t *testing.T) {
	b := serve(t, Options{Visitors: true})
	own, other := namespaceFor(t), namespaceFor(t)
	given(t, operationIn(own, "mine", v1alpha1.StatusRunning))
	given(t, operationIn(other, "theirs", v1alpha1.StatusRunning))
	given(t, &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "visitors"}})
	token := visitorOf(t, own)

	require.Equal(t, http.StatusUnauthorized, b.do(http.MethodGet, "/api/v1/overview", "").code)
	sign := func(token string) answer {
		return b.do(http.MethodPost, "/api/v1/session", fmt.Sprintf(`{"token": %q}`, token))
	}
	require.Equal(t, http.StatusUnauthorized, sign("guess").code)
	require.Equal(t, http.StatusBadRequest, sign("").code)
	require.Equal(t, http.StatusBadRequest, sign("a b").code)
	require.Equal(t, http.StatusBadRequest, sign(strings.Repeat("a", longestToken+1)).code)
	require.Empty(t, b.server.visitors.byTicket, "of tokens that nobody knows nothing is kept")
	in := sign(token)
	require.Equal(t, http.StatusNoContent, in.code, in.body)
	cookie := in.header.Get("Set-Cookie")
	for _, part := range []string{"__Host-", "HttpOnly", "Secure", "SameSite=Strict", "Path=/"} {
		require.Contains(t, cookie, part)
	}

	for name, header := range map[string][2]string{"cookie": {"Cookie", cookie}, "header": {"Authorization", "Bearer " + token}} {
		t.Run(name, func(t *testing.T) {
			b := &browser{T: t, server: b.server, url: b.url, header: http.Header{header[0]: {header[1]}}}
			require.Equal(t, "system:serviceaccount:"+own+":visitor", get[sessionView](b, "/session").User)
			mine := get[rowsView](b, "/operations?namespace="+own)
			require.Equal(t, 1, mine.Total)
			require.Equal(t, "mine", mine.Items[0].Name)
			for _, query := range []string{"", "?namespace=" + other} {
				theirs := get[rowsView](b, "/operations"+query)
				require.Empty(t, theirs.Items, query)
				require.NotEmpty(t, theirs.Notes, query)
			}
			detail := get[offers](b, "/operations/"+own+"/mine")
			require.Empty(t, detail.Actions, "they may not change it")
			for _, path := range []string{"/overview", "/queues/visitors", "/agents", "/tenants", "/operations/" + other + "/theirs", "/objects/operations/" + other + "/theirs",
				"/objects/queues/-/visitors", "/events/operations/" + other + "/theirs", "/pods/" + other + "/any/logs"} {
				require.Equal(t, http.StatusForbidden, b.do(http.MethodGet, "/api/v1"+path, "").code, path)
			}
			for _, body := range []string{`{"kind": "queue", "name": "visitors", "action": "pause"}`,
				fmt.Sprintf(`{"kind": "operation", "namespace": %q, "name": "mine", "action": "stop"}`, own)} {
				require.Equal(t, http.StatusForbidden, b.do(http.MethodPost, "/api/v1/actions", body).code, body)
			}
		})
	}
	b.header.Set("Cookie", cookie)
	require.Equal(t, http.StatusNoContent, b.do(http.MethodDelete, "/api/v1/session", "").code)
	require.Empty(t, b.server.visitors.byTicket, "what was cached is gone with the session")
}

// What nobody looks at is not kept.
func TestIdle(t *testing.T) {
	var mu sync.Mutex
	now := time.Now()
	b := serve(t, Options{Visitors: true, Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }})
	later := func(d time.Duration) { mu.Lock(); now = now.Add(d); mu.Unlock() }
	own := namespaceFor(t)
	b.header.Set("Authorization", "Bearer "+visitorOf(t, own))
	get[rowsView](b, "/operations?namespace="+own)
	v, err := b.server.visitors.of(strings.TrimPrefix(b.header.Get("Authorization"), "Bearer "))
	require.NoError(t, err)
	later(idleAfter - time.Second)
	b.server.visitors.dropIdle()
	require.NoError(t, v.ctx.Err())
	leave := v.use()
	later(2 * time.Second)
	b.server.visitors.dropIdle()
	require.NoError(t, v.ctx.Err(), "somebody looks")
	leave()
	later(idleAfter + time.Second)
	b.server.visitors.dropIdle()
	require.Error(t, v.ctx.Err())
	require.Empty(t, b.server.visitors.byTicket)
}

// Who loses a right sees nothing more of it, once what was answered before is no longer believed.
func TestRightsEnd(t *testing.T) {
	var mu sync.Mutex
	now := time.Now()
	b := serve(t, Options{Visitors: true, Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }})
	own := namespaceFor(t)
	b.header.Set("Authorization", "Bearer "+visitorOf(t, own))
	given(t, operationIn(own, "mine", v1alpha1.StatusRunning))
	require.Len(t, get[rowsView](b, "/operations?namespace="+own).Items, 1)
	require.NoError(t, shared.admin.Delete(t.Context(), &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "visitor", Namespace: own}}))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		mu.Lock()
		now = now.Add(trustFor)
		mu.Unlock()
		require.Empty(c, get[rowsView](b, "/operations?namespace="+own).Items)
	}, time.Minute, 50*time.Millisecond)
}

// The stream names what changed.
func TestEvents(t *testing.T) {
	b := signedIn(t, Options{})
	ns := namespaceFor(t)
	get[rowsView](b, "/operations") // what is shown is watched
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+"/api/v1/events", nil)
	require.NoError(t, err)
	r.Header = b.header.Clone()
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	lines := bufio.NewScanner(response.Body)
	until := func(text string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), text) {
				return
			}
		}
		t.Fatalf("the stream ended before %q", text)
	}
	until("event: ready")
	given(t, operationIn(ns, "new", v1alpha1.StatusQueued))
	until(`"operations":["` + ns + `/new"]`)
}

func TestActions(t *testing.T) {
	b := signedIn(t, Options{})
	ns := namespaceFor(t)
	given(t, operationIn(ns, "train", v1alpha1.StatusRunning))
	path, key := "/operations/"+ns+"/train", client.ObjectKey{Namespace: ns, Name: "train"}
	offered := map[string]bool{}
	for _, a := range get[offers](b, path).Actions {
		offered[a.Name] = a.Refused == ""
	}
	require.Equal(t, map[string]bool{"stop": true, "resume": false, "restart": false, "approve": false, "move": true}, offered)
	act := func(text string) answer {
		return b.do(http.MethodPost, "/api/v1/actions", fmt.Sprintf(`{"kind": "operation", "namespace": %q, "name": "train", %s}`, ns, text))
	}
	require.Equal(t, http.StatusConflict, act(`"action": "restart"`).code)
	require.Equal(t, http.StatusConflict, act(`"action": "dance"`).code)
	require.Equal(t, http.StatusBadRequest, act(`"action": "move"`).code)
	require.Equal(t, http.StatusBadRequest, act(`"action": "stop", "typo": 1`).code)
	require.Contains(t, act(`"action": "move", "queue": "night", "priority": 0`).body, "op/train now waits in queue night and has priority 0")
	require.Equal(t, http.StatusOK, act(`"action": "stop"`).code)
	op := &v1alpha1.Operation{}
	require.NoError(t, shared.admin.Get(t.Context(), key, op))
	require.Equal(t, v1alpha1.Stopped, op.Spec.DesiredState)
	require.Equal(t, "night", op.Spec.Queue)
	require.NotNil(t, op.Spec.Priority)
}

func TestPages(t *testing.T) {
	b := signedIn(t, Options{})
	ns := namespaceFor(t)
	zero, two := int32(0), int32(2)
	given(t, &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "gpu"}, Spec: v1alpha1.QueueSpec{Priority: &zero, Concurrency: &two}})
	given(t, &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: "default"}})
	given(t, &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: "acme"}, Spec: v1alpha1.OrganizationSpec{DefaultQueue: "gpu"}})
	given(t, &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: "vision"}, Spec: v1alpha1.ProjectSpec{Organization: "acme", AllowedQueues: []string{"g*"},
		Namespaces: v1alpha1.ProjectNamespaces{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: ns}}}}})
	waits := operationIn(ns, "waits", v1alpha1.StatusQueued)
	waits.Status.Queue = "gpu"
	waits.Status.Conditions = []metav1.Condition{{Type: v1alpha1.WaitingCondition, Status: metav1.ConditionFalse, Reason: "QueueFull", Message: "queue gpu: 2/2", LastTransitionTime: metav1.Now()}}
	given(t, waits)
	fails := operationIn(ns, "fails", v1alpha1.StatusFailed)
	end := metav1.NowMicro()
	fails.Status.FinishTime = &end
	fails.Status.Timeline[0].Message = "container main ended with exit code 3"
	given(t, fails)

	overview := get[overviewView](b, "/overview?namespace="+ns)
	require.Equal(t, map[v1alpha1.Status]int{"queued": 1, "failed": 1}, overview.Statuses)
	require.Equal(t, "fails", overview.Failures[0].Name)
	require.Equal(t, "container main ended with exit code 3", overview.Failures[0].Message)

	queue := get[queueView](b, "/queues/gpu")
	require.Equal(t, "QueueFull", queue.Line[0].Reason)
	require.Nil(t, queue.Line[0].Position, "no scheduler tells")
	require.NotEmpty(t, queue.Notes)
	require.Equal(t, 1, queue.Use.Waiting[moments-1])
	require.Equal(t, http.StatusNotFound, b.do(http.MethodGet, "/api/v1/queues/none", "").code)
	require.Equal(t, http.StatusBadRequest, b.do(http.MethodGet, "/api/v1/queues/gpu?window=long", "").code)

	detail := get[map[string]any](b, "/operations/"+ns+"/waits")
	require.Contains(t, detail["why"].(map[string]any)["summary"], "waits in queue gpu: QueueFull")
	tenants := get[tenantsView](b, "/tenants")
	require.Equal(t, "gpu", tenants.Projects[0].DefaultQueue)
	require.Equal(t, "of organization acme", tenants.Projects[0].DefaultFrom)
	require.Equal(t, []string{"gpu"}, tenants.Projects[0].Queues)
	require.Equal(t, []string{ns}, tenants.Projects[0].Selected)
	require.Contains(t, b.do(http.MethodGet, "/api/v1/agents", "").body, `"queues":["gpu"]`)
	text := b.do(http.MethodGet, "/api/v1/objects/operations/"+ns+"/waits", "").body
	require.Contains(t, text, "name: waits")
	require.NotContains(t, text, "managedFields")
	require.Equal(t, http.StatusBadRequest, b.do(http.MethodGet, "/api/v1/objects/secrets/"+ns+"/any", "").code)
	require.JSONEq(t, `{"items": []}`, b.do(http.MethodGet, "/api/v1/events/operations/"+ns+"/waits", "").body)
}

// Where several agents serve a queue, it is a queue of each of them.
func TestSeveralAgents(t *testing.T) {
	b := signedIn(t, Options{})
	given(t, &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: "east"}, Spec: v1alpha1.AgentSpec{Remote: true}})
	given(t, &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: "west"}, Spec: v1alpha1.AgentSpec{Remote: true}})
	given(t, &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "anywhere"}, Spec: v1alpha1.QueueSpec{Agents: []string{"east", "west"}}})
	require.Equal(t, []string{"east", "west"}, get[queueView](b, "/queues/anywhere").Agents)
	for _, a := range get[struct{ Items []agentRow }](b, "/agents").Items {
		require.Equal(t, a.Name == "east" || a.Name == "west", slices.Contains(a.Queues, "anywhere"), a.Name)
	}
}

// An agent that is being deleted stays until it has given back what it had; the page says so, and who keeps what of which limits.
func TestAgentsThatKeepLimits(t *testing.T) {
	b := signedIn(t, Options{})
	says := "agent gone, unreachable since 2026-03-01T10:30:00Z, keeps 40 of 100 operations: until it is back"
	agent := &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: "gone", Finalizers: []string{v1alpha1.RemoteAgentFinalizer}}, Spec: v1alpha1.AgentSpec{Remote: true}}
	agent.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ReadyCondition, Status: metav1.ConditionFalse, Reason: "Deleting", Message: "is deleted when it has given back 3 operations", LastTransitionTime: metav1.Now()}}
	given(t, agent)
	t.Cleanup(func() {
		require.NoError(t, shared.admin.Patch(context.Background(), agent, client.RawPatch(types.MergePatchType, []byte(`{"metadata": {"finalizers": null}}`))))
	})
	given(t, &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "kept"}, Status: v1alpha1.QueueStatus{Withheld: says}})
	project := &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: "kept"}}
	project.Status.Withheld = says
	given(t, project)
	of := func() agentRow {
		view := get[agentsView](b, "/agents")
		require.Equal(t, []withheld{{"queue", "kept", says}, {"project", "kept", says}}, view.Withheld)
		return view.Items[slices.IndexFunc(view.Items, func(a agentRow) bool { return a.Name == "gone" })]
	}
	require.Equal(t, "Open", of().State)
	require.NoError(t, shared.admin.Delete(t.Context(), agent))
	require.EventuallyWithT(t, func(c *assert.CollectT) { assert.Equal(c, "Deleting", of().State) }, time.Minute, 50*time.Millisecond)
	require.Contains(t, of().Problem, "given back 3 operations")
	require.Equal(t, says, get[queueView](b, "/queues/kept").Withheld)
	tenants := get[tenantsView](b, "/tenants").Projects
	require.Equal(t, says, tenants[slices.IndexFunc(tenants, func(p projectRow) bool { return p.Name == "kept" })].Withheld)
}
