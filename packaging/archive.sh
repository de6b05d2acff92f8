#!/usr/bin/env bash
# Builds the archive for any Linux: the static program, its documentation, alerts and dashboards. Reproducible: the same
# input makes the same bytes.
#
#   packaging/archive.sh PROGRAM ARCHITECTURE DIRECTORY      ARCHITECTURE as in Debian: amd64, arm64
set -euo pipefail
program=$(realpath "$1") architecture=$2
mkdir -p "$3" && directory=$(realpath "$3")
cd "$(dirname "$(realpath "$0")")/.."
# shellcheck source=packaging/version.sh
. packaging/version.sh

name=token-expiry-exporter-$VERSION.linux-$architecture
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/$name"
install -m 755 "$program" "$work/$name/token-expiry-exporter"
cp -R LICENSE README.md CHANGELOG.md docs examples dashboards alerts packaging/man packaging/completions packaging/systemd \
  "$work/$name/"
rm -rf "$work/$name/alerts/tests"
chmod -R u=rwX,go=rX "$work/$name"
tar -C "$work" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --format=gnu -c "$name" |
  gzip -n -9 >"$directory/$name.tar.gz"
echo "$directory/$name.tar.gz"
