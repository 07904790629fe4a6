package cli

import (
	"io"
	"strings"
	"unicode/utf8"
)

// column of a table.
type column struct {
	name string
	wide bool // only with -o wide
}

func columns(names ...string) []column {
	var out []column
	for _, n := range names {
		out = append(out, column{name: n})
	}
	return out
}

func wide(names ...string) []column {
	out := columns(names...)
	for i := range out {
		out[i].wide = true
	}
	return out
}

// cell is a word in a colour.
type cell struct {
	text   string
	colour colour
}

// row makes cells of texts and cells.
func row(values ...any) []cell {
	out := make([]cell, 0, len(values))
	for _, v := range values {
		switch v := v.(type) {
		case cell:
			out = append(out, v)
		case string:
			out = append(out, cell{text: v})
		}
	}
	return out
}

// table is rows under headings.
type table struct {
	columns []column
	rows    [][]cell
	// least are the widths of what was written before, which later rows keep to.
	least []int
}

func (t *table) add(values ...any) { t.rows = append(t.rows, row(values...)) }

// gap stands between columns.
const gap = "   "

// write aligns the columns by what people see, which is not what bytes count.
func (t *table) write(s *Shell, to io.Writer, wide, headers bool) error {
	var lines [][]cell
	if headers {
		head := make([]cell, len(t.columns))
		for i, c := range t.columns {
			head[i] = cell{text: c.name}
		}
		lines = append(lines, head)
	}
	lines = append(lines, t.rows...)
	widths := make([]int, len(t.columns))
	copy(widths, t.least)
	last := 0
	for i, c := range t.columns {
		if c.wide && !wide {
			widths[i] = -1
			continue
		}
		last = i
		for _, line := range lines {
			widths[i] = max(widths[i], utf8.RuneCountInString(orDash(line[i].text)))
		}
	}
	t.least = widths
	var text strings.Builder
	for _, line := range lines {
		for i, c := range line {
			if widths[i] < 0 {
				continue
			}
			word := orDash(c.text)
			text.WriteString(s.paint(c.colour, word))
			if i < last {
				text.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(word)) + gap)
			}
		}
		text.WriteString("\n")
	}
	_, err := io.WriteString(to, text.String())
	return err
}

// indented writes a table inside a description.
func (t *table) indented(s *Shell, to io.Writer) error {
	var text strings.Builder
	if err := t.write(s, &text, false, true); err != nil {
		return err
	}
	_, err := io.WriteString(to, "  "+strings.ReplaceAll(strings.TrimSuffix(text.String(), "\n"), "\n", "\n  ")+"\n")
	return err
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
