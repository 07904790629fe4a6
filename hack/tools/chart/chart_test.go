package chart

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"sigs.k8s.io/yaml"

	v2 "helm.sh/helm/v4/pkg/chart/v2"
)

const (
	root      = "../../.."
	directory = root + "/charts/queueyard"
)

func load(t *testing.T) *v2.Chart {
	t.Helper()
	c, err := loader.Load(directory)
	require.NoError(t, err)
	return c
}

type object map[string]any

func (o object) kind() string { return fmt.Sprint(o["kind"]) }
func (o object) name() string { return fmt.Sprint(o.at("metadata", "name")) }

// at is a field by its path, nil if there is none.
func (o object) at(path ...string) any {
	var value any = map[string]any(o)
	for _, key := range path {
		m, _ := value.(map[string]any)
		value = m[key]
	}
	return value
}

func text(value any) string {
	b, _ := json.Marshal(value)
	return string(b)
}

// objects renders a chart and reads each document strictly: a key that is there twice is an error.
func objects(t *testing.T, values Values) []object {
	t.Helper()
	texts, err := Render(load(t), Release, values)
	require.NoError(t, err)
	var all []object
	for name, rendered := range texts {
		if !strings.HasSuffix(name, ".yaml") {
			continue
		}
		for document := range strings.SplitSeq("\n"+rendered, "\n---\n") {
			o := object{}
			require.NoError(t, yaml.UnmarshalStrict([]byte(document), &o), "%s:\n%s", name, document)
			if len(o) > 0 {
				all = append(all, o)
			}
		}
	}
	return all
}

func find(t *testing.T, all []object, kind, name string) object {
	t.Helper()
	i := slices.IndexFunc(all, func(o object) bool { return o.kind() == kind && o.name() == name })
	require.GreaterOrEqual(t, i, 0, "%s %s is not rendered", kind, name)
	return all[i]
}

func has(all []object, kind, name string) bool {
	return slices.ContainsFunc(all, func(o object) bool { return o.kind() == kind && o.name() == name })
}

// combinations are values that go through different branches of the templates.
var combinations = withFlips(map[string]Values{
	"none":           nil,
	"everything":     Everything,
	"monitoring":     {"monitoring": monitored},
	"no parts":       {"visibility": Values{"enabled": false}, "networkPolicy": Values{"enabled": false}, "defaults": Values{"create": false}, "crds": Values{"install": false}},
	"one replica":    {"scheduler": Values{"replicas": 1}, "controller": Values{"replicas": 1}},
	"dashboard":      {"dashboard": Values{"enabled": true}},
	"digests":        {"scheduler": Values{"image": Values{"digest": "sha256:" + strings.Repeat("0", 64)}}},
	"own scheduling": {"scheduler": Values{"affinity": Values{"nodeAffinity": Values{}}, "configuration": Values{"kind": "KubeSchedulerConfiguration"}}},
	"issuer":         {"certificates": Values{"certManager": Values{"enabled": true, "issuerRef": Values{"kind": "ClusterIssuer", "name": "company"}}}},
	"no replicas":    {"scheduler": Values{"replicas": 0}, "controller": Values{"replicas": 0}},
	"dashboards":     {"dashboard": Values{"enabled": true, "replicas": 3, "readOnly": true}},
	"agent":          {"agent": Values{"name": "east"}},
	"ignore":         {"webhook": Values{"failurePolicy": "Ignore"}},
})

// withFlips adds, for each switch of values.yaml, it alone turned over, and it turned over in everything.
func withFlips(all map[string]Values) map[string]Values {
	for path := range flips {
		all[path+" turned over"] = flipped(path, nil)
		all[path+" turned over in everything"] = flipped(path, Everything)
	}
	return all
}

// flips are the switches of values.yaml, and what is not their default.
var flips = func() map[string]bool {
	data, err := os.ReadFile(filepath.Join(directory, "values.yaml"))
	if err != nil {
		panic(err)
	}
	var values Values
	if err := yaml.Unmarshal(data, &values); err != nil {
		panic(err)
	}
	found := map[string]bool{}
	walk("", values, func(path string, value any) {
		if on, ok := value.(bool); ok {
			found[path] = !on
		}
	})
	return found
}()

// walk calls what it is given with every value below, and its path.
func walk(path string, values Values, see func(path string, value any)) {
	for key, value := range values {
		at := strings.TrimPrefix(path+"."+key, ".")
		see(at, value)
		if below, ok := value.(map[string]any); ok {
			walk(at, below, see)
		}
	}
}

