package node

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// What containers leave on the machine when their runtime ends: processes, mounts, cgroups.

// processes are those whose command line begins with the program and names the directory.
func processes(program, dir string) []int {
	var out []int
	entries, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, e := range entries {
		data, err := os.ReadFile(e)
		if err != nil || !bytes.HasPrefix(data, []byte(program)) || !bytes.Contains(data, []byte(dir)) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(e))); err == nil {
			out = append(out, pid)
		}
	}
	return out
}

func unmountBelow(dir string) {
	data, _ := os.ReadFile("/proc/self/mounts")
	var points []string
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) > 1 && strings.HasPrefix(fields[1], dir+"/") {
			points = append(points, fields[1])
		}
	}
	slices.Sort(points)
	for _, point := range slices.Backward(points) {
		_ = syscall.Unmount(point, syscall.MNT_DETACH)
	}
}

// cgroupControllers are the roots of the machine's cgroup hierarchies, one of them with cgroup v2.
func cgroupControllers() []string {
	const root = "/sys/fs/cgroup"
	if _, err := os.Stat(root + "/cgroup.controllers"); err == nil {
		return []string{root}
	}
	var out []string
	entries, _ := os.ReadDir(root)
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, filepath.Join(root, e.Name()))
		}
	}
	return out
}

func below(cgroup string) []string {
	var out []string
	_ = filepath.WalkDir(cgroup, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			out = append(out, path)
		}
		return nil
	})
	return out
}

func killCgroup(cgroup string) {
	for _, dir := range below(cgroup) {
		data, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		for pid := range strings.FieldsSeq(string(data)) {
			if n, err := strconv.Atoi(pid); err == nil {
				_ = syscall.Kill(n, syscall.SIGKILL)
			}
		}
	}
}

func removeCgroups(cgroup string) {
	for _, dir := range slices.Backward(below(cgroup)) {
		_ = os.Remove(dir)
	}
}
