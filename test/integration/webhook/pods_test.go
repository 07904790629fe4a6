package webhook_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

const podsWebhook = "pods.queueyard.io"

func TestPodsAreStamped(t *testing.T) {
	for name, tc := range map[string]struct {
		pod            *corev1.Pod
		queue, project string
		scheduler      string
	}{
		"names none":                  {pod: pod("free"), queue: "default"},
		"label":                       {pod: pod("free", labels(queueLabel("cpu"))), queue: "cpu"},
		"annotation":                  {pod: pod("free", annotations(queueLabel("lab/gpu"))), queue: "gpu"},
		"agent in the label":          {pod: pod("free", labels(queueLabel("lab.gpu"))), queue: "lab.gpu"},
		"other labels stay":           {pod: pod("free", labels(map[string]string{"a": "b"})), queue: "default"},
		"project's default":           {pod: pod("vision"), queue: "gpu", project: "vision"},
		"organization's default":      {pod: pod("speech"), queue: "acme-wide", project: "speech"},
		"label says which project":    {pod: pod("shared", labels(projectLabel("vision"))), queue: "gpu", project: "vision"},
		"a namespace left alone":      {pod: pod("outside"), scheduler: "default-scheduler"},
		"another's pod in a draining": {pod: pod("free", labels(queueLabel("draining")), ownedBy("ReplicaSet")), queue: "draining"},
	} {
		t.Run(name, func(t *testing.T) {
			wanted := map[string]string{}
			for k, v := range tc.pod.Labels {
				wanted[k] = v
			}
			for k, v := range map[string]string{v1alpha1.QueueLabel: tc.queue, v1alpha1.ProjectLabel: tc.project} {
				if v != "" {
					wanted[k] = v
				}
			}
			if tc.scheduler == "" {
				tc.scheduler = v1alpha1.SchedulerName
			}
			require.NoError(t, admin.Create(t.Context(), tc.pod))
			require.Equal(t, len(wanted), len(tc.pod.Labels))
			for k, v := range wanted {
				require.Equal(t, v, tc.pod.Labels[k])
			}
			require.Equal(t, tc.scheduler, tc.pod.Spec.SchedulerName)
		})
	}
}

func TestPodsAreRefused(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for name, tc := range map[string]struct {
		pod      *corev1.Pod
		sentence string
	}{
		"unknown queue": {
			pod:      pod("free", labels(queueLabel("cpuu"))),
			sentence: `queue "cpuu" does not exist (did you mean "cpu"?): set label queueyard.io/queue to another queue, or create it (kubectl get queues lists those that exist)`,
		},
		"wrong agent": {
			pod:      pod("free", annotations(queueLabel("default/gpu"))),
			sentence: `queue "gpu" is served by agent "lab", not by "default": write gpu or lab.gpu`,
		},
		"label is not the annotation": {
			pod:      pod("free", labels(queueLabel("cpu")), annotations(queueLabel("gpu"))),
			sentence: `label queueyard.io/queue is "cpu" and the annotation of the same key is "gpu": set only one of them, or both to the same`,
		},
		"1,000 characters": {
			pod:      pod("free", annotations(queueLabel(long))),
			sentence: `annotation queueyard.io/queue: "` + long[:70] + `"... (1000 characters) names no queue: write QUEUE, AGENT.QUEUE or, as an annotation, AGENT/QUEUE; names have at most 63 lower-case letters, digits and dashes`,
		},
		"not allowed": {
			pod:      pod("speech", labels(queueLabel("gpu"))),
			sentence: `queue "gpu" is not allowed to project "speech", which may use "acme-*", "cpu": set label queueyard.io/queue to another queue`,
		},
		"two projects claim the namespace": {
			pod:      pod("shared"),
			sentence: `namespace "shared" is claimed by projects "speech", "vision": set label queueyard.io/project to one of them`,
		},
		"project of another namespace": {
			pod:      pod("free", labels(projectLabel("vision"))),
			sentence: `project "vision" does not claim namespace "free" (none does now): add the namespace to spec.namespaces of the project, or change label queueyard.io/project`,
		},
		"unknown project": {
			pod:      pod("vision", labels(projectLabel("visio"))),
			sentence: `project "visio" does not exist: set label queueyard.io/project to a project that claims namespace "vision" (those that do: "vision"), or remove the label`,
		},
		"draining": {
			pod:      pod("free", labels(queueLabel("draining"))),
			sentence: `queue "draining" is draining and takes no new operations: use another queue, or set its spec.state to Open`,
		},
		"node name": {
			pod:      pod("free", onNode("n1")),
			sentence: `spec.nodeName is "n1", but pods of namespace "free" get their node through a queue: remove spec.nodeName; to choose among nodes, set spec.nodeSelector or spec.affinity`,
		},
		"another scheduler": {
			pod:      pod("free", func(p *corev1.Pod) { p.Spec.SchedulerName = "mine" }),
			sentence: `spec.schedulerName is "mine", but pods of namespace "free" are scheduled by queueyard-scheduler: remove spec.schedulerName, or use a namespace without label queueyard.io/managed`,
		},
		"a mirror pod that no kubelet made": {
			pod:      pod("free", onNode("n1"), annotations(map[string]string{corev1.MirrorPodAnnotationKey: "x"})),
			sentence: `spec.nodeName is "n1", but pods of namespace "free" get their node through a queue: remove spec.nodeName; to choose among nodes, set spec.nodeSelector or spec.affinity`,
		},
		"a DaemonSet's pod that its controller did not make": {
			pod:      pod("free", onNode("n1"), ownedBy("DaemonSet")),
			sentence: `spec.nodeName is "n1", but pods of namespace "free" get their node through a queue: remove spec.nodeName; to choose among nodes, set spec.nodeSelector or spec.affinity`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			requireDenied(t, admin.Create(t.Context(), tc.pod), podsWebhook, tc.sentence)
		})
	}
}

