#!/usr/bin/env bash
# Photographs the pages, mails and a terminal with the tokens of the demo, in both themes, on a phone and on a desktop, and writes the pictures
# to docs/images/. Look at them: no test detects a page that is ugly.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/../.."
work=$(mktemp -d)
finish() { for process in ${demo:-} ${mail:-}; do kill "$process" 2>/dev/null || true; done; rm -rf "$work"; }
trap finish EXIT

[ -n "${EXPORTER:-}" ] || cargo build --locked
free_port() { node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'; }
port=$(free_port)
"${EXPORTER:-target/debug/token-expiry-exporter}" demo --log.level=error --web.listen-address="127.0.0.1:$port" --control.listen-address=127.0.0.1:0 >"$work/demo.log" 2>&1 &
demo=$!
for _ in $(seq 600); do
  if curl -sf --noproxy '*' -o /dev/null "http://127.0.0.1:$port/-/ready"; then break; fi
  sleep 0.1
done
# Some tokens of the demo expire a few seconds after its start.
sleep 20

node tests/pages/browser.mjs shoot "http://127.0.0.1:$port" "$work/pictures" <<'JSON'
[
  {"name": "home", "path": "/"},
  {"name": "token", "path": "/token/by-hand/fleet-firmware", "full": true},
  {"name": "owner", "path": "/owner/Ulla%20Berg"},
  {"name": "source", "path": "/source/atlassian-sandbox"}
]
JSON
# The mail to the same owner, from the API of the same exporter.
mkdir "$work/mail"
"${EXPORTER:-target/debug/token-expiry-exporter}" digest --exporter.url="http://127.0.0.1:$port/" --mail.allow-domain=example.com \
  --web.external-url=https://tokens.example.com/ --owner='Ulla Berg' --format=html >"$work/mail/mail.html" || [ $? = 3 ]
mail_port=$(free_port)
python3 -m http.server --bind 127.0.0.1 --directory "$work/mail" "$mail_port" >/dev/null 2>&1 &
mail=$!
for _ in $(seq 100); do
  if curl -sf --noproxy '*' -o /dev/null "http://127.0.0.1:$mail_port/mail.html"; then break; fi
  sleep 0.1
done
node tests/pages/browser.mjs shoot "http://127.0.0.1:$mail_port" "$work/pictures" <<'JSON'
[{"name": "mail", "path": "/mail.html"}]
JSON
# What two commands write to a terminal of 140 columns.
configuration=$(grep -o '/[^ ]*\.yaml' "$work/demo.log" | head -n 1)
in_terminal() {
  script --quiet --return --command "stty columns 140; '${EXPORTER:-target/debug/token-expiry-exporter}' $1 --config.file='$configuration' 2>/dev/null" "$work/typescript" >"$2" || [ $? = 3 ]
}
in_terminal 'list --band=expired --band=critical' "$work/list"
in_terminal 'explain fleet-firmware' "$work/explain"
node tests/pages/terminal.mjs "$work/pictures" <<JSON
[
  {"name": "terminal-list", "command": "token-expiry-exporter list --band=expired --band=critical", "output": "$work/list"},
  {"name": "terminal-explain", "command": "token-expiry-exporter explain fleet-firmware", "output": "$work/explain"}
]
JSON
# The mail that the test of the alerts delivers.
MAIL_TO_PHOTOGRAPH=$work/mail.html cargo test --locked --test suite -- alerts::delivery
node tests/pages/browser.mjs shoot "file://$work" "$work/pictures" <<<'[{"name": "mail", "path": "/mail.html", "full": true, "themes": ["light"]}]'
# 256 colours are enough for text on a plain background, at a third of the size.
pngquant --strip --skip-if-larger --force --ext .png "$work"/pictures/*.png || [ $? = 98 ]
mkdir -p docs/images
cp "$work"/pictures/*.png docs/images/
ls -l docs/images >&2
