// Command render writes the plain manifests that a chart stands for.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"helm.sh/helm/v4/pkg/chart/v2/loader"

	"github.com/queueyard/queueyard/hack/tools/chart"
)

func main() {
	source := flag.String("chart", "../../../charts/queueyard", "directory of the chart")
	to := flag.String("to", "../../../manifests", "directory that gets the manifests")
	tag := flag.String("tag", "", "tag of the images; empty: the chart's appVersion")
	all := flag.String("everything", "", "file that gets the chart with all its parts")
	flag.Parse()
	if err := run(*source, *to, *tag, *all); err != nil {
		fmt.Fprintln(os.Stderr, "render:", err)
		os.Exit(1)
	}
}

func run(source, to, tag, all string) error {
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
	if all != "" {
		values := maps.Clone(chart.Everything)
		values["crds"] = chart.Values{"install": false} // they are in install/crds
		text, err := chart.One(c, values)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(all), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(all, []byte(text), 0o644); err != nil {
			return err
		}
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
