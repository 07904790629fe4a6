#!/usr/bin/env bash
# Builds what the node test upgrades from into bin/previous: the images and the chart of an earlier commit, by its own make images.
#   UPGRADE_FROM  commit or tag; default: the one before the last that changed what is installed
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$PWD/bin/previous
if [ "$(git rev-parse --show-toplevel 2>/dev/null)" != "$PWD" ]; then
	none='these sources are no git repository'
elif ! from=$(git rev-parse -q --verify "${UPGRADE_FROM:-$(git log -1 --format=%H -- charts cmd pkg go.mod)~}^{commit}"); then
	[ -z "${UPGRADE_FROM:-}" ] || { echo "UPGRADE_FROM=$UPGRADE_FROM is no commit of this repository" >&2; exit 1; }
	none='this repository has no earlier one (a shallow clone?)'
fi
if [ -n "${none:-}" ]; then
	rm -rf "$out"
	echo "no commit to upgrade from: $none"
	exit 0
fi
echo "upgrading from $(git log -1 --format='%h %s' "$from")"
[ "$(cat "$out/commit" 2>/dev/null)" != "$from" ] || exit 0
rm -rf "$out"
work=$(mktemp -d)
trap 'git worktree remove --force "$work/src" 2>/dev/null; rm -rf "$work"' EXIT
git worktree add -q --detach "$work/src" "$from"
make -C "$work/src" --no-print-directory images VERSION=previous PLATFORMS="linux/$(go env GOARCH)"
mkdir -p "$out"
cp -r "$work/src/charts/queueyard" "$out/chart"
mv "$work/src/bin/images" "$out/images"
echo "$from" >"$out/commit"
