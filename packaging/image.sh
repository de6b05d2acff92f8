#!/usr/bin/env bash
# Builds the image under a name, or, with --program, only the program into a folder. What else docker shall be told
# (`--push`, `--network host`, more labels) stands in IMAGE_FLAGS.
#
#   packaging/image.sh NAME | --program FOLDER
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
