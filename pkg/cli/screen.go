package cli

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// screen draws pictures over each other on a terminal.
type screen struct {
	shell *Shell
	drawn int // lines of the last picture
}

func (d *screen) draw(text string) {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if d.drawn > 0 {
		fmt.Fprintf(d.shell.Out, "\x1b[%dA", d.drawn)
	}
	width := d.shell.Width()
	for _, line := range lines {
		fmt.Fprintf(d.shell.Out, "\x1b[2K%s\n", cut(line, width))
	}
	fmt.Fprint(d.shell.Out, "\x1b[J")
	d.drawn = len(lines)
}

// cut keeps of a line what fits in a width; colours take no room.
func cut(line string, width int) string {
	if width <= 0 {
		return line
	}
	var out strings.Builder
	seen, coloured := 0, false
	for i := 0; i < len(line); {
		if line[i] == '\x1b' {
			end := i + strings.IndexByte(line[i:], 'm') + 1
			coloured = line[i:end] != reset
			out.WriteString(line[i:end])
			i = end
			continue
		}
		r, size := utf8.DecodeRuneInString(line[i:])
		if seen == width-1 && utf8.RuneCountInString(line[i:]) > 1 {
			out.WriteString("…")
			if coloured {
				out.WriteString(reset)
			}
			break
		}
		out.WriteRune(r)
		seen++
		i += size
	}
	return out.String()
}
