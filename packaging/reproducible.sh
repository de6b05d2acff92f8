#!/usr/bin/env bash
# Builds the image twice without a cache: program and layers must be identical to the byte. (The digest of the image itself is
# identical only with BuildKit 0.11 or later, which writes SOURCE_DATE_EPOCH into it.)
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."

built() {
  IMAGE_FLAGS="--no-cache ${IMAGE_FLAGS-}" packaging/image.sh "token-expiry-exporter:$1" >&2
  docker image inspect --format '{{json .RootFS.Layers}}' "token-expiry-exporter:$1"
}
# A checkout that changes meanwhile would be two inputs.
input() { git rev-parse HEAD && git diff HEAD -- .cargo Cargo.toml Cargo.lock LICENSE README.md build.rs src; }
before=$(input)
first=$(built first)
second=$(built second)
if [ "$(input)" != "$before" ]; then
  echo "the checkout changed during the build; run it again and do not edit files meanwhile" >&2
  exit 1
fi
printf 'first:  %s\nsecond: %s\n' "$first" "$second"
if [ "$first" != "$second" ]; then
  echo "the same input made two different images" >&2
  exit 1
fi
