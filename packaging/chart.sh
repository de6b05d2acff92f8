#!/usr/bin/env bash
# Packages the chart of a release, in every fork with its own addresses and with the image that the release has pushed.
#
#   packaging/chart.sh OWNER/REPOSITORY IMAGE-DIGEST DIRECTORY
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$1 digest=$2 directory=$3
[[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || { echo "chart.sh: $digest is not a digest" >&2 && exit 2; }
addresses=$(packaging/addresses.sh "$repository")
image=$(sed -n 's/^IMAGE=//p' <<<"$addresses") charts=$(sed -n 's/^CHARTS=//p' <<<"$addresses")

# The name in this repository; tests/suite/workflows.rs checks that every page has the same.
name=token-expiry-exporter/token-expiry-exporter
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
cp -r helm/token-expiry-exporter "$tree"
cd "$tree/token-expiry-exporter"
version=$(sed -n 's/^version: //p' Chart.yaml)
sed -i "s|ghcr.io/$name|$image|g; s|ghcr.io/${name%%/*}/charts|$charts|g
  s|github.com/$name|github.com/$repository|g; s|githubusercontent.com/$name|githubusercontent.com/$repository|g
  s|](../../|](https://github.com/$repository/blob/v$version/|g" Chart.yaml README.md values.yaml files/defaults.yaml
sed -i "s|^  digest: .*|  digest: $digest|" values.yaml
sed -i "s|^image.digest: .*|image.digest: \"$digest\"|" files/defaults.yaml
cd "$OLDPWD"
"${HELM:-helm}" package "$tree/token-expiry-exporter" --destination "$directory"
