# shellcheck shell=bash
# What a build on a fresh machine needs; sourced by tests/run and demo/run from the top folder.

# Finds cargo where rustup puts it and checks that the compiler is new enough; explains otherwise.
need_rust() {
    local want found
    command -v cargo >/dev/null || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    want=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    found=$(rustc --version 2>/dev/null | cut -d' ' -f2) || true
    if command -v cargo >/dev/null && printf '%s\n' "$want" "${found%%-*}" | sort -CV; then
        return
    fi
    cat >&2 <<TEXT
Rust $want or newer is needed; this machine has ${found:-none}.
Distributions are often older. rustup (https://rustup.rs) installs a current one
for your user:

    apt-get install curl    # as root, where there is no curl
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y

Open a new shell and run this again.
TEXT
    return 1
}

# Installs the Debian packages that a list names and this machine lacks, as root or through sudo.
# Says which; services that come with them are not started.
need_packages() {
    local list=$1 missing=() name as_root=()
    while read -r name; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
    done < <(grep -v '^#' "$list")
    [ ${#missing[@]} -gt 0 ] || return 0
    if ! command -v apt-get >/dev/null; then
        echo "not a Debian; install what these packages hold: ${missing[*]}" >&2
        return 1
    fi
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || { echo "as root: apt-get install ${missing[*]}" >&2; return 1; }
        as_root=(sudo)
    fi
    echo "Installing ${missing[*]}"
    # shellcheck disable=SC2016 # the inner shell expands it
    "${as_root[@]}" sh -eu -c '
        hold=/usr/sbin/policy-rc.d
        if [ ! -e $hold ]; then
            trap "rm -f $hold" EXIT
            printf "#!/bin/sh\nexit 101\n" >$hold
            chmod 755 $hold
        fi
        export DEBIAN_FRONTEND=noninteractive
        apt-get -qq update
        apt-get -qq install -y --no-install-recommends "$@" >/dev/null
    ' install "${missing[@]}" </dev/null
    case " ${missing[*]} " in
    *" openssh-server "*)
        echo "openssh-server is new here: not started now, but enabled at the next boot"
        echo "(systemctl disable ssh)" ;;
    esac
}

# Installs what the tests need from PyPI into FOLDER, where that is not done yet; Debian's packages
# for Python are seen from there, too.
need_counterparts() {
    local folder=$1 list=tests/counterparts/requirements.txt
    ! cmp -s "$list" "$folder/installed.txt" || return 0
    echo "Installing what $list names into $folder"
    rm -rf "$folder"
    /usr/bin/python3 -m venv --system-site-packages "$folder" &&
        "$folder/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes \
            --requirement "$list" &&
        cp "$list" "$folder/installed.txt"
}
