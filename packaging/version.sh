# shellcheck shell=bash
# To be sourced: what is packaged, and of when. Whoever builds from an archive without a history sets the last two.
VERSION=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
REVISION=${REVISION-$(git rev-parse HEAD 2>/dev/null || true)}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export VERSION REVISION SOURCE_DATE_EPOCH
