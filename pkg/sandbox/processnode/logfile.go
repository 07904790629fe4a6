package processnode

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// maxLine is the longest piece of output that is kept as one entry.
const maxLine = 16 << 10

// Each entry of a log file is a line: the time, full or partial, and the text. A partial entry had no line end.
const (
	entryFull    = 'F'
	entryPartial = 'P'
	entryTime    = "2006-01-02T15:04:05.000000000Z07:00"
)

// logPath is the log of one run of a container. The logs of the last two runs are kept.
func logPath(dir string, restart int) string {
	return filepath.Join(dir, strconv.Itoa(restart)+".log")
}

// logWriter writes the output of a container as timed entries.
type logWriter struct {
	mu     sync.Mutex
	file   *os.File
	buffer []byte
}

func newLogWriter(path string) (*logWriter, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &logWriter{file: file}, nil
}

func (w *logWriter) Write(data []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buffer = append(w.buffer, data...)
	var entries []byte
	for {
		end := bytes.IndexByte(w.buffer, '\n')
		switch {
		case end >= 0 && end <= maxLine:
			entries = appendEntry(entries, entryFull, w.buffer[:end])
			w.buffer = w.buffer[end+1:]
		case len(w.buffer) > maxLine:
			entries = appendEntry(entries, entryPartial, w.buffer[:maxLine])
			w.buffer = w.buffer[maxLine:]
		default:
			_, err := w.file.Write(entries)
			return len(data), err
		}
	}
}

// Close writes what had no line end.
func (w *logWriter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.buffer) > 0 {
		if _, err := w.file.Write(appendEntry(nil, entryPartial, w.buffer)); err != nil {
			return err
		}
	}
	return w.file.Close()
}

func appendEntry(to []byte, kind byte, text []byte) []byte {
	to = time.Now().UTC().AppendFormat(to, entryTime)
	to = append(to, ' ', kind, ' ')
	to = append(to, text...)
	return append(to, '\n')
}

// entry is one parsed line of a log file.
type entry struct {
	time time.Time
	stamp,
	// text has its line end, if it had one.
	text []byte
}

func parseEntry(line []byte) (entry, bool) {
	stamp, rest, ok := bytes.Cut(line, []byte{' '})
	if !ok || len(rest) < 2 || rest[1] != ' ' {
		return entry{}, false
	}
	t, err := time.Parse(entryTime, string(stamp))
	if err != nil {
		return entry{}, false
	}
	text := bytes.TrimSuffix(rest[2:], []byte{'\n'})
	if rest[0] == entryFull {
		text = append(bytes.Clone(text), '\n')
	}
	return entry{time: t, stamp: stamp, text: text}, true
}
