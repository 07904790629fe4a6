package scheduler

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	podgroups "sigs.k8s.io/scheduler-plugins/apis/scheduling/v1alpha1"

	api "github.com/queueyard/queueyard/pkg/apis/visibility/v1alpha1"
	"github.com/queueyard/queueyard/pkg/ledger"
	"github.com/queueyard/queueyard/pkg/visibility"
)

// window looks into the room for those who ask. It holds the room's lock for short moments only: what
// it reads there it turns into answers outside.
type window struct {
	room *Room
	pods corelisters.PodLister
	// byName finds pods by the names that their operation may have.
	byName cache.Indexer
}

var _ visibility.Source = (*window)(nil)

const (
	// pageAtOnce and podsAtOnce bound what is read in one hold of the lock.
	pageAtOnce = 100
	podsAtOnce = 1000
)

// namesIndex finds pods by namespace and any name their operation may have: that of their controller,
// their PodGroup, and their own.
const namesIndex = "queueyard.io/names"

// newWindow must be called before the informer starts.
func (r *Room) newWindow(pods cache.SharedIndexInformer) (*window, error) {
	err := pods.AddIndexers(cache.Indexers{namesIndex: func(obj any) ([]string, error) {
		pod, ok := obj.(*v1.Pod)
		if !ok || !r.serves(pod) {
			return nil, nil
		}
		names := []string{pod.Namespace + "/" + pod.Name}
		if owner := metav1.GetControllerOfNoCopy(pod); owner != nil {
			names = append(names, pod.Namespace+"/"+owner.Name)
		}
		if group := pod.Labels[podgroups.PodGroupLabel]; group != "" {
			names = append(names, pod.Namespace+"/"+group)
		}
		return names, nil
	}})
	if err != nil {
		return nil, fmt.Errorf("indexing pods by the names of their operations: %w", err)
	}
	return &window{r, corelisters.NewPodLister(pods.GetIndexer()), pods.GetIndexer()}, nil
}

// open is nil where this replica is the one to ask.
func (w *window) open() error {
	if w.room.serving.Load() {
		return nil
	}
	return visibility.Unavailable("this replica of the scheduler does not lead, or has not seen everything yet; ask again in a few seconds")
}

// PendingOperations is a page of a queue's line.
func (w *window) PendingOperations(queue, from string, limit int) (*api.PendingOperationList, error) {
	if err := w.open(); err != nil {
		return nil, err
	}
	place, err := decodePlace(queue, from)
	if err != nil {
		return nil, err
	}
	list := &api.PendingOperationList{Queue: queue, Items: []api.PendingOperation{}}
	listed := map[string]bool{}
	for {
		line, pods, ok := w.read(queue, place, min(limit-len(list.Items), pageAtOnce), listed)
		if !ok {
			return nil, visibility.NotFound(api.QueuesResource, queue, "queue %s does not exist; kubectl get queues lists those that do", queue)
		}
		list.Waiting, list.NeverFit, list.BackingOff = int32(line.Waiting), int32(line.Never), int32(line.BackingOff)
		for i := range line.Waiters {
			if pods[i].pod != nil {
				list.Items = append(list.Items, pendingOperation(&line.Waiters[i], pods[i]))
			}
		}
		if place = line.Next; place == (ledger.Place{}) {
			return list, nil
		}
		if len(list.Items) >= limit {
			list.Continue = encodePlace(queue, place)
			return list, nil
		}
	}
}

// known is what the room knows of a pod, to be used outside the lock: pods in it are not changed.
type known struct {
	pod  *v1.Pod
	gang gang
}

func (w *window) read(queue string, after ledger.Place, max int, listed map[string]bool) (ledger.Line, []known, bool) {
	r := w.room
	r.mu.Lock()
	defer r.mu.Unlock()
	line, ok := r.ledger.Waiting(queue, after, max, listed)
	pods := make([]known, len(line.Waiters))
	for i := range line.Waiters {
		pods[i] = r.known(line.Waiters[i].Place.UID)
	}
	return line, pods, ok
}

