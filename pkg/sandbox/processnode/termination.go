package processnode

import (
	"bytes"
	"io"
	"os"

	corev1 "k8s.io/api/core/v1"
)

// Limits of a termination message, as a kubelet has them.
const (
	maxMessageBytes    = 4096
	maxMessageLogBytes = 2048
	maxMessageLogLines = 80
)

// terminationMessage is what the container wrote for it, or with the policy to fall back, the end of a failed
// container's log.
func terminationMessage(policy corev1.TerminationMessagePolicy, file, log string, code int32) string {
	if f, err := os.Open(file); err == nil {
		defer f.Close()
		if data, err := io.ReadAll(io.LimitReader(f, maxMessageBytes)); err == nil && len(data) > 0 {
			return string(bytes.ToValidUTF8(data, nil))
		}
	}
	if policy != corev1.TerminationMessageFallbackToLogsOnError || code == 0 {
		return ""
	}
	data, err := os.ReadFile(log)
	if err != nil {
		return ""
	}
	lines := bytes.SplitAfter(data, []byte{'\n'})
	var text []byte
	for _, line := range lines[max(0, len(lines)-maxMessageLogLines-1):] {
		if e, ok := parseEntry(line); ok {
			text = append(text, e.text...)
		}
	}
	return string(bytes.ToValidUTF8(text[max(0, len(text)-maxMessageLogBytes):], nil))
}
