package operation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/timeline"
)

// maxOutputs bounds how many outputs an operation has; the kubelet bounds their size to 4096 bytes.
const maxOutputs = 200

// Outputs reads a termination message. An empty one has no outputs; one that is no JSON object has
// none either, and the error says why.
func Outputs(message string) (v1alpha1.Values, error) {
	message = strings.TrimSpace(message)
	if message == "" {
		return nil, nil
	}
	var fields map[string]json.RawMessage
	decoder := json.NewDecoder(strings.NewReader(message))
	if err := decoder.Decode(&fields); err != nil || fields == nil {
		return nil, fmt.Errorf("the termination message is no JSON object and gives no outputs: %s; write one such as {\"accuracy\": 0.93} to the file named by terminationMessagePath (/dev/termination-log)", problem(err, message))
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, fmt.Errorf("the termination message has something behind its JSON object and gives no outputs: write one object only, of at most 4096 bytes")
	}
	if len(fields) > maxOutputs {
		return nil, fmt.Errorf("the termination message has %d outputs, more than %d, and gives none", len(fields), maxOutputs)
	}
	outputs := make(v1alpha1.Values, len(fields))
	for name, raw := range fields {
		var compact bytes.Buffer
		if err := json.Compact(&compact, raw); err != nil {
			return nil, err
		}
		var value any
		if json.Unmarshal(raw, &value) != nil { // the API server would take none of the status
			return nil, fmt.Errorf("output %q of the termination message has a number that is too large for a float, and the message gives no outputs: write it as a string", timeline.LastOf(name, 100))
		}
		outputs[name] = apiextensionsv1.JSON{Raw: compact.Bytes()}
	}
	return outputs, nil
}

func problem(err error, message string) string {
	if err == nil {
		return "it is null"
	}
	if len(message) >= 4096 {
		return fmt.Sprintf("%v (it was cut at 4096 bytes)", err)
	}
	return err.Error()
}
