package processnode

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"time"
)

// followInterval is how often a followed log is looked at.
const followInterval = 100 * time.Millisecond

// streamLog writes one run's log to out. With follow it goes on until ended is true and all is read.
func streamLog(ctx context.Context, path string, q logQuery, ended func() bool, out io.Writer, flush func()) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if q.tail >= 0 {
		if err := seekTail(file, q); err != nil {
			return err
		}
	}
	limited := &limitedWriter{out: out, left: q.limit}
	reader := bufio.NewReader(file)
	var partial []byte
	ticker := time.NewTicker(followInterval)
	defer ticker.Stop()
	for {
		// Asked before reading: what was written before the end is then surely read.
		last := !q.follow || ended()
		for {
			line, err := reader.ReadBytes('\n')
			partial = append(partial, line...)
			if err != nil {
				break
			}
			if e, ok := parseEntry(partial); ok && !e.time.Before(q.since) {
				if err := writeEntry(limited, e, q.timestamps); err != nil {
					return ignoreLimit(err)
				}
			}
			partial = partial[:0]
		}
		flush()
		if last {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func writeEntry(out io.Writer, e entry, timestamps bool) error {
	if timestamps {
		if _, err := out.Write(append(bytes.Clone(e.stamp), ' ')); err != nil {
			return err
		}
	}
	_, err := out.Write(e.text)
	return err
}

// seekTail moves to the last entries that the query asks for.
func seekTail(file *os.File, q logQuery) error {
	var starts []int64
	var offset int64
	reader := bufio.NewReader(file)
	for {
		line, err := reader.ReadBytes('\n')
		if err != nil {
			break
		}
		if e, ok := parseEntry(line); ok && !e.time.Before(q.since) {
			starts = append(starts, offset)
		}
		offset += int64(len(line))
	}
	if skip := int64(len(starts)) - q.tail; skip > 0 {
		starts = starts[skip:]
	}
	if len(starts) > 0 {
		offset = starts[0]
	}
	_, err := file.Seek(offset, io.SeekStart)
	return err
}

var errLimit = errors.New("limit reached")

func ignoreLimit(err error) error {
	if errors.Is(err, errLimit) {
		return nil
	}
	return err
}

// limitedWriter stops after so many bytes; a negative number is no limit.
type limitedWriter struct {
	out  io.Writer
	left int64
}

func (w *limitedWriter) Write(data []byte) (int, error) {
	if w.left < 0 {
		return w.out.Write(data)
	}
	cut := data[:min(int64(len(data)), w.left)]
	w.left -= int64(len(cut))
	n, err := w.out.Write(cut)
	if err == nil && w.left == 0 {
		err = errLimit
	}
	return n, err
}
