package dashboard

import (
	"encoding/json"
	"errors"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// call is a request of somebody who is signed in.
type call struct {
	*http.Request
	*visitor
	w http.ResponseWriter
}

// namespace that is asked for; empty: all.
func (c *call) namespace() string { return c.URL.Query().Get("namespace") }

// written is the answer of a handler that has written its answer itself.
type written struct{}

// api lets those in who are signed in, and writes what they are answered.
func (s *Server) api(answer func(*call) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := s.visitor(r)
		if err != nil {
			refuse(w, err)
			return
		}
		defer v.use()()
		value, err := answer(&call{Request: r, visitor: v, w: w})
		switch {
		case err != nil:
			refuse(w, err)
		case value != written{}:
			writeJSON(w, http.StatusOK, value)
		}
	})
}

func writeJSON(w http.ResponseWriter, code int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(value) // the browser has gone
}

// failure is what an error looks like.
type failure struct {
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

func writeError(w http.ResponseWriter, code int, reason, message string) {
	writeJSON(w, code, failure{reason, message})
}

// refuse writes an error with the status that the API server gave it.
func refuse(w http.ResponseWriter, err error) {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		writeError(w, http.StatusInternalServerError, "InternalError", err.Error())
		return
	}
	s := status.Status()
	if s.Code < http.StatusBadRequest {
		s.Code = http.StatusInternalServerError
	}
	writeError(w, int(s.Code), string(s.Reason), s.Message)
}

// bad is an error of whoever asked.
func bad(message string) error { return apierrors.NewBadRequest(message) }

// unauthorized is the error of whoever is not signed in.
func unauthorized(message string) error {
	e := apierrors.NewUnauthorized(message)
	e.ErrStatus.Reason = metav1.StatusReasonUnauthorized
	return e
}
