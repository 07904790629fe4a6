#!/usr/bin/env bash
# Installs what the browser tests need, where that is possible: Debian's Chromium. Elsewhere the tests say what is missing.
set -euo pipefail
command -v chromium >/dev/null && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo 'chromium is missing, and can be installed by root on Debian only: the browser tests will be skipped'
	exit 0
fi
echo 'installing chromium'
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=120 chromium fonts-dejavu-core; } >"$log" 2>&1; then
	tail -5 "$log"
	echo 'chromium can not be installed here: the browser tests will be skipped'
fi
