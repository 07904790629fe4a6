package params

import "strings"

// Error is one thing wrong with a param or its declaration.
type Error struct {
	// Path is where it stands: spec.params.lr.
	Path string
	// Message says what is wrong, Remedy what to do about it.
	Message, Remedy string
}

func (e *Error) Error() string { return e.Path + ": " + e.Message + ": " + e.Remedy }

// ErrorList is what is wrong, in the order of the declarations, and unknown params last.
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
