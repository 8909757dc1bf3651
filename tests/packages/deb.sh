# shellcheck shell=bash
# The Debian packages: built, looked at, and led through their life in roots of Debian 12 and 13.
# Sourced by tests/run from the top folder; each function prints what it does and ends with 0 where
# all is well.

# Not where `make deb` leaves its own: these are compiled in less time, but for the long run.
deb=$target/test-deb

package_deb_build() {
    make vendor && packaging/deb.sh "$deb" && ls -l "$deb"/*.deb
}

# The packages; with the sources, which takes minutes, in the long run.
package_deb_lintian() {
    local what=("$deb"/*.deb)
    [ -z "${E2E_SOAK:-}" ] || what=("$deb"/*.changes)
    lintian --allow-root --fail-on error,warning --tag-display-limit 0 "${what[@]}"
}

# What packaging/manifest says of the packages of a kind: deb or rpm.
manifest() {
    awk -v kind="$1" -v package="$2" '($1 == kind || $1 == "both") && $2 == package {
        print $3, $4, $5, $6 }' packaging/manifest
}

# What a package of Debian holds, in the manifest's form.
contents() {
    local here
    here=/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)/security
    dpkg-deb -c "$1" | awk -v pam="$here" '
        function bits(mode, value, i) {
            value = 0
            for (i = 2; i <= 10; i++) value = value * 2 + (substr(mode, i, 1) ~ /[rwxst]/)
            return sprintf("%04o", value)
        }
        {
            kind = substr($1, 1, 1); if (kind == "-") kind = "f"
            path = substr($6, 2); sub(/\/$/, "", path); sub(/\.gz$/, "", path)
            if (kind == "d" && path !~ /^\/etc\/otpd/) {
                if ($1 != "drwxr-xr-x" || $2 != "root/root") print "folder", $1, $2, path
                next
            }
            if (index(path, pam) == 1) path = "@PAM@" substr(path, length(pam) + 1)
            sub(/^\/usr\/share\/zsh\/vendor-completions/, "@ZSH@", path)
            sub("/", ":", $2)
            print kind, bits($1), $2, path
        }'
}

package_deb_manifest() {
    diff <(manifest deb otpd | sort) <(contents "$deb"/otpd_*.deb | sort) &&
        diff <(manifest deb module | sort) <(contents "$deb"/libpam-otp_*.deb | sort)
}

# The programs know of no folder that they were built in.
package_deb_names_no_folder() {
    local found
    found=$(find "$deb/cargo/release" -maxdepth 1 \( -name otpd -o -name otpctl -o -name libpam_otp.so \) \
        -exec grep -lF -e "$PWD" -e "$HOME/.cargo" -e "$HOME/.rustup" {} +)
    [ -z "$found" ] || { echo "the folder of the build is in $found" && return 1; }
}

# The packages once more, from the binaries that there are: FOLDER [RELEASE]. Under another path, at
# another time, by another user of the system; with RELEASE as another version.
package_again() {
    local source=$1/elsewhere/otpd profile=pkg.otpd.rustup
    mkdir -p "$source" && tar --create --directory "$deb/otpd-0.1.0" --exclude=./vendor . |
        tar --extract --touch --directory "$source" || return 1
    if [ -n "${2:-}" ]; then
        sed -i "1s/(.*)/($2)/" "$source/debian/changelog"
    fi
    (
        umask 027
        cd "$source" && CARGO=true CARGO_TARGET_DIR=$(realpath "$OLDPWD/$deb/cargo") TZ=Asia/Tokyo \
            LC_ALL=C.UTF-8 HOME=/nonexistent \
            dpkg-buildpackage --build=binary --build-profiles=$profile --unsigned-changes
    ) >"$1/build.log" 2>&1 || { tail -n 20 "$1/build.log" && return 1; }
}

package_deb_again_is_the_same() {
    local folder package same=0
    folder=$(mktemp -d -p "$target") && package_again "$folder" || return 1
    for package in "$deb"/*.deb; do
        cmp "$package" "$folder/elsewhere/${package##*/}" || same=1
    done
    rm -rf "$folder"
    return $same
}

# The module compiled once more in another folder; in the long run all packages, from the sources.
package_deb_built_again_is_the_same() {
    local folder package same=0
    folder=$(mktemp -d -p "$target") && cp -a "$deb/otpd-0.1.0" "$folder/source" || return 1
    if [ -n "${E2E_SOAK:-}" ]; then
        rm -rf "$folder/source/debian"
        "$folder/source/packaging/deb.sh" "$folder/built" || return 1
        for package in "$deb"/*.deb; do
            cmp "$package" "$folder/built/${package##*/}" || same=1
        done
    else
        (cd "$folder/source" && PATH=$(rustc --print sysroot)/bin:$PATH CARGO_TARGET_DIR=$PWD/../built \
            debian/rules override_dh_auto_build WHAT=module) || return 1
        cmp "$deb/cargo/release/libpam_otp.so" "$folder/built/release/libpam_otp.so" || same=1
    fi
    rm -rf "$folder"
    return $same
}

# The next version, for the upgrades below.
package_deb_next_version() {
    rm -rf "$deb/next" && mkdir "$deb/next" && package_again "$deb/next" 0.1.0-2
}

# tests/packages/life in a root of SUITE that is thrown away; no systemd runs there.
package_deb_life() {
    local suite=$1 root folder status=0
    root=$(tests/machines/root/make "$suite") && folder=$(mktemp -d -p "$target") || return 1
    mkdir "$folder"/{changes,work,root} &&
        # shellcheck disable=SC2016 # the inner shell expands it
        unshare --mount --net --fork --pid --kill-child sh -euc '
            mount -t overlay none -o "lowerdir=$1,upperdir=$2/changes,workdir=$2/work" "$2/root"
            mount -t proc proc "$2/root/proc"
            mkdir "$2/root/first" "$2/root/next"
            cp "$3"/*.deb "$2/root/first"
            cp "$3"/next/elsewhere/*.deb "$2/root/next"
            cp tests/packages/life packaging/manifest "$2/root/"
            exec chroot "$2/root" /life' root "$root" "$(realpath "$folder")" "$deb" || status=1
    rm -rf --one-file-system "$folder"
    return $status
}

package_deb_apparmor() {
    apparmor_parser --skip-kernel-load --skip-cache --debug packaging/apparmor/usr.sbin.otpd >/dev/null
}

# One after the other, each with its name; the first that fails ends it.
package_deb() {
    local each
    if [ -z "${E2E_SOAK:-}" ]; then
        local -x CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
    fi
    for each in build lintian manifest names_no_folder apparmor again_is_the_same \
        built_again_is_the_same next_version "life bookworm" "life trixie"; do
        echo "--- deb: $each"
        # shellcheck disable=SC2086 # a function and its argument
        package_deb_$each || { echo "deb: $each: FAILED" && return 1; }
    done
}

lacks_package_deb() {
    local name missing=()
    for name in dpkg-buildpackage dh dh_apparmor lintian apparmor_parser mmdebstrap; do
        command -v "$name" >/dev/null || missing+=("$name")
    done
    if [ ${#missing[@]} != 0 ]; then
        echo "no ${missing[*]}: apt-get install what tests/packages.txt names"
    elif [ "$(id -u)" != 0 ] || ! unshare --mount --net true 2>/dev/null; then
        echo "needs root and namespaces, for roots to install into"
    fi
}
