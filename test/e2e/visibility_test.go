package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/kube-openapi/pkg/util/proto"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	visibility "github.com/queueyard/queueyard/pkg/apis/visibility/v1alpha1"
)

const visibilityRoot = "/apis/visibility.queueyard.io/v1alpha1"

// asker asks as kubectl get --raw does, as somebody.
type asker struct{ client rest.Interface }

func (s *scenario) as(user string) asker {
	s.Helper()
	config := rest.CopyConfig(s.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:authenticated"}}
	client, err := kubernetes.NewForConfig(config)
	require.NoError(s, err)
	return asker{client.RESTClient()}
}

func ask[T any](ctx context.Context, a asker, path string, query ...string) (*T, error) {
	request := a.client.Get().AbsPath(visibilityRoot + path)
	for i := 0; i < len(query); i += 2 {
		request.Param(query[i], query[i+1])
	}
	stream, err := request.Stream(ctx)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	answer := new(T)
	return answer, json.NewDecoder(stream).Decode(answer)
}

// The aggregated API lists all that waits, in order, page by page, and says of each why: to those only
// who may know.
func TestVisibility(t *testing.T) {
	s := begin(t, "visibility")
	ctx := t.Context()
	admin := asker{s.client.CoreV1().RESTClient()}
	queue := s.queue("line", seats(1))

	// The seat is taken in another namespace, until it ends as it declares.
	elsewhere := s.namespace + "-elsewhere"
	s.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: elsewhere, Labels: map[string]string{v1alpha1.ManagedLabel: "true"}}})
	holder := s.pod("holder", queue, simulated("600"))
	holder.Namespace = elsewhere
	holder.Annotations[v1alpha1.MaxRuntimeAnnotation] = "20m"
	s.create(holder)
	t.Cleanup(func() {
		_ = s.objects.Delete(context.Background(), holder, client.GracePeriodSeconds(0))
	})
	s.eventually("the holder runs", func() (bool, any) {
		err := s.objects.Get(ctx, client.ObjectKeyFromObject(holder), holder)
		return err == nil && holder.Status.StartTime != nil, err
	})

	const singles = 23
	var all []client.Object
	for i := range singles {
		all = append(all, s.pod(fmt.Sprintf("pod-%d", i), queue, simulated("1")))
	}
	job := s.job("several", queue, simulated("1"))
	job.Spec.Parallelism, job.Spec.Completions = ptr.To[int32](3), ptr.To[int32](3)
	s.createTogether(append(all, job))
	s.until("all wait", queue, func(c counts) bool { return c.waiting == singles+3 })

	// What the order must be: of pods by creation, then UID; the Job stands where its first pod stands.
	pods := slices.DeleteFunc(s.pods(ctx), func(p corev1.Pod) bool { return p.Labels[v1alpha1.QueueLabel] != queue })
	slices.SortFunc(pods, func(a, b corev1.Pod) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.UID, b.UID))
	})
	type place struct {
		name          string
		position, own int32
	}
	var want []place
	for i, p := range pods {
		name, own := p.Name, int32(1)
		if owner := metav1.GetControllerOf(&p); owner != nil {
			name, own = owner.Name, 3
		}
		if !slices.ContainsFunc(want, func(w place) bool { return w.name == name }) {
			want = append(want, place{name, int32(i + 1), own})
		}
	}
	list := func() (got []place, pages int, last *visibility.PendingOperationList) {
		token := ""
		for {
			page, err := ask[visibility.PendingOperationList](ctx, admin, "/queues/"+queue+"/pendingoperations", "limit", "7", "continue", token)
			require.NoError(t, err)
			require.LessOrEqual(t, len(page.Items), 7)
			require.EqualValues(t, singles+3, page.Waiting)
			for _, o := range page.Items {
				require.Equal(t, s.namespace, o.Namespace)
				require.Equal(t, "QueueFull", o.Reason)
				require.Contains(t, o.Message, fmt.Sprintf("queue %s: 1/1 operations running; position %d of %d", queue, o.Position, singles+3))
				require.Equal(t, visibility.LimitReference{Kind: "Queue", Name: queue}, o.BlockedBy.LimitReference)
				got = append(got, place{o.Name, o.Position, o.Pods})
			}
			pages, last = pages+1, page
			if token = page.Continue; token == "" {
				return got, pages, last
			}
		}
	}
	s.eventually("the list has all in order", func() (bool, any) {
		page, err := ask[visibility.PendingOperationList](ctx, admin, "/queues/"+queue+"/pendingoperations")
		return err == nil && page.Waiting == singles+3, err
	})
	got, pages, _ := list()
	require.Equal(t, want, got)
	require.Equal(t, 4, pages)

	// The explanation of a pod says what its condition says.
	last := pods[len(pods)-1].Name
	condition := s.says(last, "QueueFull")
	x, err := ask[visibility.Explanation](ctx, admin, "/namespaces/"+s.namespace+"/pods/"+last+"/explanation")
	require.NoError(t, err)
	require.Equal(t, visibility.Waiting, x.State)
	require.Equal(t, "QueueFull", x.Reason)
	require.EqualValues(t, []int32{singles + 3, singles + 3}, []int32{x.Position, x.Waiting})
	seat := x.Checks[0]
	require.Equal(t, []string{"Queue", queue, "", "false"}, []string{seat.Kind, seat.Name, seat.Resource, strconv.FormatBool(seat.OK)})
	require.Contains(t, condition, fmt.Sprintf("queue %s: %d/%d operations running", queue, seat.Used.Value(), seat.Limit.Value()))
	require.Contains(t, x.Message, fmt.Sprintf("queue %s: %d/%d operations running", queue, seat.Used.Value(), seat.Limit.Value()))
	require.Nil(t, x.EstimatedStart, "those ahead do not say how long they run")

	// The first is up when the holder ends as it declares.
	x, err = ask[visibility.Explanation](ctx, admin, "/namespaces/"+s.namespace+"/operations/"+want[0].name+"/explanation")
	require.NoError(t, err)
	require.Equal(t, visibility.DeclaredRuntimes, x.EstimatedStart.Basis)
	require.True(t, holder.Status.StartTime.Add(20*time.Minute).Equal(x.EstimatedStart.Time.Time), x.EstimatedStart)
	require.EqualValues(t, 1, x.Holders.Operations)
	require.Equal(t, []string{elsewhere, "Pod", "holder"}, []string{x.Holders.Items[0].Namespace, x.Holders.Items[0].Kind, x.Holders.Items[0].Name})

	// A Job is explained by its name.
	x, err = ask[visibility.Explanation](ctx, admin, "/namespaces/"+s.namespace+"/operations/several/explanation", "operationKind", "Job")
	require.NoError(t, err)
	require.Equal(t, visibility.OperationReference{Kind: "Job", Name: "several"}, x.Operation)
	require.EqualValues(t, 3, x.Pods.Waiting)

	t.Run("names unknown", func(t *testing.T) {
		for path, says := range map[string]string{
			"/queues/nowhere/pendingoperations":                                           "queue nowhere does not exist; kubectl get queues lists those that do",
			"/namespaces/" + s.namespace + "/pods/nobody/explanation":                     "no pod nobody in namespace " + s.namespace + " waits or runs",
			"/namespaces/" + s.namespace + "/operations/nobody/explanation":               "no pod of an operation nobody in namespace " + s.namespace,
			"/namespaces/" + s.namespace + "/operations/" + jobPod(pods) + "/explanation": "is a pod of Job several; ask for pods/",
		} {
			_, err := ask[visibility.Explanation](ctx, admin, path)
			require.True(t, apierrors.IsNotFound(err), "%s: %v", path, err)
			require.ErrorContains(t, err, says)
		}
		for _, query := range []url.Values{{"limit": {"0"}}, {"limit": {"many"}}, {"continue": {"nonsense"}}} {
			for key, value := range query {
				_, err := ask[visibility.PendingOperationList](ctx, admin, "/queues/"+queue+"/pendingoperations", key, value[0])
				require.True(t, apierrors.IsBadRequest(err), "%v: %v", query, err)
			}
		}
	})

	t.Run("who may ask", func(t *testing.T) {
		bind := func(user, role string, namespaced bool) {
			subjects := []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}}
			ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}
			meta := metav1.ObjectMeta{Name: user + "-" + role}
			if namespaced {
				meta.Namespace = s.namespace
				s.create(&rbacv1.RoleBinding{ObjectMeta: meta, Subjects: subjects, RoleRef: ref})
			} else {
				s.create(&rbacv1.ClusterRoleBinding{ObjectMeta: meta, Subjects: subjects, RoleRef: ref})
			}
		}
		bind("visibility-viewer", "view", true)
		bind("visibility-editor", "edit", true)
		bind("visibility-operator", "queueyard-visibility-reader", false)
		explanation, pending := "/namespaces/"+s.namespace+"/operations/"+want[0].name+"/explanation", "/queues/"+queue+"/pendingoperations"
		for _, c := range []struct {
			user                string
			explains, lists     bool
			seesOtherNamespaces bool
		}{
			{"visibility-stranger", false, false, false},
			{"visibility-viewer", true, false, false},
			{"visibility-editor", true, false, false},
			{"visibility-operator", true, true, true},
		} {
			a := s.as(c.user)
			var x *visibility.Explanation
			s.eventually(c.user+" may or may not", func() (bool, any) { // roles take effect a moment later
				var err error
				x, err = ask[visibility.Explanation](ctx, a, explanation)
				return (err == nil) == c.explains && (c.explains || apierrors.IsForbidden(err)), err
			})
			if c.explains {
				require.EqualValues(t, 1, x.Holders.Operations)
				require.Len(t, x.Holders.Items, map[bool]int{true: 1}[c.seesOtherNamespaces], c.user)
				require.EqualValues(t, map[bool]int{false: 1}[c.seesOtherNamespaces], x.Holders.Hidden, c.user)
			}
			_, err := ask[visibility.PendingOperationList](ctx, a, pending)
			require.Equal(t, c.lists, err == nil, "%s: %v", c.user, err)
			require.Equal(t, !c.lists, apierrors.IsForbidden(err), "%s: %v", c.user, err)
			_, err = ask[visibility.Explanation](ctx, a, "/namespaces/"+elsewhere+"/pods/holder/explanation")
			require.Equal(t, c.lists, err == nil, "%s: %v", c.user, err)
		}
	})
}

// kubectl checks a List by what the API server says of all APIs together: it must be able to read what we add to that.
func TestVisibilityDescribed(t *testing.T) {
	s := begin(t, "described")
	s.eventually("all APIs are described", func() (bool, any) {
		document, err := s.client.Discovery().OpenAPISchema()
		if err != nil {
			return false, err
		}
		models, err := proto.NewOpenAPIData(document)
		return err == nil && models.LookupModel("io.queueyard.visibility.v1alpha1.Explanation") != nil, err
	})
}

func jobPod(pods []corev1.Pod) string {
	for _, p := range pods {
		if owner := metav1.GetControllerOf(&p); owner != nil && owner.Kind == "Job" {
			return p.Name
		}
	}
	return ""
}
