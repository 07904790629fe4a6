#!/usr/bin/env bash
# Makes everything that is generated from the Go types: deep copies and CRDs.
set -euo pipefail
cd "$(dirname "$0")/.."
controller_gen() { (cd hack/tools && go build -o ../../bin/controller-gen sigs.k8s.io/controller-tools/cmd/controller-gen) && bin/controller-gen "$@"; }
controller_gen object:headerFile=hack/boilerplate.go.txt paths=./pkg/apis/... paths=./pkg/scheduler/config/...
controller_gen crd:maxDescLen=2000 \
	paths=./pkg/apis/... output:crd:dir=manifests/install/crds
# Gangs are PodGroups of scheduler-plugins: the scheduler serves the version that it is built with.
go mod download sigs.k8s.io/scheduler-plugins
podgroups=$(go list -m -f '{{.Dir}}' sigs.k8s.io/scheduler-plugins)/config/crd/bases/scheduling.x-k8s.io_podgroups.yaml
install -m 644 "$podgroups" manifests/install/crds/
