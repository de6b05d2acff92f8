#!/usr/bin/env bash
# Everything that a release gives away but the image and the chart, into dist/: the program is built in the same
# container that the image is built in, for this machine's architecture.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."

architecture=$(dpkg --print-architecture)
rm -rf dist
packaging/image.sh --program dist/program
packaging/archive.sh dist/program/token-expiry-exporter "$architecture" dist
packaging/deb.sh dist/program/token-expiry-exporter "$architecture" dist
rm -rf dist/program
(cd dist && sha256sum -- * >"sha256sums-$architecture.txt")
