#!/usr/bin/env bash
# Prints where a release is published, as lines of an environment file. A registry accepts only lower case, and the owner of a fork
# may have capitals: this is the only place that knows.
#
#   packaging/addresses.sh OWNER/REPOSITORY
set -euo pipefail
repository=${1-}
[[ $repository =~ ^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$ ]] || { echo "addresses.sh: \"$repository\" is not OWNER/REPOSITORY" >&2 && exit 2; }
repository=${repository,,}
echo "IMAGE=ghcr.io/$repository"
echo "CHARTS=ghcr.io/${repository%%/*}/charts"
