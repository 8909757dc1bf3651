# shellcheck shell=bash
# The rpm packages: built, looked at, and led through their life in a root that has rpm, SELinux's
# policy and nothing of ours. Sourced by tests/run from the top folder; each function prints what it
# does and ends with 0 where all is well.
#
# The release build over all crates takes minutes, and the packages of Debian have it: what is
# packaged here are their binaries, or those of `make`. E2E_SOAK=1 compiles them by the spec.

rpms=$target/rpm-packages
# Debian's name for the policy that Fedora calls targeted.
rpm_policy=default

# The folder of the newest release binaries that there are; builds them where there are none.
rpm_binaries() {
    local folder
    folder=$(find "$deb/cargo/release" "$target/deb/cargo/release" "$target/release" -maxdepth 1 -name otpd -printf '%T@ %h\n' 2>/dev/null |
        sort -n | sed -n '$s/[^ ]* //p')
    if [ -z "$folder" ] || [ ! -e "$folder/otpctl" ] || [ ! -e "$folder/libpam_otp.so" ]; then
        make all >&2 || return 1
        folder=$target/release
    fi
    realpath "$folder"
}

package_rpm_build() {
    local binaries options=(--define "selinuxtype $rpm_policy")
    if [ -n "${E2E_SOAK:-}" ]; then
        make vendor && unshare --net packaging/rpm/build "$rpms" "${options[@]}"
    else
        binaries=$(rpm_binaries) &&
            packaging/rpm/build "$rpms" "${options[@]}" --define "otpd_binaries $binaries"
    fi
}

package_rpm_lint() {
    rpmlint --strict --rpmlintrc packaging/rpm/rpmlintrc "$rpms"/*.rpm packaging/rpm/otpd.spec
}

# The spec has the version of Cargo.toml.
package_rpm_version() {
    local version
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
    grep -q "^Version: *$version\$" packaging/rpm/otpd.spec ||
        { echo "packaging/rpm/otpd.spec is not of version $version" && return 1; }
}

# What a package of rpm holds, in the manifest's form; without what rpm itself adds.
rpm_contents() {
    rpm --query --package --queryformat \
        '[%{FILEMODES:perms} %{FILEMODES:octal} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILENAMES}\n]' "$1" | awk \
        -v pam="$(rpm --eval '%{_libdir}')/security" -v policy=$rpm_policy '
        $4 ~ "^(/usr/lib/.build-id|/var/lib/selinux/)" { next }
        {
            kind = substr($1, 1, 1); if (kind == "-") kind = "f"
            path = $4; sub(/\.(gz|bz2|xz|zst)$/, "", path); if (path ~ /\.pp$/) path = $4
            if (kind == "d" && path !~ "^/(etc|var/lib|run)/otpd") {
                if ($1 != "drwxr-xr-x" || $3 != "root:root") print "folder", $1, $3, path
                next
            }
            if (index(path, pam) == 1) path = "@PAM@" substr(path, length(pam) + 1)
            sub(/^\/usr\/share\/zsh\/site-functions/, "@ZSH@", path)
            sub("/packages/" policy "/", "/packages/@POLICY@/", path)
            print kind, substr($2, length($2) - 3), $3, path
        }'
}

package_rpm_manifest() {
    local pair
    for pair in otpd:otpd module:pam_otp selinux:otpd-selinux; do
        diff <(manifest rpm "${pair%:*}" | LC_ALL=C sort) \
            <(rpm_contents "$rpms/${pair#*:}"-[0-9]*.rpm | LC_ALL=C sort) || return 1
    done
}

# Another build from the same files, elsewhere and at another time, is the same; as another release,
# it is what the life goes on to.
package_rpm_again() {
    local binaries package same=0
    [ -z "${E2E_SOAK:-}" ] || return 0
    binaries=$(rpm_binaries) || return 1
    (umask 027 && TZ=Asia/Tokyo packaging/rpm/build "$rpms/again" --define "selinuxtype $rpm_policy" \
        --define "otpd_binaries $binaries") >"$rpms/again.log" 2>&1 || { tail -n 20 "$rpms/again.log" && return 1; }
    for package in "$rpms"/*.rpm; do
        cmp "$package" "$rpms/again/${package##*/}" || same=1
    done
    return $same
}

# The root to install into: made once.
rpm_root() {
    local what='rpm systemd pamtester policycoreutils selinux-policy-default setools' hash root
    hash=$(echo "$what" | sha256sum | cut -c1-12)
    root=$target/rpm-root-$hash
    if [ ! -d "$root" ]; then
        rm -rf --one-file-system "$target"/rpm-root-*
        mmdebstrap --quiet --mode=root --variant=minbase --include="${what// /,}" bookworm "$root.new" \
            ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >&2 && mv "$root.new" "$root" || return 1
    fi
    realpath "$root"
}

