package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	queueyard "github.com/queueyard/queueyard/pkg/client"
	"github.com/queueyard/queueyard/pkg/suggest"
)

// list is the command line of 'qy list'.
type list struct {
	shell    *Shell
	out      *output
	kinds    []kind
	asked    bool // for these kinds by name
	all      bool
	children bool
	queue    string
	project  string
	workflow string
	statuses []string
	selector string
	owner    string
	sortBy   string
	watch    bool
	// pods of Jobs, by the UID of the Job and their name, as far as pods are listed.
	pods map[types.UID]map[string]*corev1.Pod
}

func newList(s *Shell) *cobra.Command {
	l := &list{shell: s, out: s.newOutput()}
	cmd := &cobra.Command{
		Use:     "list [operations|workflows|jobs|pods]",
		Aliases: []string{"ls"},
		Short:   "List operations, workflows, and the Jobs and pods that are in queues by themselves",
		Long: `Lists operations and workflows, and the Jobs and pods that are in queues by themselves: not those that an operation runs as, nor the pods of a Job.
What is part of a workflow is left out unless --children or --workflow asks for it.`,
		Example: `  qy list --queue gpu --status queued,running
  qy list operations --workflow sweep --status failed -o wide
  qy list -A --sort-by priority --watch`,
		ValidArgs: []string{operationKind.plural, workflowKind.plural, jobKind.plural, podKind.plural},
		Args:      cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l.kinds = whatWaits
			if len(args) == 1 {
				k, ok := short[args[0]]
				if !ok {
					return fmt.Errorf("%q can't be listed%s: list operations, workflows, jobs or pods", args[0], suggest.DidYouMean(args[0], cmd.ValidArgs))
				}
				l.kinds, l.asked = []kind{k}, true
			}
			return l.run(cmd.Context())
		},
	}
	l.out.addTo(cmd)
	flags := cmd.Flags()
	flags.BoolVarP(&l.all, "all-namespaces", "A", false, "in all namespaces")
	flags.BoolVar(&l.children, "children", false, "also those that are part of a workflow")
	flags.StringVar(&l.queue, "queue", "", "only of this queue")
	flags.StringVar(&l.project, "project", "", "only of this project")
	flags.StringVar(&l.workflow, "workflow", "", "only what is part of this workflow, at any depth")
	flags.StringSliceVar(&l.statuses, "status", nil, "only in one of these statuses")
	flags.StringVarP(&l.selector, "label", "l", "", "only with these labels: a selector, as of kubectl")
	flags.StringVar(&l.owner, "owner", "", "only what NAME or KIND/NAME owns")
	flags.StringVar(&l.sortBy, "sort-by", "age", "order: "+strings.Join(slices.Sorted(maps.Keys(orders)), ", "))
	flags.BoolVarP(&l.watch, "watch", "w", false, "go on with every change, until interrupted")
	s.completeQueues(cmd, "queue")
	complete(cmd, "sort-by", slices.Sorted(maps.Keys(orders))...)
	complete(cmd, "status", statusNames()...)
	return cmd
}

func statusNames() []string {
	var names []string
	for _, s := range queueyard.AllStatuses {
		names = append(names, string(s))
	}
	return names
}

// entry is a row of the list.
type entry struct {
	client.Object
	queueyard.Progress
	queue, project, done, message string
	priority                      int32
}

func entryOf(o client.Object, pods ...*corev1.Pod) entry {
	e := entry{Object: o, Progress: queueyard.ProgressOf(o, pods...)}
	switch o := o.(type) {
	case *v1alpha1.Operation:
		e.queue, e.project, e.priority = cmp.Or(o.Status.Queue, o.Spec.Queue), cmp.Or(o.Status.Project, o.Spec.Project), o.Status.Priority
		if e.Phase == "" {
			e.priority = ptr.Deref(o.Spec.Priority, 0)
		}
		if o.Status.Attempt > 1 {
			e.done = fmt.Sprintf("attempt %d", o.Status.Attempt)
		}
	case *v1alpha1.Workflow:
		e.queue, e.project, e.priority, e.done = o.Spec.Queue, o.Spec.Project, ptr.Deref(o.Spec.Priority, 0), o.Status.Progress
	case *batchv1.Job:
		e.queue, e.project = mark(&o.Spec.Template, v1alpha1.QueueLabel), mark(&o.Spec.Template, v1alpha1.ProjectLabel)
		e.done = fmt.Sprintf("%d/%d", o.Status.Succeeded, ptr.Deref(o.Spec.Completions, 1))
	case *corev1.Pod:
		e.queue, e.project, e.priority = mark(o, v1alpha1.QueueLabel), mark(o, v1alpha1.ProjectLabel), ptr.Deref(o.Spec.Priority, 0)
	}
	if n := len(e.Timeline); n > 0 {
		e.message = e.Timeline[n-1].Message
	}
	for _, c := range e.Conditions {
		if (c.Type == v1alpha1.WaitingCondition || c.Type == v1alpha1.ProgressingCondition) && c.Status == metav1.ConditionFalse {
			e.message = c.Message
		}
	}
	return e
}

