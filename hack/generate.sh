#!/usr/bin/env bash
# Makes everything that is generated from the Go types: deep copies, CRDs, and the OpenAPI of what we serve; and the page of qy's commands.
set -euo pipefail
cd "$(dirname "$0")/.."
controller_gen() { (cd hack/tools && go build -o ../../bin/controller-gen sigs.k8s.io/controller-tools/cmd/controller-gen) && bin/controller-gen "$@"; }
openapi_gen() { (cd hack/tools && go build -o ../../bin/openapi-gen k8s.io/kube-openapi/cmd/openapi-gen) && bin/openapi-gen "$@"; }
controller_gen object:headerFile=hack/boilerplate.go.txt paths=./pkg/apis/... paths=./pkg/scheduler/config/...
controller_gen crd:maxDescLen=2000,allowDangerousTypes=true \
	paths=./pkg/apis/... output:crd:dir=manifests/install/crds
openapi_gen --go-header-file hack/boilerplate.go.txt --report-filename /dev/null \
	--output-dir pkg/visibility/openapi --output-pkg github.com/queueyard/queueyard/pkg/visibility/openapi \
	--output-file zz_generated.openapi.go ./pkg/apis/visibility/v1alpha1 \
	k8s.io/apimachinery/pkg/{api/resource,apis/meta/v1,runtime,version}
# Gangs are PodGroups of scheduler-plugins: the scheduler serves the version that it is built with.
go mod download sigs.k8s.io/scheduler-plugins
podgroups=$(go list -m -f '{{.Dir}}' sigs.k8s.io/scheduler-plugins)/config/crd/bases/scheduling.x-k8s.io_podgroups.yaml
install -m 644 "$podgroups" manifests/install/crds/
go run ./hack/clidoc docs/cli.md
