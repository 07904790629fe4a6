#!/usr/bin/env bash
# Builds the images into bin/images: for each an OCI archive of all platforms, named as the chart names it, and its SBOMs. It needs no
# Docker, no root and no network but that of Go modules, and makes the same bytes of the same commit anywhere.
#   VERSION, LDFLAGS  as make gives them
#   PLATFORMS         linux/amd64,linux/arm64
set -euo pipefail
cd "$(dirname "$0")/.."
: "${VERSION:?run make images}" "${LDFLAGS:?run make images}" "${PLATFORMS:=linux/amd64,linux/arm64}"
export LDFLAGS SOURCE_DATE_EPOCH
# An archive of a commit, made by git, gives its files the commit's time.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || date -r go.mod +%s)
tool() { (cd hack/tools/images && go build -o ../../../bin/"$1" "$2"); }
tool ko github.com/google/ko
tool crane github.com/google/go-containerregistry/cmd/crane

work=$(mktemp -d)
# Images meet in a directory: a registry on the loopback address, for as long as this runs. Its address gets into the images as that of
# their base, so it is always the same.
host=127.0.0.1:35787
bin/crane registry serve --address $host --disk "$work" 2>"$work/log" &
registry=$!
trap 'kill $registry; rm -rf "$work"' EXIT
until grep -q 'serving on port' "$work/log"; do
	kill -0 $registry 2>/dev/null || { cat "$work/log" >&2; exit 1; }
	sleep 0.1
done
repository=$host/queueyard

archive() { tar --sort=name --mtime=@"$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --format=ustar -C "$1" -cf "$2" .; }

# The base holds a user who is not root, and a place for temporary files.
mkdir -p "$work/root/etc" "$work/root/tmp"
echo 'nonroot:x:65532:65532:nonroot:/:/sbin/nologin' >"$work/root/etc/passwd"
echo 'nonroot:x:65532:' >"$work/root/etc/group"
chmod 755 "$work/root" "$work/root/etc"
chmod 644 "$work/root/etc/"*
chmod 1777 "$work/root/tmp"
archive "$work/root" "$work/root.tar"
bases=()
for platform in ${PLATFORMS//,/ }; do
	base=$repository/base:${platform//\//-}
	bin/crane append --oci-empty-base -f "$work/root.tar" -t "$base" >/dev/null
	bin/crane mutate "$base" --set-platform "$platform" --user 65532:65532 -t "$base" >/dev/null
	bases+=(-m "$base")
done
bin/crane index append "${bases[@]}" -t "$repository/base:all" >/dev/null

mkdir -p bin/images
rm -rf bin/images/*
KO_DOCKER_REPO=$repository KO_DEFAULTBASEIMAGE=$repository/base:all KO_CONFIG_PATH=$PWD \
	bin/ko build --base-import-paths --platform "$PLATFORMS" --tags "$VERSION" --jobs 1 \
	--sbom spdx --sbom-dir bin/images --image-label org.opencontainers.image.version="$VERSION" \
	./cmd/queueyard-scheduler ./cmd/queueyard-controller ./cmd/qy >/dev/null
for name in queueyard-scheduler queueyard-controller qy; do
	layout=$work/layout-$name
	bin/crane pull --format oci --annotate-ref "$repository/$name:$VERSION" "$layout"
	# Container runtimes complete a name without a registry so.
	sed -i "s|\"org.opencontainers.image.ref.name\": *\"[^\"]*\"|\"io.containerd.image.name\":\"docker.io/queueyard/$name:$VERSION\",\"org.opencontainers.image.ref.name\":\"$VERSION\"|" "$layout/index.json"
	archive "$layout" "bin/images/$name.tar"
	printf '%-24s %s\n' "$name" "$(bin/crane digest "$repository/$name:$VERSION")" | tee -a bin/images/digests
done
