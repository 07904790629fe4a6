package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/test/audit"
)

// tenants makes an organization and two projects that claim the case's namespace.
func tenants(s *scenario, main, fallback string) (own, inherits string) {
	organization := &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: s.agent}, Spec: v1alpha1.OrganizationSpec{DefaultQueue: fallback}}
	here := v1alpha1.ProjectNamespaces{Names: []string{s.namespace}}
	p := &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: s.agent + "-own"},
		Spec: v1alpha1.ProjectSpec{Organization: organization.Name, DefaultQueue: main, AllowedQueues: []string{main}, Namespaces: here}}
	i := &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: s.agent + "-inherits"},
		Spec: v1alpha1.ProjectSpec{Organization: organization.Name, Namespaces: here}}
	s.create(organization, p, i)
	return p.Name, i.Name
}

func TestTenancy(t *testing.T) {
	s := begin(t, "tenancy")
	main, fallback, other := s.queue("main"), s.queue("fallback"), s.queue("other")
	own, inherits := tenants(s, main, fallback)

	label := func(queue, project string) map[string]string {
		labels := map[string]string{}
		if queue != "" {
			labels[v1alpha1.QueueLabel] = queue
		}
		if project != "" {
			labels[v1alpha1.ProjectLabel] = project
		}
		return labels
	}
	for _, c := range []struct {
		name        string
		labels      map[string]string
		annotations map[string]string
		template    func(*corev1.PodTemplateSpec)
		queue       string // stamped, or
		refusal     string
	}{
		{name: "project-default", labels: label("", own), queue: main},
		{name: "organization-default", labels: label("", inherits), queue: fallback},
		{name: "own-queue", labels: label(other, inherits), queue: other},
		{name: "annotation", labels: label("", inherits), annotations: map[string]string{v1alpha1.QueueLabel: s.agent + "/" + other}, queue: other},
		{name: "not-allowed", labels: label(other, own),
			refusal: `queue "` + other + `" is not allowed to project "` + own + `", which may use "` + main + `": set label queueyard.io/queue to another queue`},
		{name: "ambiguous", labels: label(main, ""),
			refusal: `namespace "` + s.namespace + `" is claimed by projects "` + inherits + `", "` + own + `": set label queueyard.io/project to one of them`},
		{name: "unknown-queue", labels: label(other+"s", inherits),
			refusal: `queue "` + other + `s" does not exist (did you mean "` + other + `"?)`},
		{name: "unknown-project", labels: label("", "nobody"),
			refusal: `project "nobody" does not exist: set label queueyard.io/project to a project that claims namespace "` + s.namespace + `"`},
		{name: "wrong-agent", labels: label("default."+other, inherits),
			refusal: `queue "` + other + `" is served by agent "` + s.agent + `", not by "default": write ` + other},
		{name: "contradiction", labels: label(main, own), annotations: map[string]string{v1alpha1.QueueLabel: other},
			refusal: "queueyard.io/queue"},
		{name: "node-given", labels: label("", own), template: func(t *corev1.PodTemplateSpec) { t.Spec.NodeName = "sim-0" },
			refusal: `spec.nodeName is "sim-0", but pods of namespace "` + s.namespace + `" get their node through a queue: remove spec.nodeName`},
		{name: "other-scheduler", labels: label("", own), template: func(t *corev1.PodTemplateSpec) { t.Spec.SchedulerName = "mine" },
			refusal: `spec.schedulerName is "mine", but pods of namespace "` + s.namespace + `" are scheduled by queueyard-scheduler: remove spec.schedulerName`},
	} {
		t.Run(c.name, func(t *testing.T) {
			template := simulated("1")
			if c.template != nil {
				c.template(&template)
			}
			job := s.job(c.name, "", template)
			job.Labels, job.Annotations = c.labels, c.annotations
			pod := s.pod(c.name, "", template)
			pod.Labels = c.labels
			for k, v := range c.annotations {
				pod.Annotations[k] = v
			}
			for _, o := range []client.Object{job, pod} {
				err := s.objects.Create(t.Context(), o)
				if c.refusal != "" {
					require.ErrorContains(t, err, c.refusal)
					continue
				}
				require.NoError(t, err)
				require.Equal(t, c.queue, o.GetLabels()[v1alpha1.QueueLabel])
			}
			if c.refusal == "" {
				require.Equal(t, v1alpha1.SchedulerName, job.Spec.Template.Spec.SchedulerName)
				s.eventually("Job "+c.name+" succeeds", func() (bool, any) {
					done := &batchv1.Job{}
					err := s.objects.Get(t.Context(), client.ObjectKeyFromObject(job), done)
					return err == nil && done.Status.Succeeded == 1, done.Status
				})
			}
		})
	}
}

