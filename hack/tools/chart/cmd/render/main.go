// Command render writes the plain manifests that a chart stands for.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"helm.sh/helm/v4/pkg/chart/v2/loader"

	"github.com/queueyard/queueyard/hack/tools/chart"
)

func main() {
	source := flag.String("chart", "../../../charts/queueyard", "directory of the chart")
	to := flag.String("to", "../../../manifests", "directory that gets the manifests")
	tag := flag.String("tag", "", "tag of the images; empty: the chart's appVersion")
	flag.Parse()
	if err := run(*source, *to, *tag); err != nil {
		fmt.Fprintln(os.Stderr, "render:", err)
		os.Exit(1)
	}
}

func run(source, to, tag string) error {
	c, err := loader.Load(source)
	if err != nil {
		return err
	}
	values := chart.Values{}
	if tag != "" {
		values["image"] = chart.Values{"tag": tag}
	}
	files, err := chart.Plain(c, values)
	if err != nil {
		return err
	}
	for name, text := range files {
		path := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