func (r *Room) known(uid string) known {
	if e := r.entries[types.UID(uid)]; e != nil {
		return known{e.pod, e.gang}
	}
	return known{}
}

func pendingOperation(waiter *ledger.Waiter, k known) api.PendingOperation {
	ref := k.operation()
	p := api.PendingOperation{
		ObjectMeta: metav1.ObjectMeta{Namespace: k.pod.Namespace, Name: ref.Name, CreationTimestamp: k.pod.CreationTimestamp},
		Kind:       ref.Kind,
		Pod:        k.pod.Name,
		Pods:       int32(waiter.Pods),
		Position:   int32(waiter.Position),
		Priority:   waiter.Priority,
		Reason:     string(waiter.Reason),
		Message:    waiter.Message(),
	}
	if c := waiter.Blocking(); c != nil {
		p.BlockedBy = new(check(c))
	}
	return p
}

// operation names what a pod shares a seat with, as operationOf does for the ledger.
func (k known) operation() api.OperationReference {
	owner := metav1.GetControllerOfNoCopy(k.pod)
	switch {
	case k.gang.operation != "" && operationOf(k.pod, k.gang) == k.gang.operation:
		return api.OperationReference{Kind: "PodGroup", Name: k.pod.Labels[podgroups.PodGroupLabel]}
	case owner != nil:
		return api.OperationReference{Kind: owner.Kind, Name: owner.Name}
	}
	return api.OperationReference{Kind: "Pod", Name: k.pod.Name}
}

// ExplainPod explains one pod.
func (w *window) ExplainPod(namespace, name string, sees func(queue string) bool) (*api.Explanation, error) {
	if err := w.open(); err != nil {
		return nil, err
	}
	pod, err := w.pods.Pods(namespace).Get(name)
	switch {
	case apierrors.IsNotFound(err):
		return nil, visibility.NotFound(api.PodsResource, name, "no pod %s in namespace %s waits or runs; it may be over, or not created yet", name, namespace)
	case err != nil:
		return nil, err
	case !w.room.serves(pod):
		return nil, visibility.NotFound(api.PodsResource, name,
			"pod %s in namespace %s is placed by scheduler %s and stands in no queue; label the namespace queueyard.io/managed=true to have its new pods queued",
			name, namespace, pod.Spec.SchedulerName)
	}
	candidates := []*v1.Pod{pod}
	if k := w.knownPod(pod); k.pod != nil {
		candidates = w.members(namespace, k.operation())
	}
	return w.explain(pod, candidates, name, sees)
}

// ExplainOperation explains the pod of an operation that goes first.
func (w *window) ExplainOperation(namespace, kind, name string, sees func(queue string) bool) (*api.Explanation, error) {
	if err := w.open(); err != nil {
		return nil, err
	}
	byKind := map[string]api.OperationReference{}
	var part api.OperationReference // of which a pod of that name is
	for _, pod := range w.named(namespace, name) {
		ref := w.knownPod(pod).operationOr(pod)
		owner := metav1.GetControllerOfNoCopy(pod)
		switch {
		case ref.Name == name && (kind == "" || kind == ref.Kind):
			byKind[ref.Kind] = ref
		case owner != nil && owner.Name == name && (kind == "" || kind == owner.Kind): // the pods of a Job are a gang
			byKind[owner.Kind] = ref
		case pod.Name == name:
			part = ref
		}
	}
	if len(byKind) > 1 {
		return nil, visibility.Bad("several operations in namespace %s have the name %s; add ?operationKind= with one of %v",
			namespace, name, slices.Sorted(maps.Keys(byKind)))
	}
	for _, ref := range byKind {
		members := w.members(namespace, ref)
		if first := w.first(members); first != nil {
			return w.explain(first, members, name, sees)
		}
	}
	if part.Name != "" {
		return nil, visibility.NotFound(api.OperationsResource, name,
			"%s in namespace %s is a pod of %s %s; ask for pods/%s/%s or operations/%s/%s",
			name, namespace, part.Kind, part.Name, name, api.ExplanationResource, part.Name, api.ExplanationResource)
	}
	what := "an operation"
	if kind != "" {
		what = kind
	}
	return nil, visibility.NotFound(api.OperationsResource, name,
		"no pod of %s %s in namespace %s waits or runs in a queue; it may be over, have no pods yet, or be placed by another scheduler", what, name, namespace)
}

