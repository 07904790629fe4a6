package audit

import (
	"time"

	"k8s.io/apimachinery/pkg/runtime"
)

// Event is one change of one object as a watch shows it, or, without an object, the passing of time.
type Event struct {
	Time    time.Time
	Object  runtime.Object
	Deleted bool
	// Found says that the object was there when the audit began: nobody can say what led to it.
	Found bool
}
