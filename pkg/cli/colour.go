package cli

import (
	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// colour is how a word is shown on a terminal; the word itself says as much.
type colour string

const (
	plain  colour = ""
	red    colour = "\x1b[31m"
	green  colour = "\x1b[32m"
	yellow colour = "\x1b[33m"
	grey   colour = "\x1b[90m"
	reset         = "\x1b[0m"
)

func (s *Shell) paint(c colour, text string) string {
	if c == plain || !s.Colours {
		return text
	}
	return string(c) + text + reset
}

// statusCell is a status in its colour.
func statusCell(s v1alpha1.Status) cell {
	if s == "" {
		return cell{}
	}
	return cell{string(s), statusColour(s)}
}

// statusColour: red failed, green succeeded, grey never goes on, yellow waits or is in trouble.
func statusColour(s v1alpha1.Status) colour {
	switch s {
	case v1alpha1.StatusFailed, v1alpha1.StatusUpstreamFailed:
		return red
	case v1alpha1.StatusSucceeded:
		return green
	case v1alpha1.StatusStopped, v1alpha1.StatusStopping, v1alpha1.StatusSkipped:
		return grey
	case v1alpha1.StatusScheduled, v1alpha1.StatusStarting, v1alpha1.StatusRunning:
		return plain
	}
	return yellow
}
