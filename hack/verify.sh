#!/usr/bin/env bash
# Fails when a generated file, go.mod or go.sum is not what its sources make of it. Works on a copy.
set -euo pipefail
cd "$(dirname "$0")/.."
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' f; do [ -e "$f" ] && printf '%s\0' "$f"; done \
	| tar --null -T - -cf - | tar -xf - -C "$copy"
(cd "$copy" && hack/generate.sh)
for module in . hack/node hack/tools hack/tools/cert-manager hack/tools/chart hack/tools/images hack/tools/vulncheck test/search-baseline; do
	(cd "$copy/$module" && go mod tidy)
done
differing=$(diff -rq --exclude=bin --exclude=.git --exclude=.sandbox . "$copy" | grep -v '^Only in \.' || true)
if [ -n "$differing" ]; then
	printf '%s\n' "$differing" >&2
	echo "verify: the files above differ from what their sources make; run make generate and go mod tidy" >&2
	exit 1
fi
echo "verify: everything is up to date"
