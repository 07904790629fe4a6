// Package chart renders and tests charts/queueyard with Helm's own libraries. It is a module of its own, because
// Helm is built with another version of Kubernetes' client.
package chart

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	v2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/engine"
)

// kubeVersion is what charts are rendered for.
const kubeVersion = "v1.36.3"

// Release is where the chart is installed.
var Release = common.ReleaseOptions{Name: "queueyard", Namespace: "queueyard-system", Revision: 1, IsInstall: true}

// Values are what is said on the command line of helm install.
type Values = map[string]any

// Render is what helm install would render: text by template, such as "rbac.yaml".
func Render(chart *v2.Chart, release common.ReleaseOptions, values Values) (map[string]string, error) {
	capabilities := common.DefaultCapabilities.Copy()
	capabilities.KubeVersion = common.KubeVersion{Version: kubeVersion, Major: "1", Minor: "36"}
	all, err := util.ToRenderValues(chart, values, release, capabilities)
	if err != nil {
		return nil, err
	}
	rendered, err := engine.Render(chart, all)
	if err != nil {
		return nil, err
	}
	texts := map[string]string{}
	for name, text := range rendered {
		if name = strings.TrimPrefix(name, chart.Name()+"/templates/"); !strings.HasPrefix(path.Base(name), "_") {
			texts[name] = text
		}
	}
	return texts, nil
}

// plain are the directories of plain manifests: what each is rendered with, and which templates are in it.
var plain = []struct {
	dir       string
	values    Values
	templates []string
}{
	{"install", Values{}, []string{
		"controller.yaml", "defaults.yaml", "disruption.yaml", "network.yaml", "policies.yaml", "rbac.yaml", "roles.yaml",
		"scheduler-config.yaml", "scheduler.yaml", "services.yaml", "visibility.yaml", "webhook.yaml",
	}},
	{"agent", Values{"agent": Values{"name": "agent"}}, []string{"agent.yaml"}},
	{"monitoring", Values{"monitoring": monitored}, []string{"monitoring/dashboard.yaml", "monitoring/rules.yaml", "monitoring/servicemonitors.yaml"}},
}

// renamed are templates whose plain manifest has another name.
var renamed = map[string]string{"agent.yaml": "worker-rbac.yaml"}

// Everything are values that turn on all there is.
var Everything = Values{
	"image":     Values{"registry": "registry.example.com", "pullSecrets": []any{Values{"name": "registry"}}},
	"scheduler": Values{"priorityClassName": "system-cluster-critical", "podLabels": Values{"team": "platform"}, "podAnnotations": Values{"note": "x"}, "extraArgs": []any{"--contention-profiling=false"}},
	"controller": Values{
		"nodeSelector": Values{"kubernetes.io/os": "linux"}, "serviceAccount": Values{"annotations": Values{"note": "x"}},
		"tolerations":         []any{Values{"key": "control-plane", "operator": "Exists"}},
		"podDisruptionBudget": Values{"minAvailable": "50%"},
	},
	"webhook":      Values{"excludedNamespaces": []any{"gatekeeper-system"}},
	"certificates": Values{"certManager": Values{"enabled": true}},
	"dashboard":    Values{"enabled": true, "tlsSecret": "dashboard-tls", "readOnly": true},
	"agent":        Values{"name": "east"},
	"networkPolicy": Values{
		"metricsFrom": []any{Values{"namespaceSelector": Values{"matchLabels": Values{"kubernetes.io/metadata.name": "monitoring"}}}},
		"egress":      Values{"enabled": true, "apiServer": []any{Values{"ipBlock": Values{"cidr": "10.0.0.1/32"}}}},
	},
	"monitoring": monitored,
}

var monitored = Values{"serviceMonitor": Values{"enabled": true}, "rules": Values{"enabled": true}, "dashboard": Values{"enabled": true}}

const generated = "# Made from charts/queueyard by make generate. Change that.\n"

// One is all of a release in one text, hooks and the like included.
func One(chart *v2.Chart, values Values) (string, error) {
	texts, err := Render(chart, Release, values)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if text := strings.TrimSpace(texts[name]); strings.HasSuffix(name, ".yaml") && text != "" {
			b.WriteString("---\n" + strings.TrimPrefix(text, "---\n") + "\n")
		}
	}
	return b.String(), nil
}

// Plain are the plain manifests by path below manifests/. They are the chart's, less what is Helm's.
func Plain(chart *v2.Chart, values Values) (map[string]string, error) {
	files := map[string]string{}
	for _, p := range plain {
		texts, err := Render(chart, Release, util.CoalesceTables(maps.Clone(p.values), values))
		if err != nil {
			return nil, err
		}
		for _, template := range p.templates {
			text := withoutHelm(texts[template])
			if text == "" {
				return nil, fmt.Errorf("%s renders nothing for manifests/%s", template, p.dir)
			}
			name := path.Base(template)
			if other, ok := renamed[template]; ok {
				name = other
			}
			files[path.Join(p.dir, name)] = generated + text
		}
	}
	for _, file := range chart.Files {
		if dir, name := path.Split(file.Name); dir == "files/crds/" {
			files[path.Join("install/crds", name)] = string(file.Data)
		}
	}
	for _, dir := range []string{"install", "monitoring"} {
		files[path.Join(dir, "kustomization.yaml")] = kustomization(files, dir)
	}
	return files, nil
}

// withoutHelm leaves out hooks and empty documents.
func withoutHelm(text string) string {
	var documents []string
	for document := range strings.SplitSeq("\n"+text, "\n---") {
		var lines []string
		for line := range strings.Lines(document) {
			if !strings.Contains(line, "helm.sh/") {
				lines = append(lines, strings.TrimRight(line, " \n"))
			}
		}
		if document = strings.TrimSpace(strings.Join(lines, "\n")); document != "" {
			documents = append(documents, document+"\n")
		}
	}
	return strings.Join(documents, "---\n")
}

func kustomization(files map[string]string, dir string) string {
	var b strings.Builder
	b.WriteString(generated + "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n")
	names := slices.Sorted(maps.Keys(files))
	if dir == "install" {
		// The namespace and the definitions come before what needs them.
		b.WriteString("  - namespace.yaml\n")
		slices.SortStableFunc(names, func(a, b string) int { return strings.Count(b, "/") - strings.Count(a, "/") })
	}
	for _, name := range names {
		if rest, ok := strings.CutPrefix(name, dir+"/"); ok {
			b.WriteString("  - " + rest + "\n")
		}
	}
	return b.String()
}
