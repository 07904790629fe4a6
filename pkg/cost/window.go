package cost

import (
	"fmt"
	"time"
)

// The windows that follow the calendar, in UTC. Any other window is a duration.
const (
	Hour  = "hour"
	Day   = "day"
	Month = "month"
)

// Window is the stretch of time that a budget is for: hour, day or month of the calendar (UTC), or one
// of the windows of a duration that follow each other since 1970.
func Window(name string, now time.Time) (start, end time.Time, err error) {
	now = now.UTC()
	switch name {
	case Hour:
		start = now.Truncate(time.Hour)
		return start, start.Add(time.Hour), nil
	case Day:
		start = time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
		return start, start.AddDate(0, 0, 1), nil
	case Month:
		start = time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
		return start, start.AddDate(0, 1, 0), nil
	}
	length, err := time.ParseDuration(name)
	if err != nil || length < time.Minute {
		return start, end, fmt.Errorf("window %q is neither hour, day, month nor a duration of at least 1m, such as 168h", clip(name))
	}
	start = time.Unix(0, now.UnixNano()/int64(length)*int64(length)).UTC()
	return start, start.Add(length), nil
}
