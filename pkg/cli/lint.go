package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/lint"
)

// linting is the command line of 'qy lint'.
type linting struct {
	shell  *Shell
	files  []string
	dryRun string
	format string
}

func newLint(s *Shell) *cobra.Command {
	l := &linting{shell: s}
	cmd := &cobra.Command{
		Use:   "lint -f FILE...",
		Short: "Check objects in files, without a cluster",
		Long: `Checks objects of Queueyard, and pods and Jobs in queues, without a cluster: by the schemas that are installed, and by the rules of admission that
look at one object. Each finding says where, which object, which rule, and what to do about it. Other kinds are passed over. The exit
code is 1 if there is an error.

With --dry-run=server the cluster is asked as well whether it would create them; then what they need of each other has to be there already.`,
		Example: `  qy lint -f sweep.yaml -f components/
  kustomize build | qy lint -f -`,
		RunE: func(cmd *cobra.Command, args []string) error {
			l.files = append(l.files, args...)
			if len(l.files) == 0 {
				return errors.New("what is to be checked? Give files with -f; - is standard input")
			}
			if l.dryRun != "none" && l.dryRun != "server" {
				return fmt.Errorf("--dry-run is %q: write none or server", l.dryRun)
			}
			return l.run(cmd.Context())
		},
	}
	cmd.Flags().StringSliceVarP(&l.files, "filename", "f", nil, "file or directory to check; - is standard input")
	cmd.Flags().StringVar(&l.dryRun, "dry-run", "none", "server: also ask the cluster whether it would create them; it creates nothing")
	complete(cmd, "dry-run", "none", "server")
	cmd.Flags().StringVarP(&l.format, "output", "o", "text", "how to print: text, json, yaml")
	complete(cmd, "output", "text", "json", "yaml")
	return cmd
}

func (l *linting) run(ctx context.Context) error {
	docs, err := l.shell.documents(l.files)
	if err != nil {
		return err
	}
	namespace, err := l.shell.here()
	if err != nil {
		return err
	}
	findings := lint.Lint(ctx, docs, namespace)
	if l.dryRun == "server" {
		refused, err := l.ask(ctx, docs)
		if err != nil {
			return err
		}
		findings = append(findings, refused...)
	}
	wrong, checked := 0, 0
	for _, f := range findings {
		if f.Severity == lint.Error {
			wrong++
		}
	}
	for _, d := range docs {
		if d.Checked() {
			checked++
		}
	}
	if err := l.print(findings, checked, len(docs)-checked, wrong); err != nil || wrong == 0 {
		return err
	}
	return outcome{code: codeError}
}

// print writes findings as lines, or all of them as data.
func (l *linting) print(findings []lint.Finding, checked, passedOver, wrong int) error {
	s := l.shell
	if l.format != "text" {
		if findings == nil {
			findings = []lint.Finding{} // an empty list, and not null
		}
		return s.printData(findings, l.format)
	}
	for _, f := range findings {
		c := red
		if f.Severity == lint.Warning {
			c = yellow
		}
		f.Severity = lint.Severity(s.paint(c, string(f.Severity)))
		fmt.Fprintln(s.Out, f)
	}
	if passedOver > 0 {
		fmt.Fprintf(s.ErrOut, "%s of other kinds passed over\n", count(passedOver, "object", "objects"))
	}
	summary := count(wrong, "error", "errors")
	if warnings := len(findings) - wrong; warnings > 0 {
		summary += ", " + count(warnings, "warning", "warnings")
	}
	fmt.Fprintf(s.ErrOut, "%s checked, %s\n", count(checked, "object", "objects"), summary)
	return nil
}

// ask has a cluster check what can be read, and changes nothing there.
func (l *linting) ask(ctx context.Context, docs []*lint.Document) ([]lint.Finding, error) {
	c, err := l.shell.cluster()
	if err != nil {
		return nil, err
	}
	var out []lint.Finding
	for _, d := range docs {
		if d.Err() != nil || !d.Checked() {
			continue
		}
		o := d.Object.DeepCopy()
		if namespaced, err := c.IsObjectNamespaced(o); err == nil && namespaced && o.GetNamespace() == "" {
			o.SetNamespace(c.namespace)
		}
		err := c.Create(ctx, o, client.DryRunAll, client.FieldOwner(fieldManager), client.FieldValidation(metav1.FieldValidationStrict))
		if apierrors.IsAlreadyExists(err) {
			continue // it could not be created, and need not
		}
		var status apierrors.APIStatus
		switch {
		case err == nil:
		case errors.As(err, &status):
			out = append(out, d.Finding(lint.Error, lint.RuleServer, err.Error()))
		default:
			return nil, err
		}
	}
	return out, nil
}
