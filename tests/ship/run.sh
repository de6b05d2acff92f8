#!/usr/bin/env bash
# Builds what is shipped (image, archive, Debian package), and holds it to its promises: tests/ship/*.rs. A Docker daemon of
# its own is started, in .tools/, and ended: that needs root. Nothing is pulled but, where it can be, the base image.
#
#   tests/ship/run.sh [ARGUMENTS OF THE TEST PROGRAM]
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/../.."
tools=$PWD/.tools

say() { printf 'ship: %s\n' "$*" >&2; }

if [ "$(id -u)" != 0 ]; then
  say "a Docker daemon of its own needs root"
  if [ "${CI-}" = true ]; then exit 1; fi
  say "NOT TESTED: the image, the archive and the packages; run it as root"
  exit 0
fi

export PATH=$tools/docker/usr/bin:$tools/docker/usr/sbin:$PATH
LD_LIBRARY_PATH=$(echo "$tools"/docker/usr/lib/*-linux-gnu):$(echo "$tools"/docker/lib/*-linux-gnu)
export LD_LIBRARY_PATH

work=$(mktemp -d)
export DOCKER_HOST=unix://$work/docker.sock
# Containers of an earlier run that was broken off would be restored; images and layers are what is worth keeping.
rm -rf "$tools/docker-data/containers"
dockerd --host "$DOCKER_HOST" --data-root "$tools/docker-data" --exec-root "$work/exec" --pidfile "$work/docker.pid" \
  --bridge none --iptables=false >"$work/dockerd.log" 2>&1 &
daemon=$!
end() {
  # shellcheck disable=SC2046 # one word a container
  docker rm --force --volumes $(docker ps --all --quiet) >/dev/null 2>&1 || true
  kill "$daemon" && wait "$daemon" || true
  rm -rf "$work"
}
trap end EXIT
for _ in $(seq 100); do
  if docker version >/dev/null 2>&1; then break; fi
  if ! kill -0 "$daemon" 2>/dev/null; then cat "$work/dockerd.log" >&2 && exit 1; fi
  sleep 0.2
done

# A Debian with systemd and lintian, as `install.sh machine` made it.
if ! docker image inspect machine >/dev/null 2>&1; then
  say "importing a Debian machine"
  docker import "$tools/machine.tar" machine >/dev/null
fi

# The base image, or a stand-in where no registry is reached: the same Debian with this machine's own Rust, and its own
# authorities, since whoever keeps registries away may also stand between.
base=$(sed -n 's/^FROM \(rust:[^ ]*\).*/\1/p' Dockerfile)
if ! docker image inspect "$base" >/dev/null 2>&1 && ! docker pull --quiet "$base" >/dev/null 2>&1; then
  say "no registry is reached: making a stand-in for $base"
  container=$(docker create machine true)
  mkdir -p "$work/base/usr/local/rustup" "$work/base/usr/local/cargo/bin" "$work/base/etc/ssl/certs"
  cp -a "$(rustc --print sysroot)/bin" "$(rustc --print sysroot)/lib" "$work/base/usr/local/rustup/"
  for program in cargo rustc; do ln -s "../../rustup/bin/$program" "$work/base/usr/local/cargo/bin/"; done
  cp -L /etc/ssl/certs/ca-certificates.crt "$work/base/etc/ssl/certs/"
  tar -C "$work/base" -c . | docker cp - "$container:/"
  docker commit --change 'ENV CARGO_HOME=/usr/local/cargo RUSTUP_HOME=/usr/local/rustup PATH=/usr/local/cargo/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    "$container" "$base" >/dev/null
  docker rm "$container" >/dev/null
  rm -rf "$work/base"
fi

# There is no bridge: cargo reaches its registry over the machine's own network.
export IMAGE_FLAGS="--network host --quiet"
say "building the image"
packaging/image.sh token-expiry-exporter:test >/dev/null
packaging/dist.sh >/dev/null

cargo test --locked --test ship -- "$@"
