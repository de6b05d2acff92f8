#!/usr/bin/env bash
# Builds the Debian package. The program is static, so the package fits every release of Debian. Reproducible: the same
# input makes the same bytes.
#
#   packaging/deb.sh PROGRAM ARCHITECTURE DIRECTORY          ARCHITECTURE as in Debian: amd64, arm64
set -euo pipefail
program=$(realpath "$1") architecture=$2
mkdir -p "$3" && directory=$(realpath "$3")
cd "$(dirname "$(realpath "$0")")/.."
# shellcheck source=packaging/version.sh
. packaging/version.sh

name=token-expiry-exporter
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root doc=$work/root/usr/share/doc/$name
install_file() { install -D -m 644 "$1" "$root/$2"; }
install_gzip() { install -d "$(dirname "$root/$2")" && gzip -n -9 <"$1" >"$root/$2.gz"; }

install -D -m 755 "$program" "$root/usr/bin/$name"
install_file packaging/systemd/$name.service usr/lib/systemd/system/$name.service
install_file packaging/deb/default etc/default/$name
install -d -m 755 "$root/etc/$name"
install -d -m 700 "$root/etc/$name/secrets"
install_file packaging/deb/copyright usr/share/doc/$name/copyright
install_file packaging/deb/lintian-overrides usr/share/lintian/overrides/$name
install_file README.md usr/share/doc/$name/README.md
install_gzip CHANGELOG.md usr/share/doc/$name/CHANGELOG.md
# Debian requires its own changelog format; it refers to CHANGELOG.md.
{
  printf '%s (%s) stable; urgency=medium\n\n  * See CHANGELOG.md.gz.\n\n' "$name" "$VERSION"
  printf ' -- %s  %s\n' "$(sed -n 's/^Maintainer: //p' packaging/deb/control)" "$(date -u -R --date="@$SOURCE_DATE_EPOCH")"
} >"$work/changelog"
install_gzip "$work/changelog" usr/share/doc/$name/changelog
install_gzip packaging/man/$name.1 usr/share/man/man1/$name.1
install_file packaging/completions/$name.bash usr/share/bash-completion/completions/$name
install_file packaging/completions/_$name usr/share/zsh/vendor-completions/_$name
install_file packaging/completions/$name.fish usr/share/fish/vendor_completions.d/$name.fish
cp -R docs examples "$doc/"
cp packaging/systemd/token-expiry-digest.* "$doc/examples/"
install -d "$root/usr/share/$name/alerts"
cp -R alerts/*.yaml alerts/templates "$root/usr/share/$name/alerts/"
cp -R dashboards "$root/usr/share/$name/"
chmod -R u=rwX,go=rX "$root/usr"

install -d "$root/DEBIAN"
(cd packaging/deb && install -m 755 postinst prerm postrm "$root/DEBIAN/" && install -m 644 conffiles "$root/DEBIAN/")
size=$(du -k --apparent-size -s "$root" | cut -f 1)
sed -e "s/@VERSION@/$VERSION/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@SIZE@/$size/" packaging/deb/control \
  >"$root/DEBIAN/control"
(cd "$root" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 md5sum) \
  >"$work/md5sums"
mv "$work/md5sums" "$root/DEBIAN/md5sums" && chmod 644 "$root/DEBIAN/md5sums" "$root/DEBIAN/control"
find "$root" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group -Zxz --build "$root" "$directory/${name}_${VERSION}_$architecture.deb" >/dev/null
echo "$directory/${name}_${VERSION}_$architecture.deb"