func onNode(name string) edit { return func(p *corev1.Pod) { p.Spec.NodeName = name } }

func ownedBy(kind string) edit {
	return func(p *corev1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: "owner", UID: "0", Controller: ptr.To(true)}}
	}
}

func TestWhatNodesNeedIsLeftAlone(t *testing.T) {
	for name, tc := range map[string]struct {
		user   string
		groups []string
		pod    *corev1.Pod
	}{
		"DaemonSet": {
			user: "system:serviceaccount:kube-system:daemon-set-controller", groups: []string{"system:masters"},
			pod: pod("free", ownedBy("DaemonSet")),
		},
		"mirror": {
			user: "kubelet", groups: []string{"system:nodes", "system:masters"},
			pod: pod("free", onNode("n1"), annotations(map[string]string{corev1.MirrorPodAnnotationKey: "x"})),
		},
	} {
		t.Run(name, func(t *testing.T) {
			config := rest.CopyConfig(env.Config)
			config.Impersonate = rest.ImpersonationConfig{UserName: tc.user, Groups: tc.groups}
			as, err := clientOf(config)
			require.NoError(t, err)
			// A mirror pod may not use a service account.
			tc.pod.Spec.AutomountServiceAccountToken = ptr.To(false)
			require.NoError(t, as.Create(t.Context(), tc.pod))
			require.Empty(t, tc.pod.Labels)
			require.Equal(t, corev1.DefaultSchedulerName, tc.pod.Spec.SchedulerName)
		})
	}
}

func TestWaitingPodMoves(t *testing.T) {
	p := pod("free", labels(queueLabel("cpu")))
	require.NoError(t, admin.Create(t.Context(), p))

	p.Labels[v1alpha1.QueueLabel] = "gpu"
	require.NoError(t, admin.Update(t.Context(), p))
	require.Equal(t, "gpu", p.Labels[v1alpha1.QueueLabel])

	delete(p.Labels, v1alpha1.QueueLabel)
	require.NoError(t, admin.Update(t.Context(), p))
	require.Equal(t, "default", p.Labels[v1alpha1.QueueLabel], "without a label it is resolved anew")

	const webhook = "pod-changes.queueyard.io"
	p.Labels[v1alpha1.QueueLabel] = "draining"
	requireDenied(t, admin.Update(t.Context(), p), webhook,
		`queue "draining" is draining and takes no new operations: use another queue, or set its spec.state to Open`)
	p.Labels[v1alpha1.QueueLabel] = "none"
	requireDenied(t, admin.Update(t.Context(), p), webhook,
		`queue "none" does not exist: set label queueyard.io/queue to another queue, or create it (kubectl get queues lists those that exist)`)
}

func TestBoundPodStays(t *testing.T) {
	p := pod("free", labels(queueLabel("cpu")))
	require.NoError(t, admin.Create(t.Context(), p))

	err := bind(t, admin, p)
	requireDenied(t, err, "bindings.queueyard.io",
		`pod "`+p.Name+`" goes through a queue and is bound by queueyard-scheduler only, not by "sandbox-admin": let the scheduler place it, or raise the limits of its queue`)
	legacy := &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name}, Target: nodeReference}
	require.EqualError(t, admin.Create(t.Context(), legacy), err.Error(), "the older way to bind")
	require.NoError(t, bind(t, scheduler(t), p))
	require.NoError(t, admin.Get(t.Context(), client.ObjectKeyFromObject(p), p))

	const webhook = "pod-changes.queueyard.io"
	p.Labels[v1alpha1.QueueLabel] = "gpu"
	requireDenied(t, admin.Update(t.Context(), p), webhook,
		`label queueyard.io/queue may not change from "cpu" to "gpu": the pod is on node "n1" and counts against its queue and project until it ends; delete it and create it anew to move it`)
	delete(p.Labels, v1alpha1.QueueLabel)
	requireDenied(t, admin.Update(t.Context(), p), webhook,
		`label queueyard.io/queue may not change from "cpu" to "": the pod is on node "n1" and counts against its queue and project until it ends; delete it and create it anew to move it`)
	p.Labels = map[string]string{v1alpha1.QueueLabel: "cpu", "mine": "yes"}
	require.NoError(t, admin.Update(t.Context(), p), "other labels are free")
}

func TestOthersBindWhatIsNotInAQueue(t *testing.T) {
	p := pod("outside")
	require.NoError(t, admin.Create(t.Context(), p))
	require.NoError(t, bind(t, admin, p))
}

var nodeReference = corev1.ObjectReference{Kind: "Node", Name: "n1"}

func bind(t *testing.T, c client.Client, p *corev1.Pod) error {
	t.Helper()
	return c.SubResource("binding").Create(t.Context(), p, &corev1.Binding{Target: nodeReference})
}

// scheduler is a client with the identity of the scheduler of queues.
func scheduler(t *testing.T) client.Client {
	t.Helper()
	config, err := env.ConfigFor(t.Context(), systemNamespace, "queueyard-scheduler")
	require.NoError(t, err)
	c, err := clientOf(config)
	require.NoError(t, err)
	return c
}
