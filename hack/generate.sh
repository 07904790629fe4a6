#!/usr/bin/env bash
# Makes everything that is generated from Go sources: deep copies, CRDs, roles, and the OpenAPI of what we serve; the page of qy's commands; and
# from the chart the plain manifests.
set -euo pipefail
cd "$(dirname "$0")/.."
controller_gen() { (cd hack/tools && go build -o ../../bin/controller-gen sigs.k8s.io/controller-tools/cmd/controller-gen) && bin/controller-gen "$@"; }
openapi_gen() { (cd hack/tools && go build -o ../../bin/openapi-gen k8s.io/kube-openapi/cmd/openapi-gen) && bin/openapi-gen "$@"; }
controller_gen object:headerFile=hack/boilerplate.go.txt paths=./pkg/apis/... paths=./pkg/scheduler/config/...
controller_gen crd:maxDescLen=2000,allowDangerousTypes=true \
	paths=./pkg/apis/... output:crd:dir=charts/queueyard/files/crds
openapi_gen --go-header-file hack/boilerplate.go.txt --report-filename /dev/null \
	--output-dir pkg/visibility/openapi --output-pkg github.com/queueyard/queueyard/pkg/visibility/openapi \
	--output-file zz_generated.openapi.go --output-model-name-file zz_generated.model_name.go \
	--readonly-pkg=k8s.io/apimachinery/pkg/{api/resource,apis/meta/v1,runtime,version} \
	./pkg/apis/visibility/v1alpha1 k8s.io/apimachinery/pkg/{api/resource,apis/meta/v1,runtime,version}
# Gangs are PodGroups of scheduler-plugins: the scheduler serves the version that it is built with.
go mod download sigs.k8s.io/scheduler-plugins
podgroups=$(go list -m -f '{{.Dir}}' sigs.k8s.io/scheduler-plugins)/config/crd/bases/scheduling.x-k8s.io_podgroups.yaml
install -m 644 "$podgroups" charts/queueyard/files/crds/
# The markers of the agent are for the cluster of an agent alone.
role() { controller_gen --load-build-tags=none rbac:roleName=queueyard-"$1",fileName="$2" paths="$3" output:rbac:dir=charts/queueyard/files/rbac; }
role scheduler scheduler.yaml ./pkg/scheduler
role scheduler-visibility visibility.yaml ./pkg/visibility
role controller controller.yaml "$(go list -f '{{.Dir}}' ./pkg/controllers/... ./pkg/webhook/... | sed "s|^$PWD|.|" | grep -v '/controllers/agent$' | paste -sd';')"
role controller-agent agent.yaml ./pkg/controllers/agent
(cd hack/tools/chart && go build -o ../../../bin/render-chart ./cmd/render && ../../../bin/render-chart -everything ../../../test/integration/chart/testdata/everything.yaml)
go run ./hack/clidoc docs/cli.md

# Licences of what is compiled in.
hack/licenses.sh
