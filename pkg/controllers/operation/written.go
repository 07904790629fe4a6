package operation

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// written keeps the versions of operations that this controller wrote and its cache may not have yet.
// What is decided on an older one is decided in vain.
type written struct {
	mu       sync.Mutex
	versions map[types.UID]*version
}

// version is what was written of an operation, empty while that is under way, and what the cache has
// shown of it since that began.
type version struct{ wrote, seen string }

// begin notes that an operation is about to be written.
func (w *written) begin(op *v1alpha1.Operation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.versions == nil {
		w.versions = map[types.UID]*version{}
	}
	w.versions[op.UID] = &version{}
}

// end notes how that went. What was written has its new version.
func (w *written) end(op *v1alpha1.Operation, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.versions[op.UID]
	if v == nil {
		return
	}
	v.wrote = op.ResourceVersion
	if err != nil || !older(v.seen, v.wrote) {
		delete(w.versions, op.UID)
	}
}

// seen notes what the cache shows.
func (w *written) seen(op *v1alpha1.Operation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.versions[op.UID]
	if v == nil {
		return
	}
	v.seen = op.ResourceVersion
	if v.wrote != "" && !older(v.seen, v.wrote) {
		delete(w.versions, op.UID)
	}
}

// gone forgets a deleted operation.
func (w *written) gone(op *v1alpha1.Operation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.versions, op.UID)
}

// behind says whether a version of an operation is older than what was written.
func (w *written) behind(op *v1alpha1.Operation) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.versions[op.UID]
	return v != nil && v.wrote != "" && older(op.ResourceVersion, v.wrote)
}

// older compares versions; nothing is older than everything, and what can't be compared is not older.
func older(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return a == "" || err == nil && order < 0
}
