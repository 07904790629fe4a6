package cli

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// screen draws pictures over each other on a terminal.
type screen struct {
	shell *Shell
	drawn int // lines of the last picture
}

func (d *screen) draw(text string) {
	width, height := d.shell.Size()
	lines := fold(strings.Split(strings.TrimRight(text, "\n"), "\n"), height)
	if d.drawn > 0 {
		fmt.Fprintf(d.shell.Out, "\x1b[%dA", d.drawn)
	}
	for _, line := range lines {
		fmt.Fprintf(d.shell.Out, "\x1b[2K%s\n", cut(line, width))
	}
	fmt.Fprint(d.shell.Out, "\x1b[J")
	d.drawn = len(lines)
}

// fold keeps the two lines of headings and the last ones, as many as a terminal shows: what has left it is not drawn over.
func fold(lines []string, height int) []string {
	const headings = 2
	if over := len(lines) - (height - 1); height > headings+1 && over > 0 {
		return slices.Delete(lines, headings, headings+over)
	}
	return lines
}

// escapes are colours, which take no room.
var escapes = regexp.MustCompile(`\x1b\[\d*m`)

// cut keeps of a line what fits in a width.
func cut(line string, width int) string {
	if width <= 0 || utf8.RuneCountInString(escapes.ReplaceAllString(line, "")) <= width {
		return line
	}
	var out strings.Builder
	seen, coloured := 0, false
	for seen < width-1 {
		if end := escapes.FindStringIndex(line); end != nil && end[0] == 0 {
			coloured = line[:end[1]] != reset
			out.WriteString(line[:end[1]])
			line = line[end[1]:]
			continue
		}
		_, size := utf8.DecodeRuneInString(line)
		out.WriteString(line[:size])
		line = line[size:]
		seen++
	}
	if coloured {
		out.WriteString(reset)
	}
	return out.String() + "…"
}
