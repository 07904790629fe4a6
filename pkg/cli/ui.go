package cli

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/queueyard/queueyard/pkg/dashboard"
)

// ui is the command line of 'qy ui'.
type ui struct {
	shell     *Shell
	listen    string
	readOnly  bool
	noBrowser bool
	inCluster bool
	certFile  string
	keyFile   string
	// opens shows an address in a browser.
	opens func(ctx context.Context, file string) error
}

// uiPort is where qy ui listens unless something else does.
const uiPort = "127.0.0.1:8788"

func newUI(s *Shell) *cobra.Command {
	u := &ui{shell: s, opens: openFile}
	cmd := &cobra.Command{
		Use:   "ui",
		Short: "Serve the dashboard",
		Long: `Serves the dashboard on this machine, with the rights of the kubeconfig, until it is interrupted, and opens a browser. It prints a link
that lets in one browser, once; Enter prints another. Nobody else on the machine gets in.

With --in-cluster it serves many people, each of whom signs in with a token of their own, and uses no credentials itself. docs/dashboard.md
says how to run it so.`,
		Example: `  qy ui
  qy ui --read-only --no-browser`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("listen") && u.inCluster {
				u.listen = ":8443"
			}
			return u.run(cmd.Context(), cmd.Flags().Changed("listen"))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&u.listen, "listen", uiPort, "address and port; without --in-cluster one of this machine alone. The default port gives way to any other where it is taken")
	flags.BoolVar(&u.readOnly, "read-only", false, "show all and change nothing")
	flags.BoolVar(&u.noBrowser, "no-browser", false, "print the link and open no browser")
	flags.BoolVar(&u.inCluster, "in-cluster", false, "serve many people, each with a token of their own (default port 8443)")
	flags.StringVar(&u.certFile, "tls-cert-file", "", "certificate to serve with, for --in-cluster; it is read anew when it changes")
	flags.StringVar(&u.keyFile, "tls-private-key-file", "", "its key; without both something before the dashboard has to speak TLS")
	return cmd
}

func (u *ui) run(ctx context.Context, fixed bool) error {
	s := u.shell
	config, err := s.flags.ToRESTConfig()
	if err != nil {
		return err
	}
	listener, err := u.listener(fixed)
	if err != nil {
		return err
	}
	defer listener.Close()
	options := dashboard.Options{Config: config, ReadOnly: u.readOnly, Visitors: u.inCluster}
	if !u.inCluster {
		options.Hosts = hostsOf(listener.Addr())
		if options.Namespace, _, err = s.flags.ToRawKubeConfigLoader().Namespace(); err != nil {
			return err
		}
	}
	server, err := dashboard.New(ctx, options)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	h := &http.Server{Handler: server, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	go func() { failed <- h.Serve(listener) }()
	if u.inCluster {
		fmt.Fprintf(s.Out, "The dashboard listens on %s.\n", listener.Addr())
	} else {
		u.invite(ctx, server, listener.Addr())
	}
	select {
	case <-ctx.Done():
	case err := <-failed:
		return err
	}
	// Streams end with ctx; what else is being answered gets a moment.
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := h.Shutdown(grace); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

func (u *ui) listener(fixed bool) (net.Listener, error) {
	if !u.inCluster {
		host, _, err := net.SplitHostPort(u.listen)
		if err != nil {
			return nil, fmt.Errorf("--listen %q: write ADDRESS:PORT, such as %s", u.listen, uiPort)
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return nil, fmt.Errorf("--listen %q is not an address of this machine alone, and whoever came would have your rights: --in-cluster serves others, each with their own", u.listen)
		}
	}
	if (u.certFile == "") != (u.keyFile == "") {
		return nil, errors.New("--tls-cert-file and --tls-private-key-file go together")
	}
	l, err := net.Listen("tcp", u.listen)
	if err != nil && !fixed && !u.inCluster {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil || u.certFile == "" {
		return l, err
	}
	if _, err := tls.LoadX509KeyPair(u.certFile, u.keyFile); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			c, err := tls.LoadX509KeyPair(u.certFile, u.keyFile)
			return &c, err
		}}), nil
}

// hostsOf are the names under which an address of this machine is reached.
func hostsOf(a net.Addr) []string {
	host, port, _ := net.SplitHostPort(a.String())
	return []string{net.JoinHostPort(host, port), net.JoinHostPort("localhost", port)}
}

// invite prints a link and opens it; with each line on standard input it prints another.
func (u *ui) invite(ctx context.Context, server *dashboard.Server, at net.Addr) {
	link := func() string { return "http://" + at.String() + "/#login=" + server.Code() }
	fmt.Fprintf(u.shell.Out, "The dashboard is at %s\nIt lets in one browser, once; Ctrl-C ends it.\n", link())
	if u.shell.Interactive {
		fmt.Fprintln(u.shell.Out, "Enter prints another link.")
		go func() {
			for lines := bufio.NewScanner(u.shell.In); lines.Scan() && ctx.Err() == nil; {
				fmt.Fprintln(u.shell.Out, link())
			}
		}()
	}
	if u.noBrowser || !u.shell.Interactive {
		return
	}
	if err := u.browse(ctx, link()); err != nil {
		fmt.Fprintf(u.shell.ErrOut, "No browser was opened: %v\n", err)
	}
}

// browse opens a link by a file that leads to it: what is on a command line everybody on the machine can read.
func (u *ui) browse(ctx context.Context, link string) error {
	dir, err := os.MkdirTemp("", "qy-ui-")
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "open.html")
	context.AfterFunc(ctx, func() { _ = os.RemoveAll(dir) })
	text := `<!doctype html><meta charset="utf-8"><title>Queueyard</title><meta http-equiv="refresh" content="0; url=` + link + `">`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	return u.opens(ctx, file)
}

func openFile(ctx context.Context, file string) error {
	program := "xdg-open"
	switch runtime.GOOS {
	case "darwin":
		program = "open"
	case "windows":
		program = "explorer"
	}
	out, err := exec.CommandContext(ctx, program, file).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w %s", program, err, strings.TrimSpace(string(out)))
	}
	return nil
}
