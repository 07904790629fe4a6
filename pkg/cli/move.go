package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	queueyard "github.com/queueyard/queueyard/pkg/client"
)

// move is the command line of 'qy move'.
type move struct {
	shell      *Shell
	queue      string
	priority   int32
	prioritise bool
}

func newMove(s *Shell) *cobra.Command {
	m := &move{shell: s}
	cmd := &cobra.Command{
		Use:   "move NAME...",
		Short: "Move what waits to another queue, or within its queue by priority",
		Long: `Moves what waits to another queue, or within its queue by priority. What has a node stays where it is until it ends. Of a workflow it
holds for the operations that are made from then on; of a Job, for its pods that wait. Pods and Jobs are written pod/NAME and job/NAME.`,
		Example: `  qy move train-1 --queue gpu-large
  qy move train-1 train-2 --priority 100`,
		Args:              atLeastOne,
		ValidArgsFunction: s.completeNames(false, whatWaits...),
		RunE: func(cmd *cobra.Command, args []string) error {
			m.prioritise = cmd.Flags().Changed("priority")
			if m.queue == "" && !m.prioritise {
				return errors.New("nothing is to be changed: give --queue or --priority")
			}
			c, err := s.cluster()
			if err != nil {
				return err
			}
			if err := m.known(cmd.Context(), c); err != nil {
				return err
			}
			for _, name := range args {
				o, err := c.resolve(cmd.Context(), name, whatWaits...)
				if err != nil {
					return err
				}
				if err := m.move(cmd.Context(), c, o); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&m.queue, "queue", "", "NAME or AGENT/NAME of the queue to move to")
	cmd.Flags().Int32Var(&m.priority, "priority", 0, "priority inside the queue: larger goes first")
	s.completeQueues(cmd, "queue")
	return cmd
}

// known refuses a queue that does not exist. Whoever may not look for it is told by admission.
func (m *move) known(ctx context.Context, c *cluster) error {
	if m.queue == "" {
		return nil
	}
	err := c.find(ctx, queueKind, queueName(m.queue), &v1alpha1.Queue{})
	if apierrors.IsForbidden(err) {
		return nil
	}
	return err
}

func (m *move) move(ctx context.Context, c *cluster, o client.Object) error {
	to := queueyard.Place{Queue: m.queue}
	if m.prioritise {
		to.Priority = &m.priority
	}
	says, err := c.queueyard.Move(ctx, o, to)
	if err == nil {
		fmt.Fprintln(m.shell.Out, says)
	}
	return err
}
