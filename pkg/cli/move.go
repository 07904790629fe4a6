package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	if queueyard.Over(o) {
		return fmt.Errorf("%s is over, %s: it waits nowhere", queueyard.Title(o), queueyard.ProgressOf(o).Phase)
	}
	var err error
	switch o := o.(type) {
	case *v1alpha1.Operation:
		err = edit(ctx, c, o, func() { m.set(&o.Spec.Queue, &o.Spec.Priority) })
	case *v1alpha1.Workflow:
		err = edit(ctx, c, o, func() { m.set(&o.Spec.Queue, &o.Spec.Priority) })
	case *corev1.Pod:
		err = m.movePod(ctx, c, o)
	case *batchv1.Job:
		return m.moveJob(ctx, c, o)
	}
	if err != nil {
		return err
	}
	m.say(queueyard.Title(o))
	return nil
}

func (m *move) set(queue *string, priority **int32) {
	if m.queue != "" {
		*queue = m.queue
	}
	if m.prioritise {
		n := m.priority
		*priority = &n
	}
}

func (m *move) say(what string) {
	var parts []string
	if m.queue != "" {
		parts = append(parts, "waits in queue "+m.queue)
	}
	if m.prioritise {
		parts = append(parts, fmt.Sprintf("has priority %d", m.priority))
	}
	fmt.Fprintf(m.shell.Out, "%s now %s\n", what, strings.Join(parts, " and "))
}

func (m *move) movePod(ctx context.Context, c *cluster, pod *corev1.Pod) error {
	if pod.Spec.NodeName != "" {
		return fmt.Errorf("pod/%s is on node %s and counts against its queue until it ends: delete it and create it anew to move it", pod.Name, pod.Spec.NodeName)
	}
	return edit(ctx, c, pod, func() {
		if m.queue != "" {
			delete(pod.Annotations, v1alpha1.QueueLabel) // both together must agree
			metav1.SetMetaDataLabel(&pod.ObjectMeta, v1alpha1.QueueLabel, strings.ReplaceAll(m.queue, "/", "."))
		}
		if m.prioritise {
			metav1.SetMetaDataAnnotation(&pod.ObjectMeta, v1alpha1.PriorityAnnotation, fmt.Sprint(m.priority))
		}
	})
}

// moveJob moves the pods of a Job that wait: its template may not change any more.
func (m *move) moveJob(ctx context.Context, c *cluster, job *batchv1.Job) error {
	pods := &corev1.PodList{}
	if err := c.List(ctx, pods, client.InNamespace(job.Namespace), client.MatchingLabels{batchv1.ControllerUidLabel: string(job.UID)}); err != nil {
		return err
	}
	moved := 0
	for i := range pods.Items {
		if pods.Items[i].Spec.NodeName != "" {
			continue
		}
		if err := m.movePod(ctx, c, &pods.Items[i]); err != nil {
			return err
		}
		moved++
	}
	if moved == 0 {
		return fmt.Errorf("job/%s has no pod that waits: what is on a node stays where it is", job.Name)
	}
	m.say(fmt.Sprintf("job/%s: %s", job.Name, count(moved, "pod", "pods")))
	return nil
}
