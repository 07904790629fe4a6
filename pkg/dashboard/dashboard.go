// Package dashboard serves the pages of Queueyard: a page in the browser, and beneath /api/v1 the data that it shows. All that
// it reads and does, it reads and does with the rights of whoever looks.
package dashboard

import (
	"context"
	"net/http"
	"time"

	"k8s.io/client-go/rest"
)

// Options say whom a server serves.
type Options struct {
	// Config reaches the cluster. Of a server for one person it carries that person's credentials; of one for many its
	// credentials are left out.
	Config *rest.Config
	// Visitors: many people use it, each with a token of their own. False: whoever started it does.
	Visitors bool
	// Hosts are the values of the Host header that are answered, HOST:PORT; nil: all.
	Hosts []string
	// Namespace that pages begin with; empty: all.
	Namespace string
	// ReadOnly: nothing can be done, only seen.
	ReadOnly bool
	// Now is the clock.
	Now func() time.Time
}

// Server answers the browser.
type Server struct {
	options  Options
	visitors *visitors
	doors    *doors
	shapes   shapes
	handler  http.Handler
}

// New is a server; what it caches ends with ctx.
func New(ctx context.Context, options Options) (*Server, error) {
	if options.Now == nil {
		options.Now = time.Now
	}
	s := &Server{options: options, visitors: newVisitors(ctx, options)}
	if !options.Visitors {
		s.doors = newDoors()
		if _, err := s.visitors.of(ownToken); err != nil {
			return nil, err
		}
	}
	s.handler = s.secured(s.routes())
	return s, nil
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// routes are all that is served. An answer of the API is data or an error; the pages are files.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/session", s.session)
	mux.HandleFunc("POST /api/v1/session", s.signIn)
	mux.HandleFunc("DELETE /api/v1/session", s.signOut)
	mux.HandleFunc("GET /api/v1/events", s.events)
	for pattern, answer := range map[string]func(*call) (any, error){
		"GET /api/v1/workflows":                             s.workflows,
		"GET /api/v1/workflows/{namespace}/{name}":          s.workflow,
		"GET /api/v1/workflows/{namespace}/{name}/sweep":    s.sweep,
		"GET /api/v1/overview":                              s.overview,
		"GET /api/v1/operations":                            s.operations,
		"GET /api/v1/queues/{name}":                         s.queue,
		"GET /api/v1/operations/{namespace}/{name}":         s.detail("operation"),
		"GET /api/v1/jobs/{namespace}/{name}":               s.detail("job"),
		"GET /api/v1/pods/{namespace}/{name}":               s.detail("pod"),
		"GET /api/v1/events/{kind}/{namespace}/{name}":      s.eventsOf,
		"GET /api/v1/pods/{namespace}/{name}/logs":          s.logs,
		"GET /api/v1/objects/{resource}/{namespace}/{name}": s.object,
		"GET /api/v1/tenants":                               s.tenants,
		"GET /api/v1/agents":                                s.agents,
		"GET /api/v1/namespaces":                            s.namespaces,
		"POST /api/v1/actions":                              s.act,
	} {
		mux.Handle(pattern, s.api(answer))
	}
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, http.StatusNotFound, "NotFound", "there is no "+r.Method+" "+r.URL.Path)
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.Handle("GET /assets/", http.StripPrefix("/assets/", assets))
	mux.HandleFunc("/", index)
	return mux
}
