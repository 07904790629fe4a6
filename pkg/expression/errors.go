package expression

import (
	"fmt"
	"slices"
	"strings"
)

// Error is one thing wrong with a template or a condition.
type Error struct {
	// Path is where the string stands: spec.template.pod.spec.containers[0].args[2].
	Path string
	// Expression is the text between the braces; empty where the fault is the string's.
	Expression string
	// Line and Column are where in the string, from 1.
	Line, Column int
	// Message says what is wrong, Remedy what to do about it.
	Message, Remedy string
}

// maxQuoted is the longest piece of an expression that a sentence repeats.
const maxQuoted = 120

func (e *Error) Error() string {
	var b strings.Builder
	if e.Path != "" {
		b.WriteString(e.Path + ": ")
	}
	if e.Expression != "" {
		fmt.Fprintf(&b, "in {{ %s }}", clip(e.Expression))
		if e.Line > 1 {
			fmt.Fprintf(&b, " (line %d, column %d)", e.Line, e.Column)
		} else if e.Column > 0 {
			fmt.Fprintf(&b, " (column %d)", e.Column)
		}
		b.WriteString(": ")
	}
	b.WriteString(e.Message)
	if e.Remedy != "" {
		b.WriteString(": " + e.Remedy)
	}
	return b.String()
}

// ErrorList is what is wrong with a template, in the order of its paths. It holds at most MaxErrors, and
// then one more that counts the rest.
type ErrorList []*Error

func (l ErrorList) Error() string {
	sentences := make([]string, len(l))
	for i, e := range l {
		sentences[i] = e.Error()
	}
	return strings.Join(sentences, "; ")
}

// Err is the list as an error, or nil when it is empty.
func (l ErrorList) Err() error {
	if len(l) == 0 {
		return nil
	}
	return l
}

// errorCollector keeps the first errors and counts the others.
type errorCollector struct {
	errors  ErrorList
	dropped int
}

func (c *errorCollector) add(errs ...*Error) {
	room := max(0, MaxErrors-len(c.errors))
	kept := min(room, len(errs))
	c.errors = append(c.errors, errs[:kept]...)
	c.dropped += len(errs) - kept
}

func (c *errorCollector) list() ErrorList {
	if c.dropped == 0 {
		return c.errors
	}
	return append(slices.Clip(c.errors), &Error{Message: fmt.Sprintf("and %d more errors", c.dropped)})
}

// fault is an Error whose place is known only relative to the expression's beginning.
type fault struct {
	line, column    int // from 0
	message, remedy string
}

func (f *fault) Error() string { return f.message + ": " + f.remedy }

// site is where an expression begins.
type site struct {
	path         string
	line, column int // from 0
}

func (s site) place(f *fault, source string) *Error {
	e := &Error{Path: s.path, Expression: source, Line: s.line + f.line + 1, Column: f.column + 1, Message: f.message, Remedy: f.remedy}
	if f.line == 0 {
		e.Column += s.column
	}
	return e
}

func clip(text string) string {
	if len(text) <= maxQuoted {
		return text
	}
	return strings.ToValidUTF8(text[:maxQuoted], "") + "..."
}
