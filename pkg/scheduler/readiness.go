package scheduler

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// readiness is whether this replica could serve queues: it has seen the first of everything, and if it
// leads, the pump has looked at it once. A standby that has seen everything is ready, so that a rollout
// goes on.
type readiness struct {
	mu       sync.Mutex
	feeds    []feed
	troubles map[string]error // by resource, why it was not seen when that was last tried
	leads    bool
	serves   bool
}

// feed is one kind of objects that the ledger is made from.
type feed struct {
	resource string
	synced   cache.InformerSynced
}

func newReadiness() *readiness { return &readiness{troubles: map[string]error{}} }

// add has an informer tell the room of what it sees.
func (r *readiness) add(resource string, informer cache.SharedIndexInformer, handler cache.ResourceEventHandler) error {
	registration, err := informer.AddEventHandler(handler)
	if err != nil {
		return err
	}
	r.feeds = append(r.feeds, feed{resource, registration.HasSynced})
	return informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, reflector *cache.Reflector, err error) {
		r.mu.Lock()
		r.troubles[resource] = err
		r.mu.Unlock()
		cache.DefaultWatchErrorHandler(ctx, reflector, err)
	})
}

// synced waits for all feeds.
func (r *readiness) synced(stop <-chan struct{}) bool {
	var all []cache.InformerSynced
	for _, f := range r.feeds {
		all = append(all, f.synced)
	}
	return cache.WaitForCacheSync(stop, all...)
}

func (r *readiness) elected() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leads = true
}

func (r *readiness) serving() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.serves = true
}

// state is whether this replica is ready, and whether it leads.
func (r *readiness) state() (ready, leads bool) {
	ready = r.missing() == nil
	r.mu.Lock()
	defer r.mu.Unlock()
	return ready, r.leads
}

// missing says what this replica waits for, nil if it is ready.
func (r *readiness) missing() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var unseen, causes []string
	for _, f := range r.feeds {
		if f.synced() {
			continue
		}
		unseen = append(unseen, f.resource)
		if err := r.troubles[f.resource]; err != nil {
			cause := fmt.Sprintf("%s: %s", f.resource, err)
			if apierrors.IsNotFound(err) {
				cause += "; install its CustomResourceDefinition"
			}
			causes = append(causes, cause)
		}
	}
	switch {
	case len(unseen) > 0:
		said := "queues are not served: not yet seen are " + strings.Join(unseen, ", ")
		if len(causes) > 0 {
			said += " (" + strings.Join(causes, "; ") + ")"
		}
		return errors.New(said)
	case r.leads && !r.serves:
		return errors.New("queues are not served: this replica leads and has not yet seen what the leader before it placed")
	}
	return nil
}

// readyzPath is where kube-scheduler says whether it is ready.
const readyzPath = "/readyz"

// readyGate adds to kube-scheduler's readiness, which has no place for checks of others. The
// authorizer is the one part of its server that is handed in; an error of it is answered with status
// 500 and the sentence.
type readyGate struct {
	authorizer.Authorizer
	ready *readiness
}

// Authorize implements authorizer.Authorizer.
func (g readyGate) Authorize(ctx context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	if !a.IsResourceRequest() && a.GetPath() == readyzPath {
		if err := g.ready.missing(); err != nil {
			return authorizer.DecisionNoOpinion, "", err
		}
	}
	return g.Authorizer.Authorize(ctx, a)
}

// patientInformers has kube-scheduler wait for our feeds where it waits for its own: a replica that
// cannot see queues does not stand for election, and leaves the lead to one that can.
type patientInformers struct {
	informers.SharedInformerFactory
	ready *readiness
}

// WaitForCacheSync implements informers.SharedInformerFactory.
func (p patientInformers) WaitForCacheSync(stop <-chan struct{}) map[reflect.Type]bool {
	synced := p.SharedInformerFactory.WaitForCacheSync(stop)
	p.ready.synced(stop)
	return synced
}
