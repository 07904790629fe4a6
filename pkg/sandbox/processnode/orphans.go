package processnode

import (
	"bytes"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/queueyard/queueyard/pkg/sandbox/layout"
)

// ownerVariable marks every process of a pod with the sandbox it belongs to.
const ownerVariable = "QUEUEYARD_SANDBOX_DIR"

// killOrphans ends what pods left behind when the node died: the kernel kills the children of a dead node, but not
// their children.
func killOrphans(dir layout.Dir) error {
	environments, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return err
	}
	mark := []byte(ownerVariable + "=" + string(dir))
	for _, path := range environments {
		data, err := os.ReadFile(path)
		if err != nil {
			// It ended meanwhile, or belongs to another user and so not to us.
			continue
		}
		for _, variable := range bytes.Split(data, []byte{0}) {
			if !bytes.Equal(variable, mark) {
				continue
			}
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			if err != nil {
				return err
			}
			log.Printf("killing process %d, left over from a pod", pid)
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	return nil
}
