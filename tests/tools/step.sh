#!/usr/bin/env bash
# Runs a command as a step of `make test` and records its seconds.
#
#   tests/tools/step.sh --begin | NAME COMMAND… | --table
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/../.."
seconds=target/steps

case $1 in
  --begin) mkdir -p target && rm -f "$seconds" ;;
  --table) printf '\n%s\n' "seconds of each step:" && column -t -s $'\t' "$seconds" ;;
  *)
    name=$1 started=$SECONDS
    shift
    "$@" || { status=$? && echo "$name: failed after $((SECONDS - started)) s" >&2 && exit $status; }
    mkdir -p target && printf '%s\t%s\n' "$((SECONDS - started))" "$name" >>"$seconds"
    ;;
esac
