package dashboard

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	// changesEvery is how often a page is told what changed, at most.
	changesEvery = 500 * time.Millisecond
	// heartbeatEvery keeps proxies from closing a stream on which nothing happens, and finds out that its reader is gone.
	heartbeatEvery = 20 * time.Second
	// manyNames is how many names a message holds, of a kind, at most.
	manyNames = 50
	// anyName stands for more of them than a message holds.
	anyName = "*"
)

// changes tell listeners which objects changed.
type changes struct {
	mu        sync.Mutex
	listeners map[*listener]struct{}
}

func newChanges() *changes { return &changes{listeners: map[*listener]struct{}{}} }

// listener collects what changed until it is taken.
type listener struct {
	mu    sync.Mutex
	names map[string]map[string]struct{}
	ready chan struct{}
}

func (c *changes) listen() (*listener, func()) {
	l := &listener{names: map[string]map[string]struct{}{}, ready: make(chan struct{}, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listeners[l] = struct{}{}
	return l, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.listeners, l)
	}
}

func (c *changes) add(resource, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for l := range c.listeners {
		l.add(resource, name)
	}
}

func (l *listener) add(resource, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := l.names[resource]
	if names == nil {
		names = map[string]struct{}{}
		l.names[resource] = names
	}
	if _, any := names[anyName]; !any {
		if names[name] = struct{}{}; len(names) > manyNames {
			l.names[resource] = map[string]struct{}{anyName: {}}
		}
	}
	select {
	case l.ready <- struct{}{}:
	default:
	}
}

// take is what has changed since the last time, by resource; in order of the names.
func (l *listener) take() map[string][]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[string][]string{}
	for resource, names := range l.names {
		out[resource] = slices.Sorted(maps.Keys(names))
	}
	clear(l.names)
	return out
}

// events streams what changed: {"operations": ["team/train-1"], "queues": ["*"]}; "*" says that it was many.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	v, err := s.visitor(r)
	if err != nil {
		refuse(w, err)
		return
	}
	defer v.use()()
	l, leave := v.changes.listen()
	defer leave()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // proxies that buffer would hold it back
	stream := http.NewResponseController(w)
	if _, err := fmt.Fprint(w, "retry: 1000\nevent: ready\ndata: {}\n\n"); err != nil || stream.Flush() != nil {
		return
	}
	heartbeat := time.NewTicker(heartbeatEvery)
	defer heartbeat.Stop()
	ready, pause := l.ready, make(<-chan time.Time)
	for {
		message := ": still there"
		select {
		case <-r.Context().Done():
			return
		case <-v.ctx.Done():
			return
		case <-pause:
			ready = l.ready
			continue
		case <-heartbeat.C:
			// Whom the API server does not know any more is not told what goes on.
			if _, err := v.whoAmI(r.Context()); err != nil {
				return
			}
		case <-ready:
			data, _ := json.Marshal(l.take()) // of maps of strings
			message = "event: change\ndata: " + string(data)
			ready, pause = nil, time.After(changesEvery)
		}
		if _, err := fmt.Fprint(w, message+"\n\n"); err != nil || stream.Flush() != nil {
			return
		}
	}
}
