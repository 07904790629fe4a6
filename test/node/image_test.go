package node

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
)

// image is one layer of static files, without a registry and without a base: enough for a test's containers.
type image struct {
	ref        string
	entrypoint []string
	env        []string
	// files are contents by path; links are targets by path.
	files map[string][]byte
	links map[string]string
}

// archive writes the image in the form that docker save gives and containerd imports.
func (i image) archive(file string) error {
	layer, err := i.layer()
	if err != nil {
		return err
	}
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Env": i.env, "Entrypoint": i.entrypoint, "WorkingDir": "/"},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(layer))}},
	})
	if err != nil {
		return err
	}
	manifest, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": []string{i.ref}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return err
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	w := tar.NewWriter(out)
	for _, f := range []struct {
		name string
		data []byte
	}{{"manifest.json", manifest}, {"config.json", config}, {"layer.tar", layer}} {
		if err := add(w, f.name, f.data, 0o644); err != nil {
			return err
		}
	}
	return w.Close()
}

func (i image) layer() ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	made := map[string]bool{".": true}
	for _, name := range slices.Sorted(maps.Keys(i.files)) {
		if err := parents(w, made, name); err != nil {
			return nil, err
		}
		if err := add(w, name, i.files[name], 0o755); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(i.links)) {
		if err := parents(w, made, name); err != nil {
			return nil, err
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: i.links[name], Mode: 0o777}); err != nil {
			return nil, err
		}
	}
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}); err != nil {
		return nil, err
	}
	err := w.Close()
	return out.Bytes(), err
}

func parents(w *tar.Writer, made map[string]bool, name string) error {
	dir := path.Dir(name)
	if made[dir] {
		return nil
	}
	if err := parents(w, made, dir); err != nil {
		return err
	}
	made[dir] = true
	return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755})
}

func add(w *tar.Writer, name string, data []byte, mode int64) error {
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(data)), Mode: mode}); err != nil {
		return err
	}
	_, err := io.Copy(w, bytes.NewReader(data))
	return err
}

// busyboxApplets are what containers call beside awk, in which Debian's busybox lacks mathematics.
var busyboxApplets = []string{"cat", "echo", "false", "printf", "sh", "sleep", "test", "true", "wget"}

// shell is an image with a shell and awk, both static, and further files.
func shell(ref, awk string, files map[string][]byte) (image, error) {
	i := image{ref: ref, files: map[string][]byte{}, links: map[string]string{}}
	for name, program := range map[string]string{"bin/busybox": "/bin/busybox", "bin/awk": awk} {
		data, err := os.ReadFile(program)
		if err != nil {
			return image{}, err
		}
		i.files[name] = data
	}
	// Containers of a real node have a file for this, at the same path in all; the process node names it.
	i.env = []string{"PATH=/bin", "TERMINATION_MESSAGE_PATH=/dev/termination-log"}
	for _, applet := range busyboxApplets {
		i.links["bin/"+applet] = "busybox"
	}
	for name, content := range files {
		i.files[strings.TrimPrefix(name, "/")] = content
	}
	return i, nil
}