// entryOf what is listed, with the pods that are listed of it.
func (l *list) entryOf(o client.Object) entry {
	return entryOf(o, slices.Collect(maps.Values(l.pods[o.GetUID()]))...)
}

// note remembers a pod of a Job as it is now.
func (l *list) note(o client.Object, gone bool) {
	pod, is := o.(*corev1.Pod)
	owner := metav1.GetControllerOf(o)
	switch {
	case !is || owner == nil || owner.Kind != "Job":
	case gone:
		delete(l.pods[owner.UID], pod.Name)
	case l.pods[owner.UID] == nil:
		l.pods[owner.UID] = map[string]*corev1.Pod{pod.Name: pod}
	default:
		l.pods[owner.UID][pod.Name] = pod
	}
}

// mark is a label, or the annotation of the same key.
func mark(o metav1.Object, key string) string {
	return cmp.Or(o.GetLabels()[key], o.GetAnnotations()[key])
}

// byItself says of a Job or pod that it is in a queue, and is nothing that an operation runs as and no Job's pod.
func byItself(o client.Object) bool {
	switch o := o.(type) {
	case *batchv1.Job:
		// What was suspended when its namespace came to be managed keeps the scheduler of its template; its pods get ours.
		queued := o.Spec.Template.Spec.SchedulerName == v1alpha1.SchedulerName || o.Spec.Template.Labels[v1alpha1.ProjectLabel] != ""
		return queued && o.Labels[v1alpha1.OperationLabel] == ""
	case *corev1.Pod:
		owner := metav1.GetControllerOf(o)
		return o.Spec.SchedulerName == v1alpha1.SchedulerName && o.Labels[v1alpha1.OperationLabel] == "" && (owner == nil || owner.Kind != "Job")
	}
	return true
}

// orders sort the list. What is equal keeps the order of kinds and names.
var orders = map[string]func(a, b entry) int{
	"age": func(a, b entry) int { return a.GetCreationTimestamp().Compare(b.GetCreationTimestamp().Time) },
	"name": func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
	},
	"status": func(a, b entry) int {
		return cmp.Compare(slices.Index(queueyard.AllStatuses, a.Phase), slices.Index(queueyard.AllStatuses, b.Phase))
	},
	"queue":    func(a, b entry) int { return cmp.Compare(a.queue, b.queue) },
	"project":  func(a, b entry) int { return cmp.Compare(a.project, b.project) },
	"priority": func(a, b entry) int { return cmp.Compare(b.priority, a.priority) },
	"finished": func(a, b entry) int {
		return ptr.Deref(a.Finish, metav1.MicroTime{}).Compare(ptr.Deref(b.Finish, metav1.MicroTime{}).Time)
	},
}

func (l *list) run(ctx context.Context) error {
	if _, ok := orders[l.sortBy]; !ok {
		known := slices.Sorted(maps.Keys(orders))
		return fmt.Errorf("--sort-by %q is no order%s: choose one of %s", l.sortBy, suggest.DidYouMean(l.sortBy, known), strings.Join(known, ", "))
	}
	for _, name := range l.statuses {
		if !slices.Contains(queueyard.AllStatuses, v1alpha1.Status(name)) {
			return fmt.Errorf("--status %q is none%s: choose among %s", name, suggest.DidYouMean(name, statusNames()), strings.Join(statusNames(), ", "))
		}
	}
	selector, err := labels.Parse(l.selector)
	if err != nil {
		return fmt.Errorf("--label %q is no selector: %w", l.selector, err)
	}
	c, err := l.shell.cluster()
	if err != nil {
		return err
	}
	options := []client.ListOption{client.MatchingLabelsSelector{Selector: selector}}
	if !l.all {
		options = append(options, client.InNamespace(c.namespace))
	}
	entries, hidden, err := l.read(ctx, c, options)
	if err != nil {
		return err
	}
	if _, own := l.out.own(); !own && l.watch {
		return fmt.Errorf("--watch writes a table: leave -o %s out, or use kubectl get --watch", l.out.format)
	} else if !own {
		objects := make([]client.Object, len(entries))
		for i := range entries {
			objects[i] = entries[i].Object
		}
		return l.out.list(objects)
	}
	t, err := l.table(entries)
	if err != nil {
		return err
	}
	if l.watch {
		return l.follow(ctx, c, options, entries, t)
	}
	l.notes(ctx, c, len(entries), hidden)
	return nil
}

