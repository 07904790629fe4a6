package dashboard

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/queueyard/queueyard/pkg/version"
)

const (
	// visitorCookie holds a visitor's token. The prefix makes browsers refuse it without Secure and from other hosts.
	visitorCookie = "__Host-queueyard"
	// ownCookie holds the secret of a server that serves one person; the port follows, because cookies know none.
	ownCookie = "queueyard-"
	// longestToken is what fits in a cookie.
	longestToken = 3800
)

// doors are the ways into a server that serves whoever started it: a code that lets in one browser, once; from then on a
// secret in its cookie. Others on the same machine have neither.
type doors struct {
	secret string
	mu     sync.Mutex
	codes  map[string]struct{}
}

func newDoors() *doors { return &doors{secret: rand.Text(), codes: map[string]struct{}{}} }

// Code lets one browser in, once.
func (s *Server) Code() string {
	code := rand.Text()
	s.doors.mu.Lock()
	defer s.doors.mu.Unlock()
	s.doors.codes[code] = struct{}{}
	return code
}

// enter uses up a code.
func (d *doors) enter(code string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.codes[code]
	delete(d.codes, code)
	return ok
}

// token that a request carries; whether somebody is signed in at all.
func (s *Server) token(r *http.Request) (token string, ok bool) {
	if s.doors != nil {
		c, err := r.Cookie(cookieOf(r))
		return ownToken, err == nil && subtle.ConstantTimeCompare([]byte(c.Value), []byte(s.doors.secret)) == 1
	}
	if scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") && token != "" {
		return strings.TrimSpace(token), true
	}
	if c, err := r.Cookie(visitorCookie); err == nil && c.Value != "" {
		return c.Value, true
	}
	return "", false
}

// cookieOf is the name of the cookie of a server that serves one person.
func cookieOf(r *http.Request) string {
	_, port, _ := net.SplitHostPort(r.Host)
	return ownCookie + port
}

// visitor is who makes a request.
func (s *Server) visitor(r *http.Request) (*visitor, error) {
	token, ok := s.token(r)
	if !ok {
		return nil, unauthorized("sign in first")
	}
	v, err := s.visitors.of(token)
	if err != nil || s.doors != nil {
		return v, err
	}
	// What nobody is known by is not kept.
	if _, err := v.whoAmI(r.Context()); err != nil {
		if apierrors.IsUnauthorized(err) {
			s.visitors.forget(token)
		}
		return nil, err
	}
	return v, nil
}

// sessionView is what a page has to know before it shows anything.
type sessionView struct {
	// SignIn is how one signs in: with a code that qy ui prints, or with a token.
	SignIn string `json:"signIn"`
	// User is who the cluster takes the visitor for. Empty: nobody is signed in.
	User      string `json:"user,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	ReadOnly  bool   `json:"readOnly"`
	Version   string `json:"version"`
}

func (s *Server) sessionView() *sessionView {
	view := &sessionView{SignIn: "code", Namespace: s.options.Namespace, ReadOnly: s.options.ReadOnly, Version: version.String()}
	if s.doors == nil {
		view.SignIn = "token"
	}
	return view
}

func (s *Server) session(w http.ResponseWriter, r *http.Request) {
	view := s.sessionView()
	v, err := s.visitor(r)
	if apierrors.IsUnauthorized(err) {
		writeJSON(w, http.StatusOK, view)
		return
	}
	if err != nil {
		refuse(w, err)
		return
	}
	user, err := v.whoAmI(r.Context())
	if err != nil {
		refuse(w, err)
		return
	}
	view.User = user.Username
	writeJSON(w, http.StatusOK, view)
}

// signIn takes a code or a token, in the body alone.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request) {
	var asked struct{ Code, Token string }
	if err := read(w, r, &asked); err != nil {
		refuse(w, err)
		return
	}
	cookie := &http.Cookie{Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode}
	if s.doors != nil {
		if !s.doors.enter(asked.Code) {
			refuse(w, unauthorized("the link was used before, or is of another start of qy ui: run qy ui again, or press Enter where it runs, for a new one"))
			return
		}
		cookie.Name, cookie.Value = cookieOf(r), s.doors.secret
	} else {
		token := strings.TrimSpace(asked.Token)
		switch {
		case token == "" || strings.ContainsAny(token, " \t\r\n;,\"\\"):
			refuse(w, bad("that is no token: paste the token alone, without spaces or quotes"))
			return
		case len(token) > longestToken:
			refuse(w, bad("the token is too long for a cookie: put a proxy before the dashboard that sends it in the Authorization header"))
			return
		}
		v, err := s.visitors.of(token)
		if err == nil {
			_, err = v.whoAmI(r.Context())
		}
		if err != nil {
			s.visitors.forget(token)
			if apierrors.IsUnauthorized(err) {
				err = unauthorized("the cluster does not know this token: it may have expired")
			}
			refuse(w, err)
			return
		}
		cookie.Name, cookie.Value, cookie.Secure = visitorCookie, token, true
	}
	http.SetCookie(w, cookie)
	w.WriteHeader(http.StatusNoContent)
}

// signOut forgets the cookie, and what was cached.
func (s *Server) signOut(w http.ResponseWriter, r *http.Request) {
	name := visitorCookie
	if s.doors != nil {
		name = cookieOf(r)
	} else if token, ok := s.token(r); ok {
		s.visitors.forget(token)
	}
	http.SetCookie(w, &http.Cookie{Name: name, Path: "/", MaxAge: -1, HttpOnly: true, Secure: s.doors == nil, SameSite: http.SameSiteStrictMode})
	w.WriteHeader(http.StatusNoContent)
}

// longestBody is what a request may carry.
const longestBody = 64 << 10

// read is what a request carries. A form of another page can't say that it sends JSON.
func read(w http.ResponseWriter, r *http.Request, into any) error {
	if r.Header.Get("Content-Type") != "application/json" {
		return bad("the body must be application/json")
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, longestBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return bad("the body can't be read: " + err.Error())
	}
	return nil
}
