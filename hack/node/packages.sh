#!/usr/bin/env bash
# Brings the Debian packages that a node with real containers needs, where that can be done.
set -euo pipefail
packages=(runc containernetworking-plugins busybox-static iptables iproute2)
for p in "${packages[@]}"; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || missing+=("$p")
done
[ -z "${missing+x}" ] && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
	echo "a node with real containers needs, and this script cannot install: ${missing[*]}" >&2
	exit 0
fi
apt-get -qq update
DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends "${missing[@]}" >/dev/null
