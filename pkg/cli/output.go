package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// output is how objects are printed: as a table, or as cli-runtime prints them.
type output struct {
	shell     *Shell
	format    string
	formats   []string // those that help names
	noHeaders bool
	flags     *genericclioptions.PrintFlags
}

func (s *Shell) newOutput() *output {
	o := &output{shell: s}
	o.flags = genericclioptions.NewPrintFlags("").WithTypeSetter(scheme)
	o.flags.OutputFormat = &o.format
	return o
}

// addTo gives a command that prints tables its flags.
func (o *output) addTo(cmd *cobra.Command) {
	o.addFormat(cmd, "table", "wide")
	cmd.Flags().BoolVar(&o.noHeaders, "no-headers", false, "without the line of headings")
}

func (o *output) addFormat(cmd *cobra.Command, own ...string) {
	o.formats = append(slices.Clone(own), "json", "yaml", "name", "jsonpath=TEMPLATE")
	cmd.Flags().StringVarP(&o.format, "output", "o", "", "how to print: "+strings.Join(o.formats, ", "))
	o.flags.JSONYamlPrintFlags.AddFlags(cmd)
	complete(cmd, "output", append(slices.Clone(own), "json", "yaml", "name", "jsonpath=")...)
}

// own says that qy prints by itself, and whether wide.
func (o *output) own() (wide, own bool) {
	switch o.format {
	case "", "table":
		return false, true
	case "wide":
		return true, true
	}
	return false, false
}

// table prints a table.
func (o *output) table(t *table, wide bool) error {
	return t.write(o.shell, o.shell.Out, wide, !o.noHeaders)
}

// object prints an object or a list in the format that was asked for.
func (o *output) object(object runtime.Object) error {
	printer, err := o.flags.ToPrinter()
	if err != nil {
		if genericclioptions.IsNoCompatiblePrinterError(err) {
			return fmt.Errorf("-o %q: write %s", o.format, either(o.formats))
		}
		return fmt.Errorf("-o %s: %w", o.format, err)
	}
	if meta.IsListType(object) {
		if err := meta.EachListItem(object, stamp); err != nil {
			return err
		}
		if o.format == "name" {
			return meta.EachListItem(object, func(item runtime.Object) error { return printer.PrintObj(item, o.shell.Out) })
		}
	}
	return printer.PrintObj(object, o.shell.Out)
}

// objects prints one object as itself, and several as a list.
func (o *output) objects(objects []client.Object) error {
	if len(objects) == 1 {
		return o.object(objects[0])
	}
	return o.list(objects)
}

// list prints objects of any kinds as a List.
func (o *output) list(objects []client.Object) error {
	all := &metav1.List{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "List"}}
	for _, x := range objects {
		if err := stamp(x); err != nil {
			return err
		}
		all.Items = append(all.Items, runtime.RawExtension{Object: x})
	}
	return o.object(all)
}

// stamp writes the kind into an item of a list, where the API server leaves it out.
func stamp(o runtime.Object) error {
	gvk, err := apiutil.GVKForObject(o, scheme)
	if err != nil {
		return err
	}
	o.GetObjectKind().SetGroupVersionKind(gvk)
	return nil
}

// complete offers values of a flag to the shell.
func complete(cmd *cobra.Command, flag string, values ...string) {
	err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // the flag was added by the line above every call
	}
}
