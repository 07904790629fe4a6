package dashboard

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	queueyard "github.com/queueyard/queueyard/pkg/client"
)

const (
	// idleAfter is how long what was cached for a visitor is kept when nobody looks.
	idleAfter = 10 * time.Minute
	// trustFor is how long an answer of the API server about rights is believed.
	trustFor = 30 * time.Second
)

// visitors are those who look, by the hash of what they are known by.
type visitors struct {
	ctx      context.Context
	config   *rest.Config
	withOwn  bool
	now      func() time.Time
	mu       sync.Mutex
	byTicket map[[sha256.Size]byte]*visitor
}

// ownToken stands for the credentials that the server was started with.
const ownToken = ""

func newVisitors(ctx context.Context, options Options) *visitors {
	vs := &visitors{ctx: ctx, config: rest.CopyConfig(options.Config), withOwn: !options.Visitors, now: options.Now, byTicket: map[[sha256.Size]byte]*visitor{}}
	if options.Visitors {
		vs.config = rest.AnonymousClientConfig(options.Config)
	}
	vs.config.QPS, vs.config.Burst = 50, 300
	go vs.dropIdleUntilDone()
	return vs
}

// of is the visitor that a token belongs to. Whether the API server knows the token is not asked here.
func (vs *visitors) of(token string) (*visitor, error) {
	ticket := sha256.Sum256([]byte(token))
	vs.mu.Lock()
	defer vs.mu.Unlock()
	if v := vs.byTicket[ticket]; v != nil {
		return v, nil
	}
	config := vs.config
	if !vs.withOwn {
		config = rest.CopyConfig(vs.config)
		config.BearerToken = token
	}
	qy, err := queueyard.New(config)
	if err != nil {
		return nil, err
	}
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(vs.ctx)
	qy.FieldManager = fieldManager
	v := &visitor{WithWatch: qy.Objects, qy: qy, kube: kube, ctx: ctx, stop: stop, now: vs.now, used: vs.now(),
		caches: map[cacheKey]*cached{}, rights: map[authorizationv1.ResourceAttributes]right{}, changes: newChanges()}
	vs.byTicket[ticket] = v
	return v, nil
}

// forget drops what is cached for a token.
func (vs *visitors) forget(token string) {
	ticket := sha256.Sum256([]byte(token))
	vs.mu.Lock()
	defer vs.mu.Unlock()
	if v := vs.byTicket[ticket]; v != nil {
		v.stop()
		delete(vs.byTicket, ticket)
	}
}

func (vs *visitors) dropIdleUntilDone() {
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	for {
		select {
		case <-vs.ctx.Done():
			return
		case <-ticker.C:
			vs.dropIdle()
		}
	}
}

// dropIdle drops the caches of those who have not looked for long.
func (vs *visitors) dropIdle() {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	for ticket, v := range vs.byTicket {
		if v.idleSince(vs.now().Add(-idleAfter)) {
			v.stop()
			delete(vs.byTicket, ticket)
		}
	}
}

// visitor is somebody who looks: a client with their rights, and what was cached with these.
type visitor struct {
	client.WithWatch
	qy      *queueyard.Client
	kube    kubernetes.Interface
	ctx     context.Context
	stop    context.CancelFunc
	now     func() time.Time
	changes *changes

	mu      sync.Mutex
	used    time.Time
	looking int
	caches  map[cacheKey]*cached
	rights  map[authorizationv1.ResourceAttributes]right
	user    *authenticationv1.UserInfo
	asked   time.Time
}

type right struct {
	allowed bool
	asked   time.Time
}

// use says that the visitor is here until the function that it returns is called.
func (v *visitor) use() func() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.looking++
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.looking--
		v.used = v.now()
	}
}

func (v *visitor) idleSince(t time.Time) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.looking == 0 && v.used.Before(t)
}

// get reads an object from the API server, as it is now.
func (v *visitor) get(ctx context.Context, namespace, name string, into client.Object) error {
	return v.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, into)
}

// whoAmI is who the API server takes the visitor for; an error if it does not know them (any more).
func (v *visitor) whoAmI(ctx context.Context) (*authenticationv1.UserInfo, error) {
	v.mu.Lock()
	user, asked := v.user, v.asked
	v.mu.Unlock()
	if user != nil && v.now().Sub(asked) < trustFor {
		return user, nil
	}
	review, err := v.kube.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.user, v.asked = &review.Status.UserInfo, v.now()
	return v.user, nil
}

// may says whether the API server lets the visitor do something.
func (v *visitor) may(ctx context.Context, what authorizationv1.ResourceAttributes) (bool, error) {
	v.mu.Lock()
	known, ok := v.rights[what]
	v.mu.Unlock()
	if ok && v.now().Sub(known.asked) < trustFor {
		return known.allowed, nil
	}
	review, err := v.kube.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &what},
	}, metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.rights[what] = right{review.Status.Allowed, v.now()}
	return review.Status.Allowed, nil
}

// forbidden is the error of a list that the visitor may not read.
func forbidden(k *kind, namespace string) error {
	remedy := "may not list " + k.resource + " in all namespaces: choose one in which you may"
	switch {
	case !k.namespaced:
		remedy = "may not list " + k.resource + ": the ClusterRole queueyard-viewer lets you"
	case namespace != "":
		remedy = "may not list " + k.resource + " in namespace " + namespace + ": the ClusterRole view lets you there"
	}
	e := apierrors.NewForbidden(schema.GroupResource{Group: k.group, Resource: k.resource}, "", nil)
	e.ErrStatus.Message = "you " + remedy
	return e
}
