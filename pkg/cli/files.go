package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/queueyard/queueyard/pkg/lint"
)

// standardInput is how it is written among files.
const standardInput = "-"

// manifestNames are the ends of names of files that a directory is searched for.
var manifestNames = []string{".yaml", ".yml", ".json"}

// documents reads the objects of files, of directories all files in them, and of standard input.
func (s *Shell) documents(names []string) ([]*lint.Document, error) {
	var out []*lint.Document
	for _, name := range names {
		if name == standardInput {
			content, err := io.ReadAll(s.In)
			if err != nil {
				return nil, err
			}
			out = append(out, lint.Documents("standard input", content, 1)...)
			continue
		}
		files, err := filesOf(name)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			out = append(out, lint.Documents(file, content, 1)...)
		}
	}
	return out, nil
}

// filesOf is a file, or all of a directory that may hold objects.
func filesOf(name string) ([]string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{name}, nil
	}
	entries, err := os.ReadDir(name)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if !e.IsDir() && slices.Contains(manifestNames, filepath.Ext(e.Name())) {
			out = append(out, filepath.Join(name, e.Name()))
		}
	}
	if out == nil {
		return nil, fmt.Errorf("directory %s has no file of YAML or JSON", name)
	}
	return out, nil
}

// here is the namespace of objects that name none. No cluster is asked.
func (s *Shell) here() (string, error) {
	namespace, _, err := s.flags.ToRawKubeConfigLoader().Namespace()
	return namespace, err
}
