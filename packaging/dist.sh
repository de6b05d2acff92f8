#!/usr/bin/env bash
# Builds the files of a release, except image and chart, into dist/. The program comes from the build of the image, for
# this machine's architecture.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."

architecture=$(dpkg --print-architecture)
rm -rf dist
packaging/image.sh --program dist/program
packaging/archive.sh dist/program/token-expiry-exporter "$architecture" dist
packaging/deb.sh dist/program/token-expiry-exporter "$architecture" dist
rm -rf dist/program
(cd dist && sha256sum -- * >"sha256sums-$architecture.txt")