# tests/packages/rpm-life in a root that is thrown away; no systemd runs there.
package_rpm_life() {
    local root folder binaries status=0
    root=$(rpm_root) && binaries=$(rpm_binaries) && folder=$(mktemp -d -p "$target") || return 1
    mkdir "$folder"/{changes,work,root}
    packaging/rpm/build "$folder/next" --define "selinuxtype $rpm_policy" --define 'dist .next' \
        --define "otpd_binaries $binaries" >"$folder/build.log" 2>&1 || { tail "$folder/build.log" && return 1; }
    # shellcheck disable=SC2016 # the inner shell expands it
    unshare --mount --net --fork --pid --kill-child sh -euc '
        mount -t overlay none -o "lowerdir=$1,upperdir=$2/changes,workdir=$2/work" "$2/root"
        mount -t proc proc "$2/root/proc"
        mkdir "$2/root/first" "$2/root/next"
        cp "$3"/*.rpm "$2/root/first"
        cp "$2"/next/*.rpm "$2/root/next"
        cp tests/packages/rpm-life packaging/manifest "$2/root/"
        exec chroot "$2/root" /rpm-life' root "$root" "$(realpath "$folder")" "$rpms" || status=1
    rm -rf --one-file-system "$folder"
    return $status
}

# The policy module compiles with the headers that are here.
package_rpm_selinux() {
    local folder status=0
    folder=$(mktemp -d -p "$target") && cp packaging/selinux/otpd.* "$folder/" &&
        make -C "$folder" -f /usr/share/selinux/devel/Makefile otpd.pp || status=1
    rm -rf "$folder"
    return $status
}

# authselect's templates: what the feature does not ask for stays as it is, what it asks for is the
# golden text, what cannot be understood is refused, and the stacks do what they should.
package_rpm_authselect() {
    local here=tests/authselect folder features status=0
    folder=$(mktemp -d -p "$target") || return 1
    packaging/authselect/authselect-profile --print $here/template >"$folder/template" || status=1
    for features in '' 'with-faillock' 'with-faillock with-card' 'with-card without-nullok with-echo'; do
        # shellcheck disable=SC2086 # words
        diff <($here/render $here/template $features) <($here/render "$folder/template" $features) || status=1
    done
    diff $here/rendered <($here/render "$folder/template" with-otp with-faillock with-card) || status=1
    while IFS= read -r line; do
        { echo "$line" && sed 1d $here/template; } >"$folder/refused"
        ! packaging/authselect/authselect-profile --print "$folder/refused" >/dev/null 2>"$folder/why" ||
            { echo "not refused: $line" && status=1; }
    done <$here/refused
    sed '/pam_deny/d' $here/template >"$folder/refused"
    ! packaging/authselect/authselect-profile --print "$folder/refused" >/dev/null 2>"$folder/why" ||
        { echo 'not refused: a stack that ends in no pam_deny' && status=1; }
    [ $status = 0 ] && rpm_stacks "$folder/template" || status=1
    rm -rf --one-file-system "$folder"
    return $status
}

# The stacks of a template through the real libpam, in a root: tests/authselect/logins.
rpm_stacks() {
    local template=$1 here=tests/authselect folder root status=0
    root=$(rpm_root) && folder=$(mktemp -d -p "$target") || return 1
    mkdir -p "$folder"/{changes/stacks,work,root}
    $here/render "$template" with-otp >"$folder/changes/stacks/plain"
    $here/render "$template" with-otp with-faillock >"$folder/changes/stacks/faillock"
    $here/render "$template" with-otp with-card >"$folder/changes/stacks/card"
    $here/render "$template" with-otp with-card with-faillock >"$folder/changes/stacks/both"
    cp $here/logins "$folder/changes/"
    # shellcheck disable=SC2016 # the inner shell expands it
    unshare --mount --net --fork --pid --kill-child sh -euc '
        mount -t overlay none -o "lowerdir=$1,upperdir=$2/changes,workdir=$2/work" "$2/root"
        mount -t proc proc "$2/root/proc"
        exec chroot "$2/root" /logins' root "$root" "$(realpath "$folder")" || status=1
    rm -rf --one-file-system "$folder"
    return $status
}

# One after the other, each with its name; the first that fails ends it.
package_rpm() {
    local each
    for each in version selinux authselect build lint manifest again life; do
        echo "--- rpm: $each"
        "package_rpm_$each" || { echo "rpm: $each: FAILED" && return 1; }
    done
}

lacks_package_rpm() {
    local name missing=()
    for name in rpmbuild rpmlint mmdebstrap checkmodule semodule_package gawk; do
        command -v "$name" >/dev/null || missing+=("$name")
    done
    [ -e /usr/share/selinux/devel/Makefile ] || missing+=(selinux-policy-dev)
    if [ ${#missing[@]} != 0 ]; then
        echo "no ${missing[*]}: apt-get install what tests/packages.txt names"
    elif [ "$(id -u)" != 0 ] || ! unshare --mount --net true 2>/dev/null; then
        echo "needs root and namespaces, for roots to install into"
    fi
}
