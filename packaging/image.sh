#!/usr/bin/env bash
# Builds the image, or with --program only the program. IMAGE_FLAGS holds more flags of `docker build`, such as `--push`,
# `--network host` or labels.
#
#   packaging/image.sh NAME | --program DIRECTORY
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."
# shellcheck source=packaging/version.sh
. packaging/version.sh
export DOCKER_BUILDKIT=1

case $1 in
  --program) into=(--target program --output "type=local,dest=$2") ;;
  *) into=(--tag "$1") ;;
esac
# shellcheck disable=SC2086 # flags are several words
exec docker build --build-arg "VERSION=$VERSION" --build-arg "REVISION=$REVISION" \
  --build-arg "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH" "${into[@]}" ${IMAGE_FLAGS-} .
