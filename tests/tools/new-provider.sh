#!/usr/bin/env bash
# Writes the skeleton of a provider: definition and scenarios. The definition is valid; the scenarios fail until they are filled
# in.
#
#   tests/tools/new-provider.sh NAME [DIRECTORY]      DIRECTORY instead of the checkout, for the tests
set -euo pipefail
name=${1-}
if ! [[ $name =~ ^[a-z][a-z0-9]*(-[a-z0-9]+)*$ ]]; then
  echo "usage: make provider NAME=acme-cloud: lower-case letters, digits and single hyphens" >&2
  exit 2
fi
cd "${2-"$(dirname "$(realpath "$0")")/../.."}"

# new FILE: writes it from standard input, unless it exists.
new() {
  if [ -e "$1" ]; then echo "$1: already exists; remove it or choose another name" >&2 && exit 1; fi
  mkdir -p "$(dirname "$1")" && cat >"$1" && echo "$1"
}

new "src/providers/definitions/$name.yaml" <<EOF
# docs/adding-a-provider.md is the way, docs/definitions.md the format. Replace every value by the vendor's.
format: 1
provider: $name                      # as this file, the directory of its scenarios, and the label \`provider\`
title: ${name^}
group: platforms                     # atlassian, code, clouds, observability, ai, platforms, secret-stores or local
docs: https://example.com/docs/api/tokens            # the vendor's documentation of these requests
expiry: a timestamp; null means never
permission: a token with the scope tokens:read       # the least that all listings need
credential: 'An administrator creates a token: Settings > API tokens > New token, with the scope tokens:read.'
example: |                           # the settings of a source
  url: https://$name.example.com
  credential: {file: /run/secrets/$name}
cost: one for 100 tokens             # requests of a collection
not_listed:                          # what the API does not list, or does not show to every credential
  - tokens of other tenants
tested_against: documentation        # or api-description, server: what the scenarios rest on
settings:
  url: {type: url, help: "the base URL"}             # with \`default\` if it is the same for everybody
auth: bearer
error: .message                      # the only part of an error response that may be logged
listings:
  - name: token
    kind: api-token
    get: /v1/tokens
    query: {limit: 100}
    next: {cursor: .next, param: cursor}
    rows: .tokens
    token:                           # one jq expression per field; remove those that the vendor does not report
      id: .id
      name: .name
      owner: .owner
      created_at: .created_at
      expires_at: .expires_at
      last_used_at: .last_used_at
      manage_url: '"\(\$settings.url)/settings/tokens"'    # only a page that shows every reader this token

renew:                               # how a token is renewed, by kind
  api-token:
    who: the owner
    where: Settings > API tokens > New token; replace the old one where it is used, then revoke it
    docs: https://example.com/docs/tokens
EOF

new "tests/providers/$name/tokens.yaml" <<EOF
# https://example.com/docs/api/tokens#list: the vendor's documentation of these responses. Do not copy them from an account.
scenario: two pages; a token that never expires; a malformed row does not affect the others
now: 2026-11-23T12:00:00Z
source: {}
exchanges:
  - get: /v1/tokens?limit=100
    headers: {Authorization: Bearer CREDENTIAL}
    response: {body: {tokens: [{id: 1, name: ci, expires_at: "2027-01-01T00:00:00Z"}], next: abc}}
  - get: /v1/tokens?limit=100&cursor=abc
    response: {body: {tokens: [{id: 2, name: old, expires_at: null}, {name: without an id}], next: null}}
yields:
  malformed: 1
  tokens: []                         # list every token with all its fields; a failing test prints what is missing
EOF

new "tests/providers/$name/empty.yaml" <<EOF
# https://example.com/docs/api/tokens#list
scenario: no tokens
now: 2026-11-23T12:00:00Z
source: {}
exchanges:
  - {get: "/v1/tokens?limit=100", response: {body: {tokens: [], next: null}}}
yields: {tokens: []}
EOF

new "tests/providers/$name/refused.yaml" <<EOF
# https://example.com/docs/api/errors: the vendor's documentation of error responses
scenario: the missing permission is reported with the vendor's message
now: 2026-11-23T12:00:00Z
source: {}
exchanges:
  - get: /v1/tokens?limit=100
    response: {status: 403, body: {message: missing scope tokens:read}}
yields:
  gaps: []                           # listing, scope, reason, message, permission
EOF

cat <<EOF

Next: fill in these files, look at the definition with
  cargo run -- providers $name
run the scenarios with
  SCENARIO=$name cargo test --lib -- providers::tests
and write its page, its example and the tables of providers with
  make golden
EOF
