package expression

import (
	"strings"
	"unicode/utf8"
)

const (
	opening = "{{"
	closing = "}}"
)

// piece is a part of a string: literal text, or the source of an expression.
type piece struct {
	text         string
	expression   bool
	line, column int // where text begins, from 0
}

// split cuts a string at its expressions. whole is true when the string is one expression and nothing else. One
// expression more than a template may have is the last: nobody wants the rest.
func split(s string) (pieces []piece, whole bool, bad *fault) {
	rest := 0
	var at place
	for n := 0; n <= MaxExpressions; n++ {
		start := strings.Index(s[rest:], opening)
		if start < 0 {
			break
		}
		start += rest
		end := closingOf(s, start+len(opening))
		if end < 0 {
			at = at.to(s, start)
			return nil, false, &fault{at.line, at.column, "{{ is not closed", `write }} after the expression, or {{ "{{" }} for the braces themselves`}
		}
		if start > rest {
			pieces = append(pieces, piece{text: s[rest:start]})
		}
		source := s[start+len(opening) : end]
		begins := start + len(opening) + len(source) - len(strings.TrimLeft(source, " \t\r\n"))
		at = at.to(s, begins)
		pieces = append(pieces, piece{text: strings.TrimSpace(source), expression: true, line: at.line, column: at.column})
		rest = end + len(closing)
	}
	if rest < len(s) {
		pieces = append(pieces, piece{text: s[rest:]})
	}
	return pieces, len(pieces) == 1 && pieces[0].expression, nil
}

// closingOf finds the }} that ends the expression which begins at i: one outside of the expression's own
// strings, comments and braces. It is -1 where there is none.
func closingOf(s string, i int) int {
	depth := 0
	for i < len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\'':
			i = afterQuote(s, i)
			continue
		case c == '/' && strings.HasPrefix(s[i:], "//"):
			newline := strings.IndexByte(s[i:], '\n')
			if newline < 0 {
				return -1
			}
			i += newline
		case c == '{':
			depth++
		case c == '}' && depth > 0:
			depth--
		case c == '}' && strings.HasPrefix(s[i:], closing):
			return i
		}
		i++
	}
	return -1
}

// afterQuote is the index after the CEL string that begins at i.
func afterQuote(s string, i int) int {
	raw := rawPrefix(s, i)
	quote := s[i : i+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(s[i:], triple) {
		quote = triple
	}
	for i += len(quote); i < len(s); i++ {
		if s[i] == '\\' && !raw {
			i++
		} else if strings.HasPrefix(s[i:], quote) {
			return i + len(quote)
		}
	}
	return len(s)
}

// rawPrefix tells whether the quote at i begins a raw string: r"", rb"", br"".
func rawPrefix(s string, i int) bool {
	start := i
	for start > 0 && isWord(s[start-1]) {
		start--
	}
	switch strings.ToLower(s[start:i]) {
	case "r", "rb", "br":
		return true
	}
	return false
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// place is where a byte of a string is, for people: lines and characters, from 0.
type place struct{ index, line, column int }

// to is a later place of the same string.
func (p place) to(s string, index int) place {
	between := s[p.index:index]
	if lines := strings.Count(between, "\n"); lines > 0 {
		p.line, p.column = p.line+lines, 0
		between = between[strings.LastIndexByte(between, '\n')+1:]
	}
	return place{index, p.line, p.column + utf8.RuneCountInString(between)}
}