// named are the pods whose operation may have a name.
func (w *window) named(namespace, name string) []*v1.Pod {
	objects, err := w.byName.ByIndex(namesIndex, namespace+"/"+name)
	if err != nil {
		return nil // there is that index
	}
	pods := make([]*v1.Pod, 0, len(objects))
	for _, o := range objects {
		pods = append(pods, o.(*v1.Pod))
	}
	return pods
}

// members are the pods of an operation, in the order in which they go.
func (w *window) members(namespace string, ref api.OperationReference) []*v1.Pod {
	pods := slices.DeleteFunc(w.named(namespace, ref.Name), func(pod *v1.Pod) bool { return w.knownPod(pod).operationOr(pod) != ref })
	slices.SortFunc(pods, func(a, b *v1.Pod) int {
		return cmp.Or(
			cmp.Compare(priorityOf(b), priorityOf(a)),
			a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
			cmp.Compare(a.UID, b.UID))
	})
	return pods
}

// knownPod is what the room knows of a pod.
func (w *window) knownPod(pod *v1.Pod) known {
	w.room.mu.Lock()
	defer w.room.mu.Unlock()
	return w.room.known(string(pod.UID))
}

// operationOr is the operation of a pod that the room may not know yet.
func (k known) operationOr(pod *v1.Pod) api.OperationReference {
	if k.pod == nil {
		k.pod = pod
	}
	return k.operation()
}

// first is the pod to explain of an operation: the first that waits, else the first that holds room,
// else the first.
func (w *window) first(members []*v1.Pod) *v1.Pod {
	var found *v1.Pod
	rank := 0
	for i, state := range w.states(members) {
		better := 1
		switch {
		case state == ledger.Waiting:
			return members[i]
		case state.Holds():
			better = 2
		}
		if better > rank {
			found, rank = members[i], better
		}
	}
	return found
}

// states says where pods stand, few at a time.
func (w *window) states(pods []*v1.Pod) []ledger.State {
	states := make([]ledger.State, 0, len(pods))
	for chunk := range slices.Chunk(pods, podsAtOnce) {
		w.room.mu.Lock()
		for _, pod := range chunk {
			states = append(states, w.room.ledger.State(string(pod.UID)))
		}
		w.room.mu.Unlock()
	}
	return states
}

// explain says why a pod stands where it stands.
func (w *window) explain(pod *v1.Pod, members []*v1.Pod, name string, sees func(queue string) bool) (*api.Explanation, error) {
	view, ok := w.room.view(pod.UID)
	if !ok {
		return nil, visibility.NotFound(api.PodsResource, pod.Name, "pod %s in namespace %s is over, or not seen yet; ask again in a moment", pod.Name, pod.Namespace)
	}
	why := &view.why
	x := &api.Explanation{
		ObjectMeta:      metav1.ObjectMeta{Namespace: pod.Namespace, Name: name, CreationTimestamp: pod.CreationTimestamp},
		Operation:       view.operation(),
		Pod:             pod.Name,
		State:           view.state,
		Reason:          view.reason,
		Message:         view.message,
		Queue:           why.Queue,
		Agent:           why.Agent,
		Project:         why.Project,
		Organization:    why.Organization,
		Priority:        priorityOf(view.pod),
		Position:        int32(why.Position),
		Waiting:         int32(why.Waiting),
		OperationsAbove: int32(why.Above),
		Facts:           why.Facts,
	}
	for _, state := range w.states(members) {
		switch state {
		case ledger.Waiting:
			x.Pods.Waiting++
		case ledger.Suspended:
			x.Pods.BackingOff++
		case ledger.Admitted:
			x.Pods.Admitted++
		case ledger.Running:
			x.Pods.Running++
		}
	}
	for i := range why.Checks {
		x.Checks = append(x.Checks, check(&why.Checks[i]))
	}
	if view.blocking != nil {
		x.Holders = shown(view, pod.Namespace, sees)
	}
	x.EstimatedStart = view.estimate()
	return x, nil
}

