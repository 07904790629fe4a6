# Two commands matter most: make demo, make test. The others are listed by make help.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# One setting for every build, so that all of them share one build cache; the race detector needs cgo.
export CGO_ENABLED := 0
BIN := $(CURDIR)/bin
K8S_VERSION := $(shell sed -n 's/^\tk8s.io\/kubernetes v/v/p' go.mod)
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo v0.0.0)
K8S_MINOR := $(word 2,$(subst ., ,$(K8S_VERSION)))
STAMP := $(foreach p,k8s.io/component-base/version k8s.io/client-go/pkg/version,\
	-X $(p).gitVersion=$(K8S_VERSION) -X $(p).gitMajor=1 -X $(p).gitMinor=$(K8S_MINOR) -X $(p).gitTreeState=clean)
LDFLAGS := -s -w $(STAMP) -X github.com/queueyard/queueyard/pkg/version.version=$(VERSION)

PROGRAMS := queueyard-scheduler queueyard-controller sandbox sandbox-control-plane

.PHONY: help
help: ## Show this list.
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: generate
generate: ## Make the generated code and CRDs anew.
	@hack/generate.sh

.PHONY: verify
verify: ## Check that generated files and go.mod are up to date.
	@hack/verify.sh
