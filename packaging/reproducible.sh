#!/usr/bin/env bash
# Builds the image twice, without a cache, the second time later: program and layers must be the same, to the byte. (The
# image's own digest is so only with a BuildKit that writes SOURCE_DATE_EPOCH into it, 0.11 or later; its layers always are.)
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."

built() {
  IMAGE_FLAGS="--no-cache ${IMAGE_FLAGS-}" packaging/image.sh "token-expiry-exporter:$1" >&2
  docker image inspect --format '{{json .RootFS.Layers}}' "token-expiry-exporter:$1"
}
# A checkout that somebody works in would be two inputs.
input() { git rev-parse HEAD && git diff HEAD -- Cargo.toml Cargo.lock LICENSE README.md src; }
before=$(input)
first=$(built first)
second=$(built second)
if [ "$(input)" != "$before" ]; then
  echo "the checkout was changed while it was built: nothing is shown; leave it alone meanwhile" >&2
  exit 1
fi
printf 'first:  %s\nsecond: %s\n' "$first" "$second"
if [ "$first" != "$second" ]; then
  echo "the same input made two images" >&2
  exit 1
fi
