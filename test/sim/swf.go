package sim

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// Job is one line of a trace in the Standard Workload Format of the Parallel Workloads Archive,
// version 2.2: https://www.cs.huji.ac.il/labs/parallel/workload/swf.html. What is not known is -1.
type Job struct {
	Number            int64
	Submit            time.Duration // since the trace's start
	Wait, Run         time.Duration // negative: not known
	Processors        int64         // allocated
	Memory            int64         // used, in KB for each processor
	RequestProcessors int64
	RequestMemory     int64 // in KB for each processor
	Status            int64
	User              int64
	Group             int64
	Queue             int64
}

// The fields of a line that a Job has, from 0.
const (
	fieldNumber = iota
	fieldSubmit
	fieldWait
	fieldRun
	fieldProcessors
	fieldCPUTime
	fieldMemory
	fieldRequestProcessors
	fieldRequestTime
	fieldRequestMemory
	fieldStatus
	fieldUser
	fieldGroup
	fieldExecutable
	fieldQueue
	fieldPartition
	fieldPreceding
	fieldThinkTime
	fields
)

var fieldNames = [fields]string{
	"job number", "submit time", "wait time", "run time", "allocated processors", "average CPU time", "used memory",
	"requested processors", "requested time", "requested memory", "status", "user", "group", "executable", "queue",
	"partition", "preceding job", "think time",
}

// Trace reads the jobs of a trace one by one. A comment starts with a semicolon.
type Trace struct {
	name   string
	lines  *bufio.Scanner
	line   int
	submit time.Duration
}

// NewTrace reads a trace; the name is for errors.
func NewTrace(name string, r io.Reader) *Trace {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	return &Trace{name: name, lines: lines}
}

const maxLine = 64 << 10

// Next is the next job; io.EOF after the last. Errors name the line and what is wrong with it.
func (t *Trace) Next() (Job, error) {
	for t.lines.Scan() {
		t.line++
		text := strings.TrimSpace(t.lines.Text())
		if text == "" || text[0] == ';' {
			continue
		}
		job, err := parseJob(text)
		if err == nil && job.Submit < t.submit {
			err = fmt.Errorf("submit time: %s is before the line above, %s: sort the jobs by it", job.Submit, t.submit)
		}
		if err != nil {
			return Job{}, t.at(err)
		}
		t.submit = job.Submit
		return job, nil
	}
	if err := t.lines.Err(); err != nil {
		t.line++
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("longer than %d bytes: this is not a trace", maxLine)
		}
		return Job{}, t.at(err)
	}
	return Job{}, io.EOF
}

func (t *Trace) at(err error) error { return fmt.Errorf("%s: line %d: %w", t.name, t.line, err) }

func parseJob(text string) (Job, error) {
	columns := strings.Fields(text)
	if len(columns) != fields {
		return Job{}, fmt.Errorf("%d fields: a job has %d; comments start with a semicolon", len(columns), fields)
	}
	var whole [fields]int64
	var times [fields]time.Duration
	for i, column := range columns {
		var err error
		switch i {
		case fieldSubmit, fieldWait, fieldRun, fieldCPUTime, fieldRequestTime, fieldThinkTime:
			times[i], err = parseTime(column)
		default:
			whole[i], err = parseWhole(column)
		}
		if err != nil {
			return Job{}, fmt.Errorf("field %d, %s: %w", i+1, fieldNames[i], err)
		}
	}
	if times[fieldSubmit] < 0 {
		return Job{}, fmt.Errorf("field %d, %s: is missing", fieldSubmit+1, fieldNames[fieldSubmit])
	}
	return Job{
		Number:            whole[fieldNumber],
		Submit:            times[fieldSubmit],
		Wait:              times[fieldWait],
		Run:               times[fieldRun],
		Processors:        whole[fieldProcessors],
		Memory:            whole[fieldMemory],
		RequestProcessors: whole[fieldRequestProcessors],
		RequestMemory:     whole[fieldRequestMemory],
		Status:            whole[fieldStatus],
		User:              whole[fieldUser],
		Group:             whole[fieldGroup],
		Queue:             whole[fieldQueue],
	}, nil
}

// parseTime reads seconds, which may have a fraction.
func parseTime(s string) (time.Duration, error) {
	seconds, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil || math.IsNaN(seconds):
		return 0, fmt.Errorf("%q is no number of seconds", s)
	case seconds == -1:
		return -1, nil
	case seconds < 0 || seconds > maxTime.Seconds():
		return 0, fmt.Errorf("%s seconds must be between 0 and %.0f, or -1 for unknown", s, maxTime.Seconds())
	}
	return time.Duration(seconds * float64(time.Second)).Round(time.Millisecond), nil
}

func parseWhole(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is no whole number", s)
	case n < -1 || n > maxWhole:
		return 0, fmt.Errorf("%d must be between 0 and %d, or -1 for unknown", n, int64(maxWhole))
	}
	return n, nil
}

// maxWhole keeps processors times memory inside what the ledger counts.
const maxWhole = 1 << 40
