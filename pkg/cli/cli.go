// Package cli is qy, the command line of Queueyard: one file per command over shared clients and printers.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/queueyard/queueyard/pkg/version"
)

// Shell is what commands run in.
type Shell struct {
	genericiooptions.IOStreams
	// Colours may be used on Out.
	Colours bool
	// Size of the terminal that Out is; nil: it is none that can be drawn over.
	Size func() (width, height int)
	// Interactive: somebody sits at In and can answer.
	Interactive bool
	Now         func() time.Time
	// Zone is that of the times that are printed.
	Zone *time.Location
	// Wrap changes how the cluster is reached; nil: not.
	Wrap func(*rest.Config) *rest.Config

	flags *genericclioptions.ConfigFlags
}

// Terminal is the shell of the process.
func Terminal() *Shell {
	terminal, dumb := term.IsTerminal(int(os.Stdout.Fd())), os.Getenv("TERM") == "dumb"
	s := &Shell{
		IOStreams:   genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr},
		Colours:     terminal && !dumb && os.Getenv("NO_COLOR") == "",
		Interactive: terminal && term.IsTerminal(int(os.Stdin.Fd())),
		Now:         time.Now,
		Zone:        time.Local,
	}
	if terminal && !dumb {
		s.Size = func() (width, height int) {
			width, height, err := term.GetSize(int(os.Stdout.Fd()))
			if err != nil {
				return 0, 0
			}
			return width, height
		}
	}
	return s
}

const long = `Shows what waits, runs and ran in the queues of a cluster, says why, and moves it.

A NAME is that of an operation or a workflow; where both have it, write op/NAME or wf/NAME.

Exit codes: 0 done, and what was followed succeeded or was skipped; 1 qy could not do it; 2 what was followed
failed; 3 it was stopped; 4 it was not over in time; 130 interrupted.`

// NewCommand is qy with all its commands.
func NewCommand(s *Shell) *cobra.Command {
	s.flags = genericclioptions.NewConfigFlags(true).WithWrapConfigFn(func(c *rest.Config) *rest.Config {
		c.QPS, c.Burst = 50, 300
		c.WarningHandler = rest.NewWarningWriter(s.ErrOut, rest.WarningWriterOptions{Deduplicate: true})
		if s.Wrap != nil {
			c = s.Wrap(c)
		}
		return c
	})
	root := &cobra.Command{
		Use:           "qy",
		Short:         "Queues of operations and workflows",
		Long:          long,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          knownCommand,
		Version:       version.String(),
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.ErrOut)
	root.SetUsageTemplate(usageTemplate)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w: see %s --help", err, cmd.CommandPath())
	})
	s.flags.AddFlags(root.PersistentFlags())
	root.AddGroup(
		&cobra.Group{ID: groupRuns, Title: "What waits and runs:"},
		&cobra.Group{ID: groupLimits, Title: "What bounds them:"},
		&cobra.Group{ID: groupOther, Title: "Other:"},
	)
	root.SetHelpCommandGroupID(groupOther)
	root.SetCompletionCommandGroupID(groupOther)
	addCommands(root, groupRuns, newRun(s), newList(s), newGet(s), newStatuses(s), newWhy(s), newTree(s), newLogs(s), newWait(s),
		newStop(s), newResume(s), newRestart(s), newApprove(s), newMove(s), newPreview(s), newLint(s))
	addCommands(root, groupLimits, newTop(s), newQueues(s), newProjects(s), newOrganizations(s), newAgents(s))
	addCommands(root, groupOther, newUI(s), newVersion(s), newOptions())
	return root
}

const (
	groupRuns   = "runs"
	groupLimits = "limits"
	groupOther  = "other"
)

func addCommands(root *cobra.Command, group string, commands ...*cobra.Command) {
	for _, c := range commands {
		c.GroupID = group
		root.AddCommand(c)
	}
}

// Main runs a command line and returns the exit code of the process.
func Main(ctx context.Context, s *Shell, args []string) int {
	log.SetLogger(klog.Background()) // of the client: what it says is for people who debug it
	root := NewCommand(s)
	if name := filepath.Base(args[0]); strings.HasPrefix(name, "kubectl-") {
		root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: strings.ReplaceAll(name, "-", " ")}
	}
	root.SetArgs(args[1:])
	err := root.ExecuteContext(ctx)
	code := exitCode(ctx, err)
	if text := s.explain(err); text != "" && code != codeInterrupted {
		fmt.Fprintln(s.ErrOut, "error: "+text)
	}
	return code
}

// The exit codes.
const (
	codeError       = 1
	codeFailed      = 2
	codeStopped     = 3
	codeUnfinished  = 4
	codeInterrupted = 130
)

// outcome ends the process with a code of its own; what there is to say has been said unless it has a message.
type outcome struct {
	code    int
	message string
}

func (o outcome) Error() string { return o.message }

func exitCode(ctx context.Context, err error) int {
	var o outcome
	switch {
	case err == nil:
		return 0
	case errors.As(err, &o):
		return o.code
	case ctx.Err() != nil:
		return codeInterrupted
	default:
		return codeError
	}
}
