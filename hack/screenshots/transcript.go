package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	readme = "README.md"
	begin  = "<!-- transcript: make screenshots -->\n"
	end    = "<!-- end of transcript -->\n"
)

// transcript writes what qy says of the stage into the README, between its marks.
func transcript(ctx context.Context, s *stage) error {
	var text strings.Builder
	text.WriteString("```console\n")
	for i, line := range []string{"queues list", "why train-3", "statuses score"} {
		if i > 0 {
			text.WriteString("\n")
		}
		cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "qy"), append(strings.Fields(line), "--kubeconfig", s.sandbox.Kubeconfig(), "-n", namespace)...) // #nosec G204 -- of this program
		var said, wrong bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &wrong
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("qy %s: %w: %s", line, err, wrong.String())
		}
		fmt.Fprintf(&text, "$ qy %s\n%s", line, said.String())
	}
	text.WriteString("```\n")
	whole, err := os.ReadFile(readme)
	if err != nil {
		return err
	}
	changed, err := between(string(whole), text.String())
	if err != nil {
		return fmt.Errorf("%s: %w", readme, err)
	}
	fmt.Println("writing the transcript in " + readme)
	return os.WriteFile(readme, []byte(changed), 0o644) // #nosec G306 -- everybody reads it
}

// between puts a text between the marks.
func between(whole, text string) (string, error) {
	before, rest, ok := strings.Cut(whole, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return "", fmt.Errorf("the marks %q and %q are not there in this order", strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return before + begin + text + end + after, nil
}
