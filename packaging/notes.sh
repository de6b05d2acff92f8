#!/usr/bin/env bash
# Prints the section of CHANGELOG.md for the packaged version. A given tag must match that version and the chart's.
#
#   packaging/notes.sh [TAG]
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."
# shellcheck source=packaging/version.sh
. packaging/version.sh

if [ $# -gt 0 ] && [ "$1" != "v$VERSION" ]; then
  echo "tag $1 does not match the version $VERSION in Cargo.toml; use the tag v$VERSION or change the version" >&2
  exit 1
fi
chart=helm/token-expiry-exporter/Chart.yaml
if [ -f "$chart" ] && ! grep -qE "^appVersion: \"?$VERSION\"?$" "$chart"; then
  echo "$chart: appVersion differs from $VERSION; update it" >&2
  exit 1
fi
notes=$(awk -v version="$VERSION" '/^## /{ on = index($0, "[" version "]") } on && !/^## /' CHANGELOG.md)
if [ -z "${notes//[[:space:]]/}" ]; then
  echo "CHANGELOG.md: no section \"## [$VERSION]\"; add it" >&2
  exit 1
fi
printf '%s\n' "$notes"
