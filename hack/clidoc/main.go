// Clidoc writes docs/cli.md: every command of qy, as its own help says it.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/queueyard/queueyard/pkg/cli"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: clidoc FILE")
		os.Exit(1)
	}
	if err := os.WriteFile(os.Args[1], []byte(page()), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "clidoc:", err)
		os.Exit(1)
	}
}

func page() string {
	root := cli.NewCommand(cli.Terminal())
	var text strings.Builder
	fmt.Fprintf(&text, `# qy

<!-- Made from the commands by make generate. -->

%s

`+"`qy` is one program; linked as `kubectl-queueyard` on the path it is also `kubectl queueyard`."+` The cluster, the namespace and who asks are chosen as with kubectl
(`+"`--kubeconfig`, `--context`, `-n`, `--as`"+`; `+"`qy options`"+` lists all). Colours are used on a terminal, unless NO_COLOR is set; what is piped is plain lines.
`+"`qy completion`"+` makes your shell complete commands, flags and names.
`, root.Long)
	for _, group := range root.Groups() {
		fmt.Fprintf(&text, "\n%s\n\n| command | |\n|---|---|\n", group.Title)
		for _, c := range root.Commands() {
			if c.GroupID == group.ID && documented(c) {
				fmt.Fprintf(&text, "| [%s](#%s) | %s |\n", c.Name(), anchor(c), c.Short)
			}
		}
	}
	for _, c := range root.Commands() {
		describe(&text, c)
	}
	return text.String()
}

// documented leaves out what the page says at its head.
func documented(c *cobra.Command) bool { return c.IsAvailableCommand() && c.Name() != "options" }

func anchor(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// describe writes a command and those below it.
func describe(text *strings.Builder, c *cobra.Command) {
	if !documented(c) {
		return
	}
	fmt.Fprintf(text, "\n## %s\n\n%s\n\n```\n%s\n", c.CommandPath(), about(c), c.UseLine())
	if c.Example != "" {
		fmt.Fprintf(text, "\n%s\n", unindented(c.Example))
	}
	text.WriteString("```\n")
	if flags := c.LocalFlags(); flags.HasAvailableFlags() {
		fmt.Fprintf(text, "\n```\n%s```\n", flags.FlagUsages())
	}
	for _, below := range c.Commands() {
		describe(text, below)
	}
}

func about(c *cobra.Command) string {
	if c.Long != "" {
		return c.Long
	}
	return c.Short + "."
}

func unindented(example string) string {
	lines := strings.Split(example, "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], "  ")
	}
	return strings.Join(lines, "\n")
}
