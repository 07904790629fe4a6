#!/usr/bin/env bash
# Moves everything to another version of Kubernetes: hack/upgrade-k8s.sh v1.36.4. Afterwards make test says whether it holds;
# controller-runtime and scheduler-plugins have versions of their own, which a new minor version may need (go get them first).
set -euo pipefail
cd "$(dirname "$0")/.."
if ! [[ ${1:-} =~ ^v1\.([0-9]+)\.([0-9]+)$ ]]; then
	echo "usage: hack/upgrade-k8s.sh v1.MINOR.PATCH" >&2
	exit 2
fi
version=$1 minor=${BASH_REMATCH[1]} staging=v0.${BASH_REMATCH[1]}.${BASH_REMATCH[2]}
was=$(sed -n 's/^\tk8s.io\/kubernetes v1\./v0./p' go.mod)
# Kubernetes' own modules are those of its version: others, like klog, have another.
mapfile -t modules < <(sed -n "s|^\t\(k8s.io/[a-z-]*\) $was.*|\1@$staging|p" go.mod)
go get "k8s.io/kubernetes@$version" "${modules[@]}"
go mod tidy
for nested in test/search-baseline; do (cd "$nested" && go mod tidy); done
# The scheduler must not be newer than the API server.
sed -i "s/^kubeVersion: .*/kubeVersion: \">=1.$minor.0-0\"/; s/kube-scheduler 1\.[0-9]*/kube-scheduler 1.$minor/" charts/queueyard/Chart.yaml
sed -i "s/Kubernetes 1\.[0-9]* or newer, as the scheduler is kube-scheduler 1\.[0-9]*/Kubernetes 1.$minor or newer, as the scheduler is kube-scheduler 1.$minor/" docs/install.md
sed -i "s/^const kubeVersion = .*/const kubeVersion = \"$version\"/" hack/tools/chart/render.go
make generate
git --no-pager diff --stat
