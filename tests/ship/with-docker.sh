#!/usr/bin/env bash
# Runs a command with a Docker daemon: the running one, or else its own, installed in .tools/, which needs root. If no image
# registry can be reached, it builds a substitute for the base image of the Dockerfile.
#
#   tests/ship/with-docker.sh COMMAND…
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/../.."
tools=$PWD/.tools

say() { printf 'ship: %s\n' "$*" >&2; }

if docker info >/dev/null 2>&1; then exec "$@"; fi
if [ "$(id -u)" != 0 ]; then
  say "no Docker daemon is running; starting one needs root"
  if [ "${CI-}" = true ]; then exit 1; fi
  say "SKIPPED: $*"
  exit 0
fi

tests/tools/install.sh docker machine
export PATH=$tools/docker/usr/bin:$tools/docker/usr/sbin:$PATH
libraries=("$tools"/docker/usr/lib/*-linux-gnu "$tools"/docker/lib/*-linux-gnu)
LD_LIBRARY_PATH=$(IFS=: && echo "${libraries[*]}")
export LD_LIBRARY_PATH

work=$(mktemp -d)
export DOCKER_HOST=unix://$work/docker.sock
# The daemon would restore the containers of an interrupted run. Images and layers stay.
rm -rf "$tools/docker-data/containers"
dockerd --host "$DOCKER_HOST" --data-root "$tools/docker-data" --exec-root "$work/exec" --pidfile "$work/docker.pid" \
  --bridge none --iptables=false >"$work/dockerd.log" 2>&1 &
daemon=$!
cleanup() {
  docker ps --all --quiet | xargs --no-run-if-empty docker rm --force --volumes >/dev/null 2>&1 || true
  kill "$daemon" 2>/dev/null && wait "$daemon" || true
  # The daemon leaves network namespaces of containers mounted.
  umount "$work"/exec/netns/* 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
for _ in $(seq 150); do
  if docker version >/dev/null 2>&1; then break; fi
  if ! kill -0 "$daemon" 2>/dev/null; then cat "$work/dockerd.log" >&2 && exit 1; fi
  sleep 0.2
done

# Without a bridge, a build needs the network of the machine to download crates.
export IMAGE_FLAGS="--network host"

base=$(sed -n 's/^FROM \(rust:[^ ]*\).*/\1/p' Dockerfile)
if ! docker image inspect "$base" >/dev/null 2>&1 && ! docker pull --quiet "$base" >/dev/null 2>&1; then
  # A Debian with a C compiler, and this machine's Rust and CA certificates: a network without registries may also intercept
  # TLS.
  say "cannot pull $base; building a substitute"
  docker image inspect machine >/dev/null 2>&1 || docker import "$tools/machine.tar" machine >/dev/null
  tree=$work/base
  mkdir -p "$tree/usr/local/rustup" "$tree/usr/local/cargo/bin" "$tree/etc/ssl/certs"
  cp -a "$(rustc --print sysroot)/bin" "$(rustc --print sysroot)/lib" "$tree/usr/local/rustup/"
  for program in cargo rustc; do ln -s "../../rustup/bin/$program" "$tree/usr/local/cargo/bin/"; done
  cp -L /etc/ssl/certs/ca-certificates.crt "$tree/etc/ssl/certs/"
  container=$(docker create machine true)
  tar -C "$tree" -c . | docker cp - "$container:/"
  docker commit --change 'ENV CARGO_HOME=/usr/local/cargo RUSTUP_HOME=/usr/local/rustup PATH=/usr/local/cargo/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    "$container" "$base" >/dev/null
  docker rm "$container" >/dev/null
  rm -rf "$tree"
fi

"$@"
