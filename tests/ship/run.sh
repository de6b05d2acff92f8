#!/usr/bin/env bash
# Builds image, archive and Debian package, and runs their tests, tests/ship/*.rs.
#
#   tests/ship/with-docker.sh tests/ship/run.sh [ARGUMENTS OF THE TESTS]
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/../.."

docker image inspect machine >/dev/null 2>&1 || docker import .tools/machine.tar machine >/dev/null
tests/tools/step.sh 'image, with the build of the program' packaging/image.sh token-expiry-exporter:test
# The program comes from the layers of the image.
tests/tools/step.sh 'archive and package' packaging/dist.sh
tests/tools/step.sh 'tests of image, archive and package' cargo test --locked --test ship -- "$@"
