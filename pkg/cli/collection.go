package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// collection is how the objects of a kind that bounds what runs are listed and described.
type collection[T client.Object] struct {
	kind
	new     func() T
	columns []column
	row     func(o T) []cell
	// describes is what 'describe' shows, in a few words.
	describes string
	describe  func(ctx context.Context, c *cluster, o T) error
}

// command is the one of the kind: it lists unless a command below it is named.
func (k *collection[T]) command(s *Shell, short string, aliases []string, below ...*cobra.Command) *cobra.Command {
	cmd := k.listCommand(s)
	cmd.Use, cmd.Aliases, cmd.Short, cmd.Args = k.plural, aliases, short, knownCommand
	cmd.AddCommand(append([]*cobra.Command{k.listCommand(s), k.describeCommand(s)}, below...)...)
	return cmd
}

func (k *collection[T]) listCommand(s *Shell) *cobra.Command {
	out := s.newOutput()
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the " + k.singular + "s",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.cluster()
			if err != nil {
				return err
			}
			list, objects, err := k.read(cmd.Context(), c)
			if err != nil {
				return err
			}
			wide, own := out.own()
			if !own {
				return out.object(list)
			}
			t := &table{columns: k.columns}
			for _, o := range objects {
				t.rows = append(t.rows, k.row(o))
			}
			return out.table(t, wide)
		},
	}
	out.addTo(cmd)
	return cmd
}

// read gives the objects by name, as the list that they came in and one by one.
func (k *collection[T]) read(ctx context.Context, c *cluster) (client.ObjectList, []T, error) {
	list := k.list()
	if err := c.List(ctx, list); err != nil {
		return nil, nil, err
	}
	var objects []T
	err := meta.EachListItem(list, func(o runtime.Object) error {
		objects = append(objects, o.(T))
		return nil
	})
	slices.SortFunc(objects, func(a, b T) int { return strings.Compare(a.GetName(), b.GetName()) })
	return list, objects, err
}

func (k *collection[T]) describeCommand(s *Shell) *cobra.Command {
	out := s.newOutput()
	cmd := &cobra.Command{
		Use:               "describe NAME",
		Short:             k.describes,
		Args:              exactly("NAME"),
		ValidArgsFunction: s.completeNames(true, k.kind),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.cluster()
			if err != nil {
				return err
			}
			o := k.new()
			if err := c.find(cmd.Context(), k.kind, args[0], o); err != nil {
				return err
			}
			if _, own := out.own(); !own {
				return out.object(o)
			}
			return k.describe(cmd.Context(), c, o)
		},
	}
	out.addFormat(cmd)
	return cmd
}
