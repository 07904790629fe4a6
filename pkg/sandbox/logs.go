package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	followInterval = 200 * time.Millisecond
	logEndSize     = 3 << 10
)

// LogNames are the components that have a log, the supervisor's own among them.
func (s *Sandbox) LogNames() ([]string, error) {
	entries, err := os.ReadDir(s.dir.Logs())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".log"); ok {
			names = append(names, name)
		}
	}
	return names, nil
}

// Logs writes a component's log, and with follow what is added to it until the context ends.
func (s *Sandbox) Logs(ctx context.Context, component string, follow bool, out io.Writer) error {
	names, err := s.LogNames()
	if err != nil {
		return err
	}
	if !slices.Contains(names, component) {
		return fmt.Errorf("there is no log of %q: the components are %s", component, strings.Join(names, ", "))
	}
	file, err := os.Open(s.dir.Log(component))
	if err != nil {
		return err
	}
	defer file.Close()
	ticker := time.NewTicker(followInterval)
	defer ticker.Stop()
	for {
		if _, err := io.Copy(out, file); err != nil {
			return err
		}
		if !follow {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func logEnd(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > logEndSize {
		if _, err := file.Seek(-logEndSize, io.SeekEnd); err != nil {
			return err.Error()
		}
	}
	data, err := io.ReadAll(file)
	if err != nil {
		return err.Error()
	}
	return string(data)
}