// notes say beside the table what is not in it.
func (l *list) notes(ctx context.Context, c *cluster, shown, hidden int) {
	place := "in namespace " + c.namespace
	if l.all {
		place = "in any namespace"
	}
	switch {
	case shown == 0 && hidden == 0:
		l.typos(ctx, c)
		fmt.Fprintf(l.shell.ErrOut, "Nothing is to be listed %s.\n", place)
	case hidden > 0:
		fmt.Fprintf(l.shell.ErrOut, "%s not shown: --children shows what is part of workflows.\n", count(hidden, "more is", "more are"))
	}
}

// typos say that a queue or project of which nothing is to be listed does not exist.
func (l *list) typos(ctx context.Context, c *cluster) {
	for _, asked := range []struct {
		kind kind
		name string
		into client.Object
	}{{queueKind, queueName(l.queue), &v1alpha1.Queue{}}, {projectKind, l.project, &v1alpha1.Project{}}} {
		if asked.name == "" || !apierrors.IsNotFound(c.Get(ctx, client.ObjectKey{Name: asked.name}, asked.into)) {
			continue
		}
		fmt.Fprintf(l.shell.ErrOut, "warning: %s\n", c.unknown(ctx, asked.name, asked.kind))
	}
}

// read lists what is asked for, and counts the children that are not.
func (l *list) read(ctx context.Context, c *cluster, options []client.ListOption) (entries []entry, hidden int, err error) {
	within, err := l.within(ctx, c)
	if err != nil {
		return nil, 0, err
	}
	var all []client.Object
	for _, k := range l.kinds {
		list := k.list()
		err := c.List(ctx, list, options...)
		if plain := k.singular == jobKind.singular || k.singular == podKind.singular; plain && !l.asked && apierrors.IsForbidden(err) {
			fmt.Fprintf(l.shell.ErrOut, "You may not list %s: they are left out.\n", k.plural)
			l.kinds = slices.DeleteFunc(slices.Clone(l.kinds), func(other kind) bool { return other.singular == k.singular })
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		all = append(all, items(list)...)
	}
	l.pods = map[types.UID]map[string]*corev1.Pod{}
	for _, o := range all {
		l.note(o, false)
	}
	for _, o := range all {
		e := l.entryOf(o)
		if !l.wants(e) || within != nil && !within(o) {
			continue
		}
		if l.isHidden(o) {
			hidden++
			continue
		}
		entries = append(entries, e)
	}
	order := orders[l.sortBy]
	slices.SortStableFunc(entries, func(a, b entry) int { return cmp.Or(order(a, b), orders["name"](a, b)) })
	return entries, hidden, nil
}

// isHidden: it is part of a workflow, and nobody asked for such.
func (l *list) isHidden(o client.Object) bool {
	return !l.children && l.workflow == "" && l.owner == "" && o.GetLabels()[v1alpha1.WorkflowUIDLabel] != ""
}

// items of a list.
func items(list client.ObjectList) []client.Object {
	var out []client.Object
	_ = meta.EachListItem(list, func(o runtime.Object) error {
		out = append(out, o.(client.Object))
		return nil
	})
	return out
}

func (l *list) wants(e entry) bool {
	switch {
	case !byItself(e.Object):
		return false
	case l.queue != "" && queueName(e.queue) != queueName(l.queue):
		return false
	case l.project != "" && e.project != l.project:
		return false
	case len(l.statuses) > 0 && !slices.Contains(l.statuses, string(e.Phase)):
		return false
	case l.owner != "" && !owns(l.owner, e.Object):
		return false
	}
	return true
}

// queueName is a reference AGENT/NAME without the agent.
func queueName(reference string) string {
	return reference[strings.LastIndexAny(reference, "/.")+1:]
}

// owns says whether NAME or KIND/NAME is an owner of an object.
func owns(owner string, o client.Object) bool {
	kind, name, ok := strings.Cut(owner, "/")
	if !ok {
		kind, name = "", owner
	}
	return slices.ContainsFunc(o.GetOwnerReferences(), func(r metav1.OwnerReference) bool {
		return r.Name == name && (kind == "" || strings.EqualFold(r.Kind, kind) || short[strings.ToLower(kind)].singular == strings.ToLower(r.Kind))
	})
}

// within tells what is part of the workflow that was asked for; nil: none was.
func (l *list) within(ctx context.Context, c *cluster) (func(client.Object) bool, error) {
	if l.workflow == "" {
		return nil, nil
	}
	root := &v1alpha1.Workflow{}
	if err := c.find(ctx, workflowKind, strings.TrimPrefix(l.workflow, "wf/"), root); err != nil {
		return nil, err
	}
	all := &v1alpha1.WorkflowList{}
	if err := c.List(ctx, all, client.InNamespace(c.namespace)); err != nil {
		return nil, err
	}
	parents := map[string]string{}
	for i := range all.Items {
		parents[string(all.Items[i].UID)] = all.Items[i].Labels[v1alpha1.WorkflowUIDLabel]
	}
	return func(o client.Object) bool {
		for uid := o.GetLabels()[v1alpha1.WorkflowUIDLabel]; uid != ""; uid = parents[uid] {
			if uid == string(root.UID) {
				return true
			}
		}
		return false
	}, nil
}

func (l *list) head() []column {
	head := columns("NAME", "STATUS", "QUEUE", "PROJECT", "PRIORITY", "PROGRESS", "FOR", "AGE")
	if l.all {
		head = append(columns("NAMESPACE"), head...)
	}
	return append(head, wide("MESSAGE")...)
}

func (l *list) row(e entry) []cell {
	s := l.shell
	lasts := ""
	if n := len(e.Timeline); n > 0 && e.Timeline[n-1].Status == e.Phase {
		lasts = lasting(s.Now().Sub(e.Timeline[n-1].Time.Time))
	}
	cells := row(queueyard.Title(e.Object), statusCell(e.Phase), e.queue, e.project, fmt.Sprint(e.priority), e.done, lasts,
		s.since(e.GetCreationTimestamp().Time), queueyard.OneLine(e.message))
	if l.all {
		cells = append(row(e.GetNamespace()), cells...)
	}
	return cells
}

func (l *list) table(entries []entry) (*table, error) {
	t := &table{columns: l.head()}
	for _, e := range entries {
		t.rows = append(t.rows, l.row(e))
	}
	if len(entries) == 0 && !l.watch {
		return t, nil
	}
	wide, _ := l.out.own()
	return t, l.out.table(t, wide)
}

// follow prints a line for every later version of what is listed.
func (l *list) follow(ctx context.Context, c *cluster, options []client.ListOption, shown []entry, t *table) error {
	within, err := l.within(ctx, c)
	if err != nil {
		return err
	}
	type change struct {
		client.Object
		gone bool
	}
	changes := make(chan change)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	versions := map[string]string{}
	for _, e := range shown {
		versions[string(e.GetUID())] = e.GetResourceVersion()
	}
	for _, k := range l.kinds {
		go func() {
			cancel(c.queueyard.Watch(ctx, k.list(), func(o client.Object, gone bool) (bool, error) {
				select {
				case changes <- change{o, gone}:
				case <-ctx.Done():
				}
				return false, nil
			}, options...))
		}()
	}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case x := <-changes:
			l.note(x.Object, x.gone)
			e := l.entryOf(x.Object)
			if x.gone {
				e.Phase, e.message = "deleted", ""
			}
			if versions[string(e.GetUID())] == e.GetResourceVersion() || !l.wants(e) || within != nil && !within(e.Object) || l.isHidden(e.Object) {
				continue
			}
			wide, _ := l.out.own()
			t.rows = [][]cell{l.row(e)}
			if err := t.write(l.shell, l.shell.Out, wide, false); err != nil {
				return err
			}
		}
	}
}
