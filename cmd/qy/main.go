// Command qy shows and moves what is in queues. Installed as kubectl-queueyard it is 'kubectl queueyard'.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/queueyard/queueyard/pkg/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(cli.Main(ctx, cli.Terminal(), os.Args))
}
