package cli

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// qy ui serves until it is interrupted; the link that it prints lets in once.
func TestUI(t *testing.T) {
	s := &session{T: t}
	ctx, stop := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	shell := s.shell()
	shell.IOStreams = genericiooptions.IOStreams{In: strings.NewReader(""), Out: writer, ErrOut: io.Discard}
	code := make(chan int)
	go func() {
		code <- Main(ctx, shell, []string{"qy", "--kubeconfig", shared.env.Dir.Kubeconfig(), "ui", "--no-browser", "--listen", "127.0.0.1:0"})
	}()
	out := bufio.NewScanner(reader)
	require.True(t, out.Scan())
	address, login, ok := strings.Cut(strings.TrimPrefix(out.Text(), "The dashboard is at "), "/#login=")
	require.True(t, ok, out.Text())
	require.True(t, out.Scan())
	enter := func() int {
		answer, err := http.Post(address+"/api/v1/session", "application/json", strings.NewReader(`{"code": "`+login+`"}`))
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		return answer.StatusCode
	}
	require.Equal(t, http.StatusNoContent, enter())
	require.Equal(t, http.StatusUnauthorized, enter())
	stop()
	require.Zero(t, <-code)
}

func TestUIListens(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":8788", "192.0.2.1:1", "example.com:1", "nonsense"} {
		_, err := (&ui{listen: address}).listener(true)
		require.ErrorContains(t, err, "--listen", address)
	}
	_, err := (&ui{listen: "127.0.0.1:0", certFile: "only"}).listener(true)
	require.ErrorContains(t, err, "go together")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	_, err = (&ui{listen: taken.Addr().String()}).listener(true)
	require.Error(t, err, "the port that was asked for")
	other, err := (&ui{listen: taken.Addr().String()}).listener(false)
	require.NoError(t, err, "the default port gives way")
	require.NoError(t, other.Close())
}

// What is on a command line everybody can read: the link is in a file that only its owner can.
func TestUIBrowse(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var file string
	u := &ui{opens: func(_ context.Context, f string) error { file = f; return nil }}
	require.NoError(t, u.browse(ctx, "http://127.0.0.1:1/#login=SECRET"))
	require.NotContains(t, file, "SECRET")
	text, err := os.ReadFile(filepath.Clean(file))
	require.NoError(t, err)
	require.Contains(t, string(text), "#login=SECRET")
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Zero(t, info.Mode().Perm()&0o077)
}
