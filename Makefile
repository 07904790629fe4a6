# Two commands matter most: make demo, make test. The others are listed by make help.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# One setting for every build, so that all of them share one build cache. The race detector needs cgo.
export CGO_ENABLED := 0
export GOFLAGS := -buildvcs=false

K8S_VERSION := $(shell sed -n 's/^\tk8s.io\/kubernetes v/v/p' go.mod)
K8S_MINOR := $(word 2,$(subst ., ,$(K8S_VERSION)))
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unreleased)
LDFLAGS := -s -w -X github.com/queueyard/queueyard/pkg/version.version=$(VERSION) \
	$(foreach p,k8s.io/component-base/version k8s.io/client-go/pkg/version,\
	-X $(p).gitVersion=$(K8S_VERSION) -X $(p).gitMajor=1 -X $(p).gitMinor=$(K8S_MINOR) -X $(p).gitTreeState=clean)

# The cluster's own programs change only with go.mod and their sources; ours are few and small.
PROGRAMS := sandbox-control-plane sandbox queueyard-scheduler queueyard-controller qysim qy
ABOUT_sandbox-control-plane := etcd, API server and controllers of Kubernetes $(K8S_VERSION)
ABOUT_sandbox := the local cluster: supervisor, simulated nodes, process node
ABOUT_queueyard-scheduler := kube-scheduler with queues
ABOUT_queueyard-controller := webhook and controllers
ABOUT_qysim := the simulator: how long a load would wait in queues
ABOUT_qy := the command line
ABOUT_kubectl := kubectl $(K8S_VERSION)

# build NAME PACKAGE FLAGS OUTPUT says what it builds and how long that took.
define build
	@name='$(4:$(CURDIR)/%=%)'; printf 'building %-32s %s\n' "$$name" "$(ABOUT_$(1))"; start=$$SECONDS; \
	go build $(3) -ldflags '$(LDFLAGS)' -o $(4) $(2); \
	printf '         %-32s %d s\n' "$$name" $$((SECONDS - start))
endef

.PHONY: help
help: ## Show this list.
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: build-note $(PROGRAMS:%=bin/%) bin/kubectl-queueyard ## Build the programs into bin/ (minutes the first time, then seconds).

.PHONY: build-note
build-note:
	@[ -x bin/sandbox-control-plane ] || echo 'The first build compiles Kubernetes itself: about 8 minutes on 2 cores. Later ones take seconds.'

# Go knows better than make what is out of date.
.PHONY: FORCE
FORCE:

bin/%: FORCE
	$(call build,$*,./cmd/$*,,bin/$*)

# kubectl finds qy by this name: kubectl queueyard.
bin/kubectl-queueyard: bin/qy
	@ln -sf qy $@

bin/kubectl: FORCE
	$(call build,kubectl,k8s.io/kubernetes/cmd/kubectl,,bin/kubectl)

.PHONY: kubectl
kubectl: bin/kubectl ## Build kubectl into bin/, for machines that have none.

bin/race/%: export CGO_ENABLED := 1
bin/race/%: FORCE
	$(call build,$*,./cmd/$*,-race,bin/race/$*)

.PHONY: demo
demo: build ## Bring up a sandbox, run the quickstart to its end, show it live.
	@go run ./hack/demo

# make lint vets everything, so tests need not do it again. Packages without tests are left out because go test would
# compile them too: the sandbox's control plane, all of Kubernetes, for the race detector that never sees it.
TEST_FLAGS := -vet=off
TESTED := CGO_ENABLED=0 go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...

.PHONY: test
test: build bin/race/queueyard-scheduler bin/race/queueyard-controller test-unit test-e2e test-browser ## Run every test, race detector on.

.PHONY: test-unit
test-unit: export CGO_ENABLED := 1
test-unit: ## Run unit, property and integration tests (needs make build).
	go test -race $(TEST_FLAGS) -timeout 20m $$($(TESTED) | grep -v -e /test/e2e -e /test/drill -e /test/browser)
	cd hack/tools/chart && CGO_ENABLED=0 go test $(TEST_FLAGS) -count=1 ./...

.PHONY: test-e2e
test-e2e: ## Run whole paths on sandboxes, with the programs' race detectors on.
	go test $(TEST_FLAGS) -count=1 -p 1 -parallel 3 -timeout 30m ./test/e2e/... ./test/drill

.PHONY: drill
drill: build ## Break a sandbox in every way for 10 minutes, under load and audit; the report is drill.txt.
	go test -count=1 -timeout 30m -v ./test/drill -duration 10m -report '$(CURDIR)/drill.txt'

.PHONY: test-browser
test-browser: ## Look at the dashboard in Chromium, which is installed where it can be (needs make build).
	hack/chromium.sh
	go test $(TEST_FLAGS) -count=1 -timeout 10m ./test/browser

