package visibility

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A certificate is followed by another in time, and also when the clock that it was made by turns out to have been ahead.
func TestSuccessor(t *testing.T) {
	for name, c := range map[string]struct {
		host  string
		since time.Duration
		roots int
	}{
		"new":         {"here", time.Minute, 1},
		"old":         {"here", certificateRenewal + time.Minute, 2},
		"other host":  {"there", time.Minute, 2},
		"of tomorrow": {"here", -24 * time.Hour, 2},
	} {
		t.Run(name, func(t *testing.T) {
			made, err := newCertificate("here")
			require.NoError(t, err)
			roots, err := made.roots(c.host, made.current.made.Add(c.since))
			require.NoError(t, err)
			require.Equal(t, c.roots, bytes.Count(roots, []byte("BEGIN CERTIFICATE")))
			require.Equal(t, c.roots == 2, made.exchange())
		})
	}
}