// set is a copy of values with another one at a path.
func set(values Values, path string, value any) Values {
	key, rest, deeper := strings.Cut(path, ".")
	changed := maps.Clone(values)
	if changed == nil {
		changed = Values{}
	}
	if deeper {
		below, _ := changed[key].(Values)
		value = set(below, rest, value)
	}
	changed[key] = value
	return changed
}

// flipped has a switch the other way than its default is, or than everything has it.
func flipped(path string, values Values) Values {
	var now any
	walk("", values, func(at string, value any) {
		if at == path {
			now = value
		}
	})
	if now == flips[path] {
		return set(values, path, !flips[path])
	}
	return set(values, path, flips[path])
}

// Every switch does something.
func TestSwitches(t *testing.T) {
	require.Len(t, flips, 14)
	without, err := One(load(t), nil)
	require.NoError(t, err)
	everything, err := One(load(t), Everything)
	require.NoError(t, err)
	for path := range flips {
		alone, err := One(load(t), flipped(path, nil))
		require.NoError(t, err)
		among, err := One(load(t), flipped(path, Everything))
		require.NoError(t, err)
		require.True(t, alone != without || among != everything, "%s changes nothing", path)
	}
}

// A mistyped key is refused at every level, with its name and where it stands.
func TestTypos(t *testing.T) {
	// What is in them is Kubernetes' or the user's.
	free := regexp.MustCompile(`(^|\.)(nodeSelector|labels|annotations|podLabels|podAnnotations|requests|limits|configuration)$`)
	levels := []string{""}
	walk("", load(t).Values, func(path string, value any) {
		if _, ok := value.(map[string]any); ok && !free.MatchString(path) {
			levels = append(levels, path)
		}
	})
	require.Greater(t, len(levels), 30)
	for _, level := range levels {
		_, err := Render(load(t), Release, set(nil, strings.TrimPrefix(level+".tpyo", "."), true))
		require.ErrorContains(t, err, "'tpyo' not allowed", level)
		where := ""
		if level != "" {
			where = "/" + strings.ReplaceAll(level, ".", "/")
		}
		require.ErrorContains(t, err, "at '"+where+"'", level)
	}
}

// What helm prints after an installation is about that installation.
func TestNotes(t *testing.T) {
	notes := func(values Values) string {
		texts, err := Render(load(t), Release, values)
		require.NoError(t, err)
		return texts["NOTES.txt"]
	}
	for about, c := range map[string]struct {
		values Values
		says   string
	}{
		"the test":           {nil, "helm test queueyard -n queueyard-system"},
		"refusals":           {nil, "refuse new pods, Jobs, operations and workflows"},
		"pods past queues":   {combinations["ignore"], "created past the queues"},
		"no default queue":   {Values{"defaults": Values{"create": false}}, "defaults.create is false"},
		"cert-manager":       {combinations["issuer"], "wait certificate/queueyard-webhook --for=condition=Ready"},
		"a dashboard":        {combinations["dashboard"], "Put an Ingress or a Gateway that speaks TLS before it"},
		"a dashboard by TLS": {Everything, "port-forward service/queueyard-dashboard 8443:443"},
		"metrics":            {combinations["monitoring"], "--clusterrole=queueyard-metrics-reader"},
		"an agent":           {combinations["agent"], "qy agents join east"},
		"no visibility":      {Values{"visibility": Values{"enabled": false}}, "visibility.enabled is false"},
	} {
		require.Contains(t, notes(c.values), c.says, about)
		if c.values != nil {
			require.NotContains(t, notes(nil), c.says, about)
		} else {
			require.NotContains(t, notes(Values{"defaults": Values{"create": false}, "webhook": Values{"failurePolicy": "Ignore"}}), c.says, about)
		}
	}
}

func TestLint(t *testing.T) {
	for name, values := range combinations {
		t.Run(name, func(t *testing.T) {
			for _, m := range lint.RunAll(directory, values, Release.Namespace).Messages {
				require.Less(t, m.Severity, support.WarningSev, m.Error())
			}
		})
	}
}

