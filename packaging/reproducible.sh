#!/usr/bin/env bash
# Builds the image twice, without a cache, the second time later: program and layers must be the same, to the byte. (The
# image's own digest is so only with a BuildKit that writes SOURCE_DATE_EPOCH into it, 0.11 or later; its layers always are.)
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."

built() {
  IMAGE_FLAGS="--no-cache ${IMAGE_FLAGS-}" packaging/image.sh "token-expiry-exporter:$1" >&2
  docker image inspect --format '{{json .RootFS.Layers}}' "token-expiry-exporter:$1"
}
first=$(built first)
second=$(built second)
printf 'first:  %s\nsecond: %s\n' "$first" "$second"
if [ "$first" != "$second" ]; then
  echo "the same input made two images" >&2
  exit 1
fi
