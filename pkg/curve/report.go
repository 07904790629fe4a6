package curve

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"time"
)

const (
	// Prefix is what a line begins with that reports metrics.
	Prefix = "queueyard "
	// StepName is the name under which a report says how far the operation has come.
	StepName = "step"
	// MaxLine is the longest line that is a report, in bytes.
	MaxLine = 8 << 10
	// MaxMetrics is how many metrics a report has at most.
	MaxMetrics = 100
	// MaxStep is the last step that counts: beyond, not every integer is a number of JSON.
	MaxStep = 1 << 53
)

// Report is what an operation says of itself at one step, such as an epoch. Values that are not finite are NaN.
type Report struct {
	Step   int64
	Values map[string]float64
}

// Parse reads a line of a log. It is no report (false) if it does not begin as one, is too long or was cut, has no integer
// step of 0 or more, or has no or too many metrics. Members that are no numbers are passed over.
func Parse(line []byte) (Report, bool) {
	object, is := bytes.CutPrefix(bytes.TrimRight(line, "\r\n"), []byte(Prefix))
	if !is || len(line) > MaxLine {
		return Report{}, false
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(quoteNonFinite(object), &members) != nil {
		return Report{}, false
	}
	step, is := stepOf(members[StepName])
	if !is || len(members)-1 > MaxMetrics {
		return Report{}, false
	}
	r := Report{Step: step, Values: make(map[string]float64, len(members)-1)}
	for name, raw := range members {
		if value, is := valueOf(raw); is && name != StepName {
			r.Values[name] = value
		}
	}
	return r, len(r.Values) > 0
}

// Log reads the reports of a log in which every line begins with its time, as the API server gives it, in their order. It
// says when the last line was written.
func Log(data []byte, each func(Report)) (last time.Time) {
	for line := range bytes.Lines(data) {
		stamp, text, found := bytes.Cut(line, []byte{' '})
		at, err := time.Parse(time.RFC3339Nano, string(stamp))
		if !found || err != nil {
			continue
		}
		last = at
		if r, is := Parse(text); is {
			each(r)
		}
	}
	return last
}

// stepOf is a step: an integer, also one that is written as 3.0.
func stepOf(raw json.RawMessage) (int64, bool) {
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || f != math.Trunc(f) || f < 0 || f > MaxStep {
		return 0, false
	}
	return int64(f), true
}

// nonFinite are the words for what is no finite number, as languages write it.
var nonFinite = map[string]bool{"NaN": true, "nan": true, "Infinity": true, "-Infinity": true, "inf": true, "-inf": true, "Inf": true, "-Inf": true, "+Inf": true}

// valueOf is a number. What stands for one that is not finite is NaN; so is null, which some languages write for it.
func valueOf(raw json.RawMessage) (value float64, is bool) {
	var text string
	switch {
	case string(raw) == "null":
		return math.NaN(), true
	case len(raw) > 0 && raw[0] == '"':
		return math.NaN(), json.Unmarshal(raw, &text) == nil && nonFinite[text]
	case len(raw) == 0 || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9'):
		return 0, false
	}
	value, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || math.IsInf(value, 0) { // JSON has no bound for numbers
		return math.NaN(), true
	}
	return value, true
}

// quoteNonFinite makes strings of the words that Python and others write into JSON though it has none for them.
func quoteNonFinite(object []byte) []byte {
	var out []byte
	done, inString := 0, false
	for i := 0; i < len(object); i++ {
		switch c := object[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case !inString && (c == ':' || c == ' '):
			word := object[i+1:]
			if end := bytes.IndexAny(word, ",} \t"); end >= 0 && nonFinite[string(word[:end])] {
				out = append(out, object[done:i+1]...)
				out = append(append(append(out, '"'), word[:end]...), '"')
				i += end
				done = i + 1
			}
		}
	}
	if done == 0 {
		return object
	}
	return append(out, object[done:]...)
}