// What must be so whatever the values are.
func TestEveryCombination(t *testing.T) {
	known := regexp.MustCompile(`^(system:(kube-scheduler|volume-scheduler|auth-delegator)|extension-apiserver-authentication-reader)$`)
	for name, values := range combinations {
		t.Run(name, func(t *testing.T) {
			all := objects(t, values)
			seen := map[string]bool{}
			for _, o := range all {
				key := text([]any{o["apiVersion"], o.kind(), o.name()})
				require.False(t, seen[key], "%s is rendered twice", key)
				seen[key] = true
				if namespace := o.at("metadata", "namespace"); namespace != nil && o.kind() != "RoleBinding" {
					require.Equal(t, Release.Namespace, namespace, o.name())
				}
				switch o.kind() {
				case "Deployment":
					checkDeployment(t, o)
					checkPod(t, all, o.name(), object(o.at("spec", "template", "spec").(map[string]any)))
				case "Pod":
					checkPod(t, all, o.name(), object(o.at("spec").(map[string]any)))
				case "ClusterRoleBinding", "RoleBinding":
					role := object(o.at("roleRef").(map[string]any))
					target := fmt.Sprint(role["name"])
					require.True(t, known.MatchString(target) || has(all, fmt.Sprint(role["kind"]), target), "%s binds %s, which is not there", o.name(), target)
					for _, subject := range o["subjects"].([]any) {
						require.True(t, has(all, "ServiceAccount", subject.(map[string]any)["name"].(string)), "%s: %v", o.name(), subject)
					}
				case "ClusterRole", "Role":
					checkRole(t, o)
				case "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration":
					checkWebhooks(t, o)
				}
			}
		})
	}
}

func checkDeployment(t *testing.T, o object) {
	t.Helper()
	selector := o.at("spec", "selector", "matchLabels").(map[string]any)
	labels := o.at("spec", "template", "metadata", "labels").(map[string]any)
	for key, value := range selector {
		require.Equal(t, value, labels[key], "%s selects other pods than its own", o.name())
	}
	require.Len(t, selector, 1, "%s: a selector can never change, so nothing that may change is in it", o.name())
}

// checkPod holds a pod to what the restricted Pod Security Standard asks for, and more.
func checkPod(t *testing.T, all []object, name string, spec object) {
	t.Helper()
	require.True(t, has(all, "ServiceAccount", fmt.Sprint(spec["serviceAccountName"])), "%s runs as a service account that is not there", name)
	require.Equal(t, true, spec.at("securityContext", "runAsNonRoot"), name)
	require.Equal(t, "RuntimeDefault", spec.at("securityContext", "seccompProfile", "type"), name)
	for _, field := range []string{"hostNetwork", "hostPID", "hostIPC"} {
		require.Nil(t, spec[field], name)
	}
	for _, c := range spec["containers"].([]any) {
		container := object(c.(map[string]any))
		require.Equal(t, false, container.at("securityContext", "allowPrivilegeEscalation"), name)
		require.Equal(t, true, container.at("securityContext", "readOnlyRootFilesystem"), name)
		require.Equal(t, []any{"ALL"}, container.at("securityContext", "capabilities", "drop"), name)
		require.NotNil(t, container.at("resources", "requests", "cpu"), name)
		require.NotNil(t, container.at("resources", "limits", "memory"), name)
		require.Regexp(t, `^([^/]+/)?queueyard/[a-z-]+(:v?[0-9][^:]*|@sha256:[0-9a-f]{64})$`, container["image"])
	}
}

// checkRole: nobody gets everything of anything.
func checkRole(t *testing.T, o object) {
	t.Helper()
	rules, _ := o["rules"].([]any)
	require.True(t, len(rules) > 0 || o["aggregationRule"] != nil, "%s allows nothing", o.name())
	require.NotContains(t, text(rules), `"*"`, o.name())
}

// componentKinds is asked in every namespace, for one that is put under admission later has components already. It is about
// nothing but them.
const componentKinds = "component-kinds.queueyard.io"

// checkWebhooks: a namespace that nobody put under admission never waits for a webhook.
func checkWebhooks(t *testing.T, o object) {
	t.Helper()
	for _, w := range o["webhooks"].([]any) {
		webhook := object(w.(map[string]any))
		name := webhook["name"]
		require.LessOrEqual(t, webhook["timeoutSeconds"], float64(10), name)
		require.Equal(t, "None", webhook["sideEffects"], name)
		if text(webhook["rules"]) == "" || webhook["failurePolicy"] == "Ignore" {
			continue
		}
		if name == componentKinds {
			require.Equal(t, `[{"apiGroups":["queueyard.io"],"apiVersions":["v1alpha1"],"operations":["CREATE","UPDATE"],"resources":["components"],"scope":"Namespaced"}]`, text(webhook["rules"]))
			continue
		}
		require.Equal(t, "true", webhook.at("namespaceSelector", "matchLabels", "queueyard.io/managed"), name)
		excluded := text(webhook.at("namespaceSelector", "matchExpressions"))
		require.Contains(t, excluded, `"kube-system"`, name)
		require.Contains(t, excluded, `"queueyard-system"`, name)
	}
}