// The limits of a project and of an organization bind like those of a queue.
func TestTenantLimits(t *testing.T) {
	s := begin(t, "tenant-limits")
	main, fallback := s.queue("main"), s.queue("fallback")
	own, inherits := tenants(s, main, fallback)
	edit(s, &v1alpha1.Project{}, own, func(p *v1alpha1.Project) { p.Spec.Concurrency = new(int32(2)) })
	edit(s, &v1alpha1.Organization{}, s.agent, func(o *v1alpha1.Organization) { o.Spec.Concurrency = new(int32(5)) })
	var all []client.Object
	for i, project := range []string{own, inherits} {
		for range 12 {
			job := s.job("", "", simulated("1"))
			job.GenerateName = []string{"own-", "inherits-"}[i]
			job.Labels = map[string]string{v1alpha1.ProjectLabel: project}
			all = append(all, job)
		}
	}
	s.createTogether(all)
	s.until("all succeed", main, succeed(12))
	s.until("all succeed", fallback, succeed(12))
	require.LessOrEqual(t, s.peak(main), 2)
	require.LessOrEqual(t, s.peak(fallback), 5)
}

// A namespace that is not managed: nothing is stamped or refused, and who names the scheduler and a
// queue is served all the same, or held and told why.
func TestUnmanagedNamespace(t *testing.T) {
	s := beginWith(t, "unmanaged", false, audit.DefaultConfig())
	q, shut := s.queue("q", seats(1)), s.queue("shut", seats(0))
	ours := func(name, queue string) *corev1.Pod {
		p := s.pod(name, queue, simulated("1"))
		p.Spec.SchedulerName = v1alpha1.SchedulerName
		return p
	}
	annotated := ours("annotated", "")
	annotated.Annotations[v1alpha1.QueueLabel] = s.agent + "/" + q
	s.create(ours("labelled", q), annotated, ours("held", q+"x"), ours("relabelled", shut), ours("unlabelled", shut))
	succeeded := func(name string) {
		t.Helper()
		s.eventually("pod "+name+" succeeds", func() (bool, any) {
			p := s.get(name)
			return p.Status.Phase == corev1.PodSucceeded, p.Status
		})
	}
	succeeded("labelled")
	succeeded("annotated")
	require.Contains(t, s.says("held", "UnknownQueue"), `queue "`+q+`x" does not exist`)
	s.says("relabelled", "NeverFits")

	// Moved by a label, a waiting pod is served where it goes; one without a label goes to the default queue.
	edit(s, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace}}, "relabelled", func(p *corev1.Pod) { p.Labels[v1alpha1.QueueLabel] = q })
	succeeded("relabelled")
	edit(s, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace}}, "unlabelled", func(p *corev1.Pod) { delete(p.Labels, v1alpha1.QueueLabel) })
	succeeded("unlabelled")

	// A label taken from a running pod frees nothing: the audit would see a second one beside it.
	running := ours("running", q)
	running.Annotations["sandbox.queueyard.io/duration"] = "600s"
	s.create(running)
	s.until("it runs", q, func(c counts) bool { return c.running == 1 })
	s.create(ours("behind", q))
	edit(s, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace}}, "running", func(p *corev1.Pod) { delete(p.Labels, v1alpha1.QueueLabel) })
	require.Contains(t, s.says("behind", "QueueFull"), "queue "+q+": 1/1 operations running")
	s.create(ours("after", ""))
	succeeded("after")
	require.Empty(t, s.get("behind").Spec.NodeName)
	require.NoError(t, s.objects.Delete(t.Context(), s.get("running")))
	succeeded("behind")

	// Another scheduler's pod is none of ours.
	stock := s.pod("stock", q, simulated("1"))
	s.create(stock)
	require.Equal(t, corev1.DefaultSchedulerName, stock.Spec.SchedulerName)
}
