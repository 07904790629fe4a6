package certificate

import (
	"net/http"
	"path"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
)

// byName is a manager whose config lists and watches single objects. The rotator has a cache of its own, which takes no
// selector, and a role can hold a list to a name only where the list says it.
type byName struct {
	ctrl.Manager
	names map[string]string // by resource
}

// GetConfig implements ctrl.Manager.
func (m byName) GetConfig() *rest.Config {
	config := rest.CopyConfig(m.Manager.GetConfig())
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return selecting{next, m.names} })
	return config
}

type selecting struct {
	http.RoundTripper
	names map[string]string
}

// RoundTrip implements http.RoundTripper. The path of a list or watch ends with the resource.
func (s selecting) RoundTrip(req *http.Request) (*http.Response, error) {
	if name := s.names[path.Base(req.URL.Path)]; name != "" && req.Method == http.MethodGet {
		req = req.Clone(req.Context())
		query := req.URL.Query()
		query.Set("fieldSelector", fields.OneTermEqualSelector("metadata.name", name).String())
		req.URL.RawQuery = query.Encode()
	}
	return s.RoundTripper.RoundTrip(req)
}
