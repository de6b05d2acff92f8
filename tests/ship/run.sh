#!/usr/bin/env bash
# Builds what is shipped (image, archive, Debian package), and holds it to its promises: tests/ship/*.rs.
#
#   tests/ship/with-docker.sh tests/ship/run.sh [ARGUMENTS OF THE TEST PROGRAM]
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/../.."

docker image inspect machine >/dev/null 2>&1 || docker import .tools/machine.tar machine >/dev/null
packaging/image.sh token-expiry-exporter:test
packaging/dist.sh
cargo test --locked --test ship -- "$@"
