package processnode

import (
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// logQuery is what a request for logs asks for.
type logQuery struct {
	follow, previous, timestamps bool
	// since is the earliest time, zero for all.
	since time.Time
	// tail is how many of the last lines, and limit how many bytes; -1 is all.
	tail, limit int64
}

func parseLogQuery(values url.Values, now time.Time) (logQuery, error) {
	q := logQuery{tail: -1, limit: -1}
	for name, target := range map[string]*bool{"follow": &q.follow, "previous": &q.previous, "timestamps": &q.timestamps} {
		if text := values.Get(name); text != "" {
			value, err := strconv.ParseBool(text)
			if err != nil {
				return q, fmt.Errorf("%s must be true or false, not %q", name, text)
			}
			*target = value
		}
	}
	seconds := int64(-1)
	for name, target := range map[string]*int64{"tailLines": &q.tail, "limitBytes": &q.limit, "sinceSeconds": &seconds} {
		if text := values.Get(name); text != "" {
			value, err := strconv.ParseInt(text, 10, 64)
			if err != nil || value < 0 {
				return q, fmt.Errorf("%s must be a number of 0 or more, not %q", name, text)
			}
			*target = value
		}
	}
	if seconds >= 0 {
		q.since = now.Add(-time.Duration(seconds) * time.Second)
	}
	if text := values.Get("sinceTime"); text != "" {
		since, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return q, fmt.Errorf("sinceTime must be a time like 2006-01-02T15:04:05Z, not %q", text)
		}
		q.since = since
	}
	return q, nil
}
