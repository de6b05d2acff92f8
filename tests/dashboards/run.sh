#!/usr/bin/env bash
# Renders the dashboards as Grafana does, with data of a real Prometheus that scrapes two replicas with one store and the tokens of the
# demo, and writes the pictures to docs/images/. Look at them: no test detects truncated text or an unreadable colour.
#
#   tests/dashboards/run.sh [SECONDS]      scrape for this time first (default 240)
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/../.."
seconds=${1:-240}
here=tests/dashboards
work=$(mktemp -d)
started=()
finish() {
  [ ${#started[@]} = 0 ] || { kill "${started[@]}" 2>/dev/null; wait "${started[@]}" 2>/dev/null; } || true
  rm -rf "$work"
}
trap finish EXIT

[ -n "${EXPORTER:-}" ] || cargo build --locked
(cd $here && npm ci --silent --no-audit --no-fund && node build.mjs)
exporter=${EXPORTER:-target/debug/token-expiry-exporter}

free_port() { node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'; }
wait_for() { for _ in $(seq 600); do curl -sf --noproxy '*' -o /dev/null "$1" && return; sleep 0.1; done; echo "no response: $1" >&2; exit 1; }
control() { curl -sf --noproxy '*' -o /dev/null -X POST "http://127.0.0.1:$control$1"; }
# Applies an action (rotate, revoke) to COUNT tokens of a scenario, so that values change over time: change ACTION SCENARIO COUNT
change() {
  curl -sf --noproxy '*' "http://127.0.0.1:$control/tokens" |
    node -e 'const [scenario, count] = process.argv.slice(1); for (const { id } of JSON.parse(require("fs").readFileSync(0)).filter((token) => token.scenario === scenario && token.kind === "api-token").slice(0, count)) console.log(id)' "$2" "$3" |
    while read -r id; do control "/tokens/$id/$1"; done
}
demo=$(free_port) control=$(free_port) first=$(free_port) second=$(free_port) prometheus=$(free_port)

$exporter demo --log.level=error --web.listen-address="127.0.0.1:$demo" --control.listen-address="127.0.0.1:$control" >"$work/demo.log" 2>&1 &
started+=($!)
wait_for "http://127.0.0.1:$demo/-/ready"
configuration=$(grep -o '/[^ ]*\.yaml' "$work/demo.log" | head -n 1)
for replica in "$first" "$second"; do
  $exporter serve --log.level=error --config.file="$configuration" --web.listen-address="127.0.0.1:$replica" \
    --storage.url="file://$work/store" >"$work/replica-$replica.log" 2>&1 &
  started+=($!)
done

cat >"$work/prometheus.yaml" <<YAML
global: {scrape_interval: 5s}
scrape_configs:
  - job_name: token-expiry-exporter
    static_configs:
      - {targets: ['127.0.0.1:$first'], labels: {instance: 'exporter-0:10984'}}
      - {targets: ['127.0.0.1:$second'], labels: {instance: 'exporter-1:10984'}}
YAML
.tools/bin/prometheus --config.file="$work/prometheus.yaml" --storage.tsdb.path="$work/data" --web.listen-address="127.0.0.1:$prometheus" >"$work/prometheus.log" 2>&1 &
started+=($!)
wait_for "http://127.0.0.1:$prometheus/-/ready"

echo "scraping for $seconds seconds, while some tokens are rotated or revoked and the provider vault is down for some time" >&2
sleep $((seconds / 5))
change rotate warning 4
sleep $((seconds / 5))
change revoke unused 3
control /providers/vault/stop
sleep $((seconds / 5))
change revoke orphan 1
change rotate critical 2
sleep $((seconds / 5))
control /providers/vault/start
change revoke unused 2
sleep $((seconds / 5))

(cd $here && node shoot.mjs "http://127.0.0.1:$prometheus" "$work/pictures" $(((seconds + 59) / 60)))
# 256 colours are enough for text on a plain background, at a third of the size.
pngquant --strip --skip-if-larger --force --ext .png "$work"/pictures/*.png || [ $? = 98 ]
mkdir -p docs/images
cp "$work"/pictures/*.png docs/images/
ls -l docs/images >&2
