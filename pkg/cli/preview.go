package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	queueyard "github.com/queueyard/queueyard/pkg/client"
	"github.com/queueyard/queueyard/pkg/lint"
	paramvalues "github.com/queueyard/queueyard/pkg/params"
	"github.com/queueyard/queueyard/pkg/workflow/preview"
)

// previewing is the command line of 'qy preview'.
type previewing struct {
	shell  *Shell
	files  []string
	params []string
	queue  string
	trials int
	format string
}

func newPreview(s *Shell) *cobra.Command {
	p := &previewing{shell: s}
	cmd := &cobra.Command{
		Use:   "preview -f FILE",
		Short: "Expand workflows and operations in files, without a cluster: what would run",
		Long: `Expands workflows and operations in files, without a cluster: what would run, in the order in which it would start if all went well, in which queue,
with which params and limits, and how many operations that makes. It asks the code that the controller asks. What depends on what comes of
other steps is shown as the expression that will give it. Of searches the first trials are shown.

Components, and projects and organizations whose default queue counts, are looked for in the same files.`,
		Example: `  qy preview -f sweep.yaml
  qy preview -f nightly.yaml -f components.yaml --param rate=0.1 --queue gpu`,
		RunE: func(cmd *cobra.Command, args []string) error {
			p.files = append(p.files, args...)
			if len(p.files) == 0 {
				return errors.New("what is to be expanded? Give a file with -f; - is standard input")
			}
			return p.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVarP(&p.files, "filename", "f", nil, "file or directory; - is standard input")
	flags.StringArrayVarP(&p.params, "param", "p", nil, "NAME=VALUE of a param, the value as JSON or else as text; may be given again")
	flags.StringVar(&p.queue, "queue", "", "queue in place of the one that a file names")
	flags.IntVar(&p.trials, "trials", 3, "how many trials of a matrix are shown")
	flags.StringVarP(&p.format, "output", "o", "text", "how to print: text, json, yaml")
	complete(cmd, "output", "text", "json", "yaml")
	return cmd
}

func (p *previewing) run(ctx context.Context) error {
	if p.trials < 1 {
		return fmt.Errorf("--trials is %d: write 1 or more", p.trials)
	}
	params, err := parseParams(p.params)
	if err != nil {
		return err
	}
	docs, err := p.shell.documents(p.files)
	if err != nil {
		return err
	}
	namespace, err := p.shell.here()
	if err != nil {
		return err
	}
	var nodes []*preview.Node
	for _, d := range docs {
		if d.Err() == nil && !d.Is("Workflow") && !d.Is("Operation") {
			continue
		}
		if d.Err() == nil {
			if err := p.give(d, params); err != nil {
				return err
			}
		}
		if err := p.sound(ctx, docs, d, namespace); err != nil {
			return err
		}
		node, err := p.expand(ctx, docs, d, namespace)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", d.File, d.Title(), err)
		}
		nodes = append(nodes, node)
	}
	if len(nodes) == 0 {
		return fmt.Errorf("nothing in %s runs: qy preview takes operations and workflows", strings.Join(p.files, ", "))
	}
	if p.format != "text" {
		return p.shell.printData(nodes, p.format)
	}
	for i, n := range nodes {
		if i > 0 {
			fmt.Fprintln(p.shell.Out)
		}
		if err := p.shell.writePreview(n); err != nil {
			return err
		}
	}
	return nil
}

// give writes the flags over what a file says.
func (p *previewing) give(d *lint.Document, params v1alpha1.Values) error {
	if p.queue != "" {
		if err := d.Set(p.queue, "spec", "queue"); err != nil {
			return err
		}
	}
	for name, value := range params {
		decoded, err := paramvalues.Decode(value.Raw)
		if err != nil {
			return err
		}
		if err := d.Set(decoded, "spec", "params", name); err != nil {
			return err
		}
	}
	return nil
}

// sound refuses what the cluster would refuse, in the words of qy lint.
func (p *previewing) sound(ctx context.Context, docs []*lint.Document, d *lint.Document, namespace string) error {
	var wrong []string
	for _, f := range lint.One(ctx, docs, d, namespace) {
		if f.Severity == lint.Error {
			wrong = append(wrong, f.String())
		}
	}
	if wrong == nil {
		return nil
	}
	return errors.New("it would be refused:\n" + strings.Join(wrong, "\n"))
}

func (p *previewing) expand(ctx context.Context, docs []*lint.Document, d *lint.Document, namespace string) (*preview.Node, error) {
	if d.Object.GetNamespace() == "" {
		d.Object.SetNamespace(namespace)
	}
	previewer := &preview.Previewer{Components: map[string]*v1alpha1.Component{}, Trials: p.trials, Directory: lint.Tenants(docs)}
	for name, c := range lint.Components(docs, namespace) {
		if within, short, _ := strings.Cut(name, "/"); within == d.Object.GetNamespace() {
			previewer.Components[short] = c
		}
	}
	if err := d.Default(); err != nil {
		return nil, err
	}
	if d.Is("Operation") {
		o := &v1alpha1.Operation{}
		if err := d.Into(o); err != nil {
			return nil, err
		}
		return previewer.Operation(o), nil
	}
	w := &v1alpha1.Workflow{}
	if err := d.Into(w); err != nil {
		return nil, err
	}
	return previewer.Workflow(ctx, w)
}

// writePreview draws what would run as a tree, and counts it by queue below.
func (s *Shell) writePreview(n *preview.Node) error {
	d := &drawing{shell: s, said: map[string]bool{}}
	fmt.Fprintf(s.Out, "%s/%s  %s\n", n.Kind, n.Name, d.line(n, true))
	d.branches(n, "")
	queues := n.Queues()
	fmt.Fprintln(s.Out)
	t := &table{columns: columns("QUEUE", "OPERATIONS")}
	for _, name := range slices.Sorted(maps.Keys(queues)) {
		if name == "" {
			t.add("the default of the project, organization or cluster", queues[name].String())
			continue
		}
		t.add(name, queues[name].String())
	}
	return t.write(s, s.Out, false, true)
}

// drawing is a tree under way.
type drawing struct {
	shell *Shell
	// said are notes that stand in a line above.
	said map[string]bool
}

func (d *drawing) branches(n *preview.Node, indent string) {
	out := d.shell.Out
	for i, c := range n.Children {
		branch, below := "├── ", "│   "
		if i == len(n.Children)-1 && c.Like <= 0 {
			branch, below = "└── ", "    "
		}
		fmt.Fprintf(out, "%s%s%s  %s\n", indent, branch, c.Name, d.line(c, false))
		d.branches(c, indent+below)
		if c.Like > 0 {
			branch = "├── "
			if i == len(n.Children)-1 {
				branch = "└── "
			}
			fmt.Fprintf(out, "%s%s%s\n", indent, branch, count(int(c.Like), "more trial", "more trials"))
		}
	}
}

// line is a node in a line.
func (d *drawing) line(n *preview.Node, root bool) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	switch {
	case n.Kind == "operation":
		add("%s", n.Runs)
	case n.Search != "" && n.Total >= 0:
		add("%s of %s", n.Search, count(int(n.Total), "trial", "trials"))
	case n.Search != "":
		add("%s, trials as it goes", n.Search)
	default:
		add("dag of %s", count(int(n.Total), "step", "steps"))
	}
	if n.Kind == "workflow" {
		one := "operations"
		if n.Operations.N == 1 {
			one = "operation"
		}
		add("%s %s", n.Operations, one)
	}
	if n.Queue != "" {
		add("queue %s", n.Queue)
	}
	if n.Priority != nil {
		add("priority %d", *n.Priority)
	}
	if len(n.After) > 0 {
		text := "after " + strings.Join(n.After, ", ")
		if n.Trigger != "" {
			text += " (" + string(n.Trigger) + ")"
		}
		add("%s", text)
	}
	if n.When != "" {
		add("when %s", queueyard.OneLine(n.When))
	}
	if n.Continues != nil {
		add("goes on from %d", *n.Continues)
	}
	parts = append(parts, n.Limits...)
	if n.Kind == "operation" || root {
		if text := values(n.Params); text != "" {
			add("%s", text)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(n.Open)) {
		add("%s: %s", name, queueyard.OneLine(n.Open[name]))
	}
	if n.Not != "" {
		add("NOT if all goes well: %s", n.Not)
	}
	for _, note := range n.Notes {
		if !d.said[note] {
			add("%s", note)
		}
		d.said[note] = true
	}
	return strings.Join(parts, "; ")
}
