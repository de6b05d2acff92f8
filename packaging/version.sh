# shellcheck shell=bash
# Sourced by the other scripts: version, commit and time. Set REVISION and SOURCE_DATE_EPOCH to build without a git history.
VERSION=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
REVISION=${REVISION-$(git rev-parse HEAD 2>/dev/null || true)}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export VERSION REVISION SOURCE_DATE_EPOCH