// What values are for.
func TestValues(t *testing.T) {
	args := func(all []object, deployment string) string {
		return text(find(t, all, "Deployment", deployment).at("spec", "template", "spec", "containers"))
	}
	for name, c := range map[string]struct {
		values Values
		check  func(t *testing.T, all []object)
	}{
		"cert-manager makes the certificate": {Everything, func(t *testing.T, all []object) {
			require.Equal(t, "queueyard-webhook-certificate", find(t, all, "Certificate", "queueyard-webhook").at("spec", "secretName"))
			require.Equal(t, "queueyard-ca", find(t, all, "Certificate", "queueyard-webhook").at("spec", "issuerRef", "name"))
			require.Equal(t, "queueyard-ca", find(t, all, "Issuer", "queueyard-ca").at("spec", "ca", "secretName"))
			require.Equal(t, "queueyard-ca", find(t, all, "Certificate", "queueyard-ca").at("spec", "secretName"))
			require.False(t, has(all, "Secret", "queueyard-webhook-certificate"), "cert-manager makes it")
			require.Contains(t, args(all, "queueyard-controller"), "--rotate-certificate=false")
			for _, kind := range []string{"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"} {
				require.Equal(t, "queueyard-system/queueyard-webhook", find(t, all, kind, "queueyard").at("metadata", "annotations", "cert-manager.io/inject-ca-from"))
			}
		}},
		"cert-manager has an issuer": {combinations["issuer"], func(t *testing.T, all []object) {
			require.Equal(t, `{"kind":"ClusterIssuer","name":"company"}`, text(find(t, all, "Certificate", "queueyard-webhook").at("spec", "issuerRef")))
			require.False(t, slices.ContainsFunc(all, func(o object) bool { return o.kind() == "Issuer" || o.name() == "queueyard-ca" }))
		}},
		"the controller makes the certificate": {nil, func(t *testing.T, all []object) {
			require.Nil(t, find(t, all, "Secret", "queueyard-webhook-certificate")["data"], "an upgrade leaves it alone")
			require.NotContains(t, args(all, "queueyard-controller"), "rotate-certificate")
		}},
		"definitions stay": {nil, func(t *testing.T, all []object) {
			n := 0
			for _, o := range all {
				if o.kind() == "CustomResourceDefinition" {
					n++
					require.Equal(t, "keep", o.at("metadata", "annotations", "helm.sh/resource-policy"), o.name())
				}
			}
			require.Equal(t, 10, n)
		}},
		"PodGroups of somebody else": {Values{"crds": Values{"podGroups": false}}, func(t *testing.T, all []object) {
			require.False(t, has(all, "CustomResourceDefinition", "podgroups.scheduling.x-k8s.io"))
			require.True(t, has(all, "CustomResourceDefinition", "queues.queueyard.io"))
		}},
		"one default queue for both programs": {Values{"defaultQueue": "batch"}, func(t *testing.T, all []object) {
			require.Contains(t, args(all, "queueyard-controller"), "--default-queue=batch")
			require.Contains(t, text(find(t, all, "ConfigMap", "queueyard-scheduler-config")), `defaultQueue: batch\n`)
			require.True(t, has(all, "Queue", "batch"))
		}},
		"an own configuration": {combinations["own scheduling"], func(t *testing.T, all []object) {
			require.Equal(t, "kind: KubeSchedulerConfiguration\n", find(t, all, "ConfigMap", "queueyard-scheduler-config").at("data", "config.yaml"))
		}},
		"several dashboards": {combinations["dashboards"], func(t *testing.T, all []object) {
			require.EqualValues(t, 3, find(t, all, "Deployment", "queueyard-dashboard").at("spec", "replicas"))
			require.Contains(t, args(all, "queueyard-dashboard"), "--read-only")
		}},
		"budgets only where one may go": {combinations["one replica"], func(t *testing.T, all []object) {
			require.False(t, has(all, "PodDisruptionBudget", "queueyard-scheduler"), "it would block every drain")
		}},
		"no visibility": {combinations["no parts"], func(t *testing.T, all []object) {
			require.Contains(t, args(all, "queueyard-scheduler"), "--visibility=false")
			require.False(t, has(all, "APIService", "v1alpha1.visibility.queueyard.io"))
		}},
		"an agent": {Everything, func(t *testing.T, all []object) {
			require.Contains(t, args(all, "queueyard-controller"), "--hub-kubeconfig=/etc/queueyard-hub/kubeconfig")
			require.True(t, has(all, "ClusterRole", "queueyard-controller-agent"))
		}},
		"no agent": {nil, func(t *testing.T, all []object) {
			require.False(t, has(all, "ClusterRole", "queueyard-controller-agent"), "it may write queues")
			require.False(t, has(all, "Deployment", "queueyard-dashboard"))
		}},
		"an image by digest": {combinations["digests"], func(t *testing.T, all []object) {
			require.Contains(t, args(all, "queueyard-scheduler"), `"image":"queueyard/queueyard-scheduler@sha256:0`)
			require.Contains(t, args(all, "queueyard-controller"), `"image":"queueyard/queueyard-controller:v`)
		}},
		"namespaces never under admission": {Everything, func(t *testing.T, all []object) {
			require.Contains(t, text(find(t, all, "ValidatingWebhookConfiguration", "queueyard")["webhooks"]), `["kube-system","queueyard-system","gatekeeper-system"]`)
		}},
	} {
		t.Run(name, func(t *testing.T) { c.check(t, objects(t, c.values)) })
	}
}

