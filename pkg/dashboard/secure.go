package dashboard

import (
	"net/http"
	"slices"
)

// secured wraps a handler in what keeps others out: a page of another site can neither read, nor do, nor frame anything here,
// and a name that was made to lead to this machine is not answered.
func (s *Server) secured(next http.Handler) http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	crossOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeError(w, http.StatusForbidden, "CrossOrigin", "a page of another origin asked for this")
	}))
	next = crossOrigin.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("Cache-Control", "no-store")
		if s.options.Hosts != nil && !slices.Contains(s.options.Hosts, r.Host) {
			writeError(w, http.StatusMisdirectedRequest, "UnknownHost", "this is not the host "+r.Host)
			return
		}
		// Even where browsers send no Sec-Fetch-Site: what another origin reads is refused, too.
		if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" && r.Header.Get("Sec-Fetch-Mode") != "navigate" {
			writeError(w, http.StatusForbidden, "CrossOrigin", "a page of another origin asked for this")
			return
		}
		next.ServeHTTP(w, r)
	})
}
