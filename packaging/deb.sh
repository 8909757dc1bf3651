#!/usr/bin/env bash
# Builds the Debian packages from this checkout, as it is: packaging/deb.sh FOLDER
#
# FOLDER gets the source tree, the packages, and cargo's folder, which the next build takes up
# again. The build has no network, the dependencies come from vendor/ (`make vendor`). Where
# Debian's cargo is too old, the one on PATH builds (profile pkg.otpd.rustup).
#
# For a try-out, cargo's own variables shorten the build: CARGO_PROFILE_RELEASE_LTO=off
# CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p "$1"
folder=$(realpath "$1")
release=$(dpkg-parsechangelog -l packaging/debian/changelog -S Version)
version=${release%-*}
source=$folder/otpd-$version
SOURCE_DATE_EPOCH=$(dpkg-parsechangelog -l packaging/debian/changelog -S Timestamp)
export SOURCE_DATE_EPOCH

# The files of the checkout with their times, so that cargo sees what has changed.
rm -rf "$source" "$folder"/*.{deb,dsc,changes,buildinfo,tar.*}
mkdir -p "$source"
if git rev-parse --git-dir >/dev/null 2>&1; then
    git ls-files -z --cached --others --exclude-standard
else
    find . -path ./target -prune -o -path ./vendor -prune -o -type f -print0
fi | while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
    xargs -0 cp -a --parents -t "$source"

# Archives whose bytes depend on nothing but the files in them.
archive() {
    tar --create --directory="$2" --transform="s|^\.|$3|" --sort=name --format=gnu \
        --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX . |
        gzip -n >"$folder/$1"
}
archive "otpd_$version.orig.tar.gz" "$source" "otpd-$version"
archive "otpd_$version.orig-vendor.tar.gz" vendor vendor
cp -a packaging/debian "$source/debian"
cp -a vendor "$source/vendor"

profile=()
newest=$(printf '%s\n' "$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)" \
    "$(dpkg-query -W -f '${Version}' cargo 2>/dev/null || echo 0)" | sort -V | tail -n 1)
[ "$newest" = "$(dpkg-query -W -f '${Version}' cargo 2>/dev/null)" ] ||
    profile=(--build-profiles=pkg.otpd.rustup)

offline=(unshare --net)
[ "$(id -u)" = 0 ] || offline=(unshare --net --map-current-user)
"${offline[@]}" true 2>/dev/null || {
    echo "no network namespace here: only cargo's --offline keeps the build from the network" >&2
    offline=()
}

cd "$source"
export CARGO_TARGET_DIR=$folder/cargo
"${offline[@]}" dpkg-buildpackage "${profile[@]}" --unsigned-source --unsigned-changes