// A new configuration is read at a start, so it must cause one.
func TestConfigurationRestartsTheScheduler(t *testing.T) {
	sum := func(values Values) any {
		return find(t, objects(t, values), "Deployment", "queueyard-scheduler").at("spec", "template", "metadata", "annotations", "checksum/config")
	}
	require.Equal(t, sum(nil), sum(Values{"controller": Values{"replicas": 3}}))
	require.NotEqual(t, sum(nil), sum(Values{"scheduler": Values{"starvationTimeout": "1m"}}))
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		values Values
		says   string
	}{
		"a key that is none":       {Values{"schedular": Values{}}, "schedular"},
		"a key below":              {Values{"controller": Values{"replica": 2}}, "replica"},
		"negative replicas":        {Values{"scheduler": Values{"replicas": -1}}, "/scheduler/replicas"},
		"a policy":                 {Values{"webhook": Values{"failurePolicy": "fail"}}, "/webhook/failurePolicy"},
		"a long timeout":           {Values{"webhook": Values{"timeoutSeconds": 30}}, "/webhook/timeoutSeconds"},
		"a digest":                 {Values{"controller": Values{"image": Values{"digest": "latest"}}}, "/controller/image/digest"},
		"a duration":               {Values{"scheduler": Values{"starvationTimeout": "5 minutes"}}, "/scheduler/starvationTimeout"},
		"a queue's name":           {Values{"defaultQueue": "GPU"}, "/defaultQueue"},
		"what a dashboard has not": {Values{"dashboard": Values{"logLevel": 2}}, "logLevel"},
		"a resource's key":         {Values{"controller": Values{"resources": Values{"request": Values{}}}}, "/controller/resources"},
		"a toleration's key":       {Values{"scheduler": Values{"tolerations": []any{Values{"keys": "a"}}}}, "/scheduler/tolerations/0"},
		"a peer's key":             {Values{"networkPolicy": Values{"metricsFrom": []any{Values{"namespace": "a"}}}}, "/networkPolicy/metricsFrom/0"},
		"a registry with path":     {Values{"image": Values{"registry": "a/b"}}, "/image/registry"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Render(load(t), Release, c.values)
			require.ErrorContains(t, err, c.says)
		})
	}
	t.Run("another namespace", func(t *testing.T) {
		other := Release
		other.Namespace = "default"
		_, err := Render(load(t), other, nil)
		require.ErrorContains(t, err, "install Queueyard into queueyard-system")
	})
}

// What kubectl applies is what helm installs.
func TestPlainManifestsAreTheChart(t *testing.T) {
	want, err := Plain(load(t), nil)
	require.NoError(t, err)
	require.Contains(t, want, "agent/worker-rbac.yaml")
	for name, content := range want {
		have, err := os.ReadFile(filepath.Join(root, "manifests", name))
		require.NoError(t, err)
		require.Equal(t, content, string(have), "manifests/%s: run make generate", name)
		require.NotContains(t, content, "helm.sh/", name)
	}
	// Nothing is left of a template that is gone.
	for _, dir := range []string{"agent", "install", "monitoring"} {
		require.NoError(t, filepath.WalkDir(filepath.Join(root, "manifests", dir), func(path string, d fs.DirEntry, err error) error {
			name, _ := filepath.Rel(filepath.Join(root, "manifests"), path)
			if err == nil && !d.IsDir() && name != "install/namespace.yaml" {
				require.Contains(t, slices.Collect(maps.Keys(want)), filepath.ToSlash(name), "remove it")
			}
			return err
		}))
	}
}
