#!/usr/bin/env bash
# Formatting and vet over everything that is ours.
set -euo pipefail
cd "$(dirname "$0")/.."
unformatted=$(git ls-files --cached --others --exclude-standard '*.go' | xargs -r gofmt -l)
if [ -n "$unformatted" ]; then
	printf 'lint: run gofmt -w on:\n%s\n' "$unformatted" >&2
	exit 1
fi
go vet ./...
(cd test/search-baseline && go vet ./...)
(cd hack/tools/chart && go vet ./...)
