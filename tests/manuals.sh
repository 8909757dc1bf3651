# shellcheck shell=bash
# The manual pages and the completions; sourced by tests/run for its suite packaging.

# Makes the pages that are made, twice: the same sources make the same bytes.
make_manuals() {
    local folder
    for folder in "$1" "$1.again"; do
        make --silent man MAN_DIR="$folder" OTPCTL="$target/debug/otpctl" || return 1
    done
    diff -r "$1" "$1.again"
}

# Each page, at 80 columns, by both programs that show pages; and its name is found by apropos(1).
# A date is missing on purpose: it would not be of the text.
manuals_render_without_a_warning() {
    local page said bad=0
    for page in "$@"; do
        said=$(
            groff -man -Tutf8 -rLL=80n -ww -z "$page" 2>&1
            mandoc -T lint -W warning "$page" 2>&1 | grep -v 'missing date'
            MANWIDTH=80 man --warnings -E UTF-8 -l "$page" 2>&1 >/dev/null
            MANWIDTH=80 man -E UTF-8 -l "$page" | col -bx | grep -E '.{81}'
            lexgrog "$page" 2>&1 >/dev/null
        ) || true
        [ -z "$said" ] || { echo "$page:" && echo "$said" && bad=1; }
    done
    return $bad
}

# A page that is referred to as one of ours is there.
manuals_refer_to_what_exists() {
    local name bad=0
    for name in $(sed 's/\\-/-/g; s/\\f[BR]//g' "$@" |
        grep -ohE '\b(otp[a-z.-]*|pam_otp|org\.pamotp\.Otpd1) ?\([1-8]\)' | tr -d ' ' | sort -u); do
        ls "$@" | grep -q "/${name%(*}\.${name: -2:1}\$" || { echo "no page: $name" && bad=1; }
    done
    return $bad
}

# Every method, argument and property of the interfaces has its place in their page.
interfaces_are_in_their_manual() {
    local page=$1 name bad=0
    for name in $(sed -n 's/.*<method name="\([A-Za-z]*\)".*/\1/p' packaging/dbus/*.xml); do
        grep -qx "\.SS $name" "$page" || { echo "no method $name" && bad=1; }
    done
    for name in $(sed -n 's/.*<property name="\([A-Za-z]*\)".*/\1/p' packaging/dbus/*.xml); do
        grep -q "^\.BR $name " "$page" || { echo "no property $name" && bad=1; }
    done
    diff <(cat packaging/dbus/*.xml | sed -n 's/.*<arg name="\([a-z]*\)" type="\([^"]*\)" direction="\([a-z]*\)".*/\1 (\2, \3)/p') \
        <(sed -n 's/^\.IR \([a-z]*\) "\( (.*, [a-z]*)\)"$/\1\2/p' "$page") && [ $bad = 0 ]
}

manuals_are_good() {
    local made=$target/test-man
    make_manuals "$made" &&
        manuals_render_without_a_warning packaging/man/*.[1-8] "$made"/* &&
        manuals_refer_to_what_exists packaging/man/*.[1-8] "$made"/* &&
        interfaces_are_in_their_manual "$made/org.pamotp.Otpd1.5"
}

# The scripts load in their shells without a word, and complete a verb of a verb.
completions_complete() {
    local made=$target/test-completions shell said
    mkdir -p "$made"
    for shell in bash zsh fish; do
        "$target/debug/otpctl" completions "$shell" >"$made/$shell" &&
            said=$("completed_by_$shell" "$made/$shell" 2>&1) &&
            [ "$said" = "remove resync" ] || { echo "$shell: $said" && return 1; }
    done
}

completed_by_bash() {
    bash --norc -c '. "$1" && COMP_WORDS=(otpctl token re) COMP_CWORD=2 &&
        _otpctl otpctl re token && echo "${COMPREPLY[*]}"' bash "$1"
}

# What zsh would show is printed in its place: without a terminal nothing is completed.
completed_by_zsh() {
    zsh -f -c 'autoload -Uz compinit && compinit -u -D && . "$1" && whence _otpctl >/dev/null &&
        _describe() { print -- ${${(M)${(P)4}:#re*}%%:*} } &&
        _otpctl__subcmd__token_commands' zsh "$1"
}

completed_by_fish() {
    fish --no-config -c 'source $argv[1]; and complete -C "otpctl token re"' "$1" |
        cut -f 1 | paste -sd ' '
}
