#!/usr/bin/env bash
# Asks the database of Go's vulnerabilities about what the programs call. It needs the network, as nothing else here does.
set -euo pipefail
cd "$(dirname "$0")/.."
(cd hack/tools/vulncheck && go build -o ../../../bin/govulncheck golang.org/x/vuln/cmd/govulncheck)
out=$(mktemp)
trap 'rm -f "$out"' EXIT
status=0
bin/govulncheck ${GOVULNDB:+-db "$GOVULNDB"} "${@:-./...}" >"$out" 2>&1 || status=$?
cat "$out"
if grep -q 'fetching vulnerabilities' "$out"; then
	echo 'vulncheck: the database of vulnerabilities cannot be reached, so nothing was checked. Run this where there is a network, or set GOVULNDB to a copy (file:///...).' >&2
fi
exit "$status"