// maxHolders bounds the holders that are named.
const maxHolders = 20

// shown are the holders whose names may be seen.
func shown(v *view, namespace string, sees func(queue string) bool) *api.Holders {
	out := &api.Holders{Limit: limitReference(v.blocking), Operations: int32(len(v.holders))}
	slices.SortFunc(v.holders, func(a, b holder) int {
		return cmp.Or(
			compareEnds(a.ends, b.ends),
			cmp.Compare(b.amount, a.amount),
			cmp.Compare(a.pod.Namespace, b.pod.Namespace),
			cmp.Compare(a.pod.Name, b.pod.Name))
	})
	for i := range v.holders {
		h := &v.holders[i]
		switch {
		case h.pod.Namespace != namespace && !sees(h.queue):
			out.Hidden++
		case len(out.Items) < maxHolders:
			item := api.Holder{
				Namespace:          h.pod.Namespace,
				OperationReference: h.operation(),
				Queue:              h.queue,
				Amount:             quantity(v.blocking.Resource, h.amount),
				Pods:               int32(h.pods),
			}
			if !h.ends.IsZero() {
				item.EndsBy = &metav1.Time{Time: h.ends}
			}
			out.Items = append(out.Items, item)
		}
	}
	return out
}

func check(c *ledger.Check) api.Check {
	out := api.Check{
		LimitReference: limitReference(c),
		Limit:          quantity(c.Resource, c.Limit),
		Used:           quantity(c.Resource, c.Used),
		Need:           quantity(c.Resource, c.Need),
		KeptFor:        c.KeptFor,
		OK:             c.OK,
	}
	if c.Held > 0 {
		out.Held = new(quantity(c.Resource, c.Held))
	}
	if c.Whole > 0 {
		out.Whole = new(quantity(c.Resource, c.Whole))
	}
	if c.Kept > 0 {
		out.Kept = new(quantity(c.Resource, c.Kept))
	}
	return out
}

func limitReference(c *ledger.Check) api.LimitReference {
	kind := [...]string{ledger.Queue: "Queue", ledger.Agent: "Agent", ledger.Project: "Project", ledger.Organization: "Organization", ledger.Workflow: "Workflow"}[c.Kind]
	return api.LimitReference{Kind: kind, Name: c.DisplayName(), Resource: c.Resource}
}

// quantity is an amount as the API writes it; no resource is seats.
func quantity(name string, amount int64) resource.Quantity {
	return resource.MustParse(ledger.FormatAmount(name, amount))
}

// placeToken is a place in a queue's line as continue says it.
type placeToken struct {
	Queue    string `json:"q"`
	Group    int    `json:"g"`
	Priority int64  `json:"p"`
	Created  int64  `json:"c"`
	UID      string `json:"u"`
}

func encodePlace(queue string, p ledger.Place) string {
	data, err := json.Marshal(placeToken{queue, p.Group(), p.Priority, p.Created, p.UID})
	if err != nil {
		panic(err) // strings and numbers
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

func decodePlace(queue, token string) (ledger.Place, error) {
	if token == "" {
		return ledger.Place{}, nil
	}
	var t placeToken
	data, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil {
		err = json.Unmarshal(data, &t)
	}
	if err != nil || t.Queue != queue || t.UID == "" {
		return ledger.Place{}, visibility.Bad("continue is not one that this queue's pages gave; begin again without it")
	}
	return ledger.PlaceOf(t.Group, t.Priority, t.Created, t.UID), nil
}
