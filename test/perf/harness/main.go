package harness

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Common is what every benchmark is told.
type Common struct {
	// Nodes are simulated ones; Bin is the directory of the programs.
	Nodes int
	Bin   string
}

// Main runs a benchmark that has defined its own flags. measure prints its tables and returns all figures for the
// file, also those that it had before an error.
func Main(name, usage string, nodes int, measure func(context.Context, Common) (figures any, err error)) {
	var c Common
	flag.IntVar(&c.Nodes, "nodes", nodes, "simulated nodes of each cluster")
	flag.StringVar(&c.Bin, "bin", "bin", "directory of the project's programs")
	file := flag.String("json", "", "file for all figures of every run")
	timeout := flag.Duration("timeout", time.Hour, "when to give up")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "Usage: %s [flags]\n\n%s\n", name, usage)
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	figures, err := measure(ctx, c)
	if err = errors.Join(err, writeJSON(*file, figures)); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}
