package harness

import (
	"bufio"
	"bytes"
	"iter"
	"regexp"
	"strconv"
	"strings"
)

var metricLabel = regexp.MustCompile(`(\w+)="([^"]*)"`)

// series are the labels and values of a metric in Prometheus' text format.
func series(text []byte, name string) iter.Seq2[map[string]string, float64] {
	return func(yield func(map[string]string, float64) bool) {
		lines := bufio.NewScanner(bytes.NewReader(text))
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			line := lines.Text()
			rest, found := strings.CutPrefix(line, name)
			if !found || rest == "" || rest[0] != '{' && rest[0] != ' ' {
				continue
			}
			labels := map[string]string{}
			for _, m := range metricLabel.FindAllStringSubmatch(line, -1) {
				labels[m[1]] = m[2]
			}
			value, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
			if err == nil && !yield(labels, value) {
				return
			}
		}
	}
}