# What a node with real containers is made of. containerd has a module of its own: its dependencies are not ours.
NODE_PROGRAMS := kube-scheduler kubelet kube-proxy pause containerd containerd-shim-runc-v2 ctr goawk
ABOUT_helm := helm
ABOUT_kube-scheduler := the cluster's own scheduler $(K8S_VERSION)
ABOUT_kubelet := kubelet $(K8S_VERSION)
ABOUT_kube-proxy := kube-proxy $(K8S_VERSION)

bin/node/kube-scheduler bin/node/kubelet bin/node/kube-proxy: bin/node/%: FORCE
	$(call build,$*,k8s.io/kubernetes/cmd/$*,,$@)

bin/node/pause: FORCE
	$(call build,pause,./test/node/pause,,$@)

bin/node/goawk: FORCE
	$(call build,goawk,github.com/benhoyt/goawk,-C hack/node,$(CURDIR)/$@)

bin/node/containerd bin/node/containerd-shim-runc-v2 bin/node/ctr: bin/node/%: FORCE
	$(call build,$*,github.com/containerd/containerd/v2/cmd/$*,-C hack/node,$(CURDIR)/$@)

bin/helm: FORCE
	$(call build,helm,helm.sh/helm/v4/cmd/helm,-C hack/tools/chart,$(CURDIR)/$@)

.PHONY: test-node
test-node: bin/sandbox-control-plane bin/kubectl bin/helm $(NODE_PROGRAMS:%=bin/node/%) ## Install the chart on a node with real containers (root on Linux), run the quickstart and upgrade from the commit before.
	hack/node/packages.sh
	$(MAKE) images VERSION=test PLATFORMS=linux/$$(go env GOARCH)
	hack/node/previous.sh
	go test -count=1 -v -timeout 30m ./test/node

# What the test needs of cert-manager. It has a module of its own: its dependencies are not ours.
ABOUT_cert-manager := the certificate controllers of cert-manager
bin/cert-manager: FORCE
	$(call build,cert-manager,.,-C hack/tools/cert-manager,$(CURDIR)/$@)

.PHONY: test-cert-manager
test-cert-manager: bin/sandbox-control-plane bin/queueyard-controller bin/cert-manager ## Have cert-manager make and renew the webhooks' certificate, on a real API server.
	go test -count=1 -v -timeout 10m ./test/integration/chart -run TestCertManager

.PHONY: screenshots
screenshots: build ## Make anew what the README shows: what qy says of some operations, and the dashboard.
	@go run ./hack/screenshots
	hack/chromium.sh
	go test -count=1 -timeout 10m ./test/browser -run TestDashboard -screenshots '$(CURDIR)/docs/images'

.PHONY: python
python: ## Install what the test of the Python example needs (Debian, as root); without it that test is skipped.
	@python3 -c 'import kubernetes' 2>/dev/null || /usr/bin/python3 -c 'import kubernetes' 2>/dev/null || \
	{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends python3-kubernetes; }

.PHONY: bench
bench: BASELINE ?= $(shell git log -1 --format=%h --grep='^Benchmarks' -- docs/benchmarks.md)
bench: build ## Measure the ledger against its targets and BASELINE, a cluster against the stock scheduler, operations, workflows and agents (about an hour).
	go run ./hack/bench -baseline '$(BASELINE)'
	go test -run '^$$' -bench 'Memory' -benchtime 1x ./pkg/ledger
	go test -run '^$$' -bench '[^y]$$' -benchtime 200000x ./pkg/ledger
	go run ./test/perf
	go run ./test/perf/operations -queued 10000
	go run ./test/perf/workflows -children 2000 -nested 40
	go test -count=1 -v ./test/browser -run TestDashboard -operations 10000
	go run ./test/perf/agents

.PHONY: bench-search
bench-search: ## Measure how well and how fast searches suggest, beside goptuna (about 15 minutes).
	cd test/search-baseline && go run .
	go test -run '^$$' -bench Suggest -benchtime 5x ./pkg/search

.PHONY: generate
generate: ## Make the generated code and CRDs anew.
	hack/generate.sh

.PHONY: verify
verify: ## Check that generated files and go.mod are up to date.
	hack/verify.sh

.PHONY: lint
lint: ## Check formatting and vet.
	hack/lint.sh

.PHONY: vulncheck
vulncheck: ## Ask Go's database of vulnerabilities about what is compiled in (needs the network).
	hack/vulncheck.sh

.PHONY: images
images: export LDFLAGS := $(LDFLAGS)
images: export VERSION := $(VERSION)
images: export PLATFORMS ?= linux/amd64,linux/arm64
images: ## Build the images into bin/images, without Docker (PLATFORMS=linux/amd64 for one of them).
	hack/images.sh

.PHONY: release
release: export LDFLAGS := $(LDFLAGS)
release: export VERSION := $(VERSION)
release: ## Make archives, checksums, the chart's package and krew's manifest in bin/release (VERSION=v0.1.0).
	hack/release.sh

.PHONY: clean
clean: ## Remove what was built.
	rm -rf bin
