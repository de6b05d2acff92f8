#!/usr/bin/env bash
# What CHANGELOG.md says of the version that is packaged. Given a tag, it must be that version's, and the chart's.
#
#   packaging/notes.sh [TAG]
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."
# shellcheck source=packaging/version.sh
. packaging/version.sh

if [ $# -gt 0 ] && [ "$1" != "v$VERSION" ]; then
  echo "the tag is $1, and Cargo.toml has the version $VERSION: tag it v$VERSION, or change the version" >&2
  exit 1
fi
chart=helm/token-expiry-exporter/Chart.yaml
if [ -f "$chart" ] && ! grep -qE "^appVersion: \"?$VERSION\"?$" "$chart"; then
  echo "$chart has another appVersion than $VERSION: write it there" >&2
  exit 1
fi
notes=$(awk -v version="$VERSION" '/^## /{ on = index($0, "[" version "]") } on && !/^## /' CHANGELOG.md)
if [ -z "${notes//[[:space:]]/}" ]; then
  echo "CHANGELOG.md says nothing of $VERSION: write what has changed under \"## [$VERSION]\"" >&2
  exit 1
fi
printf '%s\n' "$notes"
