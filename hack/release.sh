#!/usr/bin/env bash
# Makes what a release consists of in bin/release: archives of the programs, the chart, the plain manifests, the manifest for
# krew, and the checksums of all. The same commit and Go give the same bytes.
#   VERSION, LDFLAGS  as make gives them
#   PLATFORMS         of qy; the programs of a cluster are for Linux
#   DOWNLOADS         address below which the archives will lie, in krew's manifest
set -euo pipefail
cd "$(dirname "$0")/.."
: "${VERSION:?run make release}" "${LDFLAGS:?run make release}"
: "${PLATFORMS:=linux/amd64 linux/arm64 darwin/amd64 darwin/arm64}"
: "${DOWNLOADS:=https://github.com/queueyard/queueyard/releases/download/$VERSION}"
if ! [[ $VERSION =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]]; then
	echo "release: VERSION is \"$VERSION\", which is no version: set it to one like v0.1.0, or tag the commit" >&2
	exit 1
fi
# An archive of a commit, made by git, gives its files the commit's time.
mtime=@$(git log -1 --format=%ct 2>/dev/null || date -r go.mod +%s)
out=$PWD/bin/release
rm -rf "$out"
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pack() { tar --sort=name --mtime="$mtime" --owner=0 --group=0 --numeric-owner -C "$1" -cf - . | gzip -n9 >"$2"; }

for platform in $PLATFORMS; do
	os=${platform%/*} arch=${platform#*/}
	programs=qy
	[ "$os" != linux ] || programs='qy qysim queueyard-scheduler queueyard-controller'
	for program in $programs; do
		dir=$work/$program-$os-$arch
		mkdir -p "$dir"
		printf 'building %s for %s\n' "$program" "$platform"
		GOOS=$os GOARCH=$arch CGO_ENABLED=0 go build -trimpath -ldflags "$LDFLAGS" -o "$dir/$program" "./cmd/$program"
		cp LICENSE THIRD_PARTY "$dir"
		pack "$dir" "$out/$program-$VERSION-$os-$arch.tar.gz"
	done
done

cp -r charts/queueyard "$work/queueyard"
sed -i "s/^version: .*/version: ${VERSION#v}/; s/^appVersion: .*/appVersion: $VERSION/" "$work/queueyard/Chart.yaml"
mkdir "$work/chart"
mv "$work/queueyard" "$work/chart/queueyard"
tar --sort=name --mtime="$mtime" --owner=0 --group=0 --numeric-owner -C "$work/chart" -cf - queueyard | gzip -n9 >"$out/queueyard-${VERSION#v}.tgz"
mkdir "$work/manifests"
cp -r manifests/install manifests/agent manifests/monitoring "$work/manifests"
find "$work/manifests" -name '*.yaml' -exec sed -i "s|^\( *image: .*queueyard/[a-z-]*\):v[0-9][^ ]*|\1:$VERSION|" {} +
pack "$work/manifests" "$out/manifests-$VERSION.tar.gz"

{
	cat <<-END
		apiVersion: krew.googlecontainertools.github.com/v1alpha2
		kind: Plugin
		metadata:
		  name: queueyard
		spec:
		  version: $VERSION
		  homepage: https://github.com/queueyard/queueyard
		  shortDescription: Queues for Kubernetes
		  description: |
		    Runs operations in queues, and says where each stands and why: list, why, statuses, logs, queues, top, and a dashboard.
		  platforms:
	END
	for platform in $PLATFORMS; do
		file=qy-$VERSION-${platform/\//-}.tar.gz
		cat <<-END
			  - selector: {matchLabels: {os: ${platform%/*}, arch: ${platform#*/}}}
			    uri: $DOWNLOADS/$file
			    sha256: $(sha256sum "$out/$file" | cut -d' ' -f1)
			    bin: qy
		END
	done
} >"$out/queueyard.yaml"
(cd "$out" && sha256sum -- * >"$work/sums" && mv "$work/sums" checksums.txt)
ls -l "$out"
