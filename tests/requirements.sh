# shellcheck shell=bash
# Which numbered requirements have a test; sourced by tests/run from the top folder.
#
# A test that shows line T5 has a name that begins with `t05_`. A line that is out of scope stands in
# a list, one a line: `T22 reason`. Every number must have one of the two, and none both.

# The numbered lines: a letter, and how many there are.
requirement_lines='T 25  G 22  U 18  N 16  X 10'
# Lines whose numbers tests may have, and need not.
optional_lines='L 38'

# The tests of Rust files below some folders that have a number: `T05 FILE NAME`. One that is ignored
# shows nothing.
numbered_tests() {
    find "$@" -name target -prune -o -name '*.rs' -print | LC_ALL=C sort | xargs -r awk '
        FNR == 1 { test = 0 }
        /^[ \t]*#\[(tokio::)?test[](]/ { test = 1; ignored = 0 }
        /^[ \t]*#\[ignore/ { ignored = 1 }
        test && match($0, /(^|[ \t])fn [a-z_0-9]+/) {
            name = substr($0, RSTART, RLENGTH)
            sub(/.*fn /, "", name)
            if (!ignored && name ~ /^[a-z][0-9][0-9]_/)
                print toupper(substr(name, 1, 3)), FILENAME, name
            test = 0
        }'
}

# Prints the table of numbers and tests, and a summary; fails where a number lacks a test, has one
# although it is out of scope, or does not exist. check_requirements OUT_OF_SCOPE FOLDER...
check_requirements() {
    local list=$1
    shift
    [ -r "$list" ] || { echo "no list of what is out of scope: $list" && return 1; }
    numbered_tests "$@" | awk -v lines="$requirement_lines" -v optional="$optional_lines" \
        -v list="$list" '
        function fault(text) { faults = faults text "\n" }
        # Numbers as "1-3 5", of those for which wanted[number] is set.
        function spans(wanted, most,    n, from, text) {
            for (n = 1; n <= most + 1; n++) {
                if (n <= most && (n in wanted)) { if (!from) from = n; continue }
                if (from) text = text " " (from == n - 1 ? from : from "-" n - 1)
                from = 0
            }
            return substr(text, 2)
        }
        BEGIN {
            count = split(lines, part, / +/)
            for (i = 1; i < count; i += 2) most[part[i]] = part[i + 1] + 0
            others = split(optional, extra, / +/)
            for (i = 1; i < others; i += 2) free[extra[i]] = extra[i + 1] + 0
            while ((getline line < list) > 0) {
                if (line ~ /^(#|$)/) continue
                at = index(line, " ")
                key = at ? substr(line, 1, at - 1) : line
                why = at ? substr(line, at + 1) : ""
                letter = substr(key, 1, 1); number = substr(key, 2) + 0
                if (key !~ /^[A-Z][1-9][0-9]*$/ || !(letter in most) || number > most[letter])
                    fault(list ": no such requirement: " line)
                else if (why !~ /[^ ]/) fault(list ": no reason: " key)
                else if (key in reason) fault(list ": twice: " key)
                else reason[key] = why
            }
        }
        {
            letter = substr($1, 1, 1); number = substr($1, 2) + 0
            if ((letter in free) && number >= 1 && number <= free[letter]) print
            else if (!(letter in most) || number < 1 || number > most[letter])
                fault("no such requirement: " $3 " in " $2)
            else { tests[letter number]++; total++; print }
        }
        END {
            for (i = 1; i < count; i += 2) {
                letter = part[i]; shown = missing = ""
                split("", shows); split("", lacks)
                for (n = 1; n <= most[letter]; n++) {
                    key = letter n
                    if (key in tests) shows[n]
                    if (key in reason) aside = aside ", " key " (" reason[key] ")"
                    if ((key in tests) && (key in reason))
                        fault("out of scope and yet tested: " key)
                    if (!(key in tests) && !(key in reason)) lacks[n]
                }
                found = found " " letter " " spans(shows, most[letter]) ";"
                missing = spans(lacks, most[letter])
                if (missing != "") fault("no test: " letter " " missing)
            }
            sub(/;$/, "", found)
            print "summary: " total + 0 " tests show" found
            print "summary: out of scope: " (aside == "" ? "none" : substr(aside, 3))
            printf "%s", faults
            exit faults != ""
        }'
}

# The check finds each fault that it is there for.
requirements_check_can_fail() {
    local folder status=0
    folder=$(mktemp -d) || return 1
    (
        local requirement_lines='T 3  G 1' optional_lines='L 2'
        expect() {
            local said outcome=passes
            said=$(check_requirements "$folder/list" "$folder") || outcome=fails
            if [ "$outcome" != "$1" ] || ! grep -qF -- "$2" <<<"$said"; then
                printf 'expected that it %s with "%s":\n%s\n' "$1" "$2" "$said"
                exit 1
            fi
        }
        tests() {
            local name
            for name in "$@"; do printf '    #[tokio::test]\n    async fn %s() {}\n' "$name"; done \
                >"$folder/a.rs"
        }
        : >"$folder/list"
        tests t01_a t02_b t02_c t03_d g01_e plain
        expect passes 'summary: 5 tests show T 1-3; G 1'
        tests t01_a t03_d g01_e
        expect fails 'no test: T 2'
        echo 'T2 not ours' >"$folder/list"
        expect passes 'out of scope: T2 (not ours)'
        tests t01_a t02_b t03_d g01_e
        expect fails 'out of scope and yet tested: T2'
        tests t01_a t03_d g01_e t04_x
        expect fails 'no such requirement: t04_x'
        tests t01_a t03_d g01_e r01_x
        expect fails 'no such requirement: r01_x'
        tests t01_a t03_d g01_e l03_x
        expect fails 'no such requirement: l03_x'
        tests t01_a t02_b t03_d g01_e l02_x
        : >"$folder/list"
        expect passes 'summary: 4 tests show T 1-3; G 1'
        echo 'T2 not ours' >"$folder/list"
        tests t01_a t03_d g01_e
        printf '#[test]\n#[ignore = "slow"]\nfn t02_b() {}\nfn t02_b() {}\n' >>"$folder/a.rs"
        : >"$folder/list"
        expect fails 'no test: T 2'
        for line in T2 'T9 why' 'Z1 why'; do
            echo "$line" >"$folder/list"
            expect fails "$folder/list: no "
        done
        printf 'T2 why\nT2 why\n' >"$folder/list"
        expect fails 'twice: T2'
        rm "$folder/list"
        expect fails 'no list of what is out of scope'
    ) || status=1
    rm -r "$folder"
    return $status
}

suite_requirements() {
    requirements_check_can_fail &&
        check_requirements tests/suites/requirements/out_of_scope.txt otpd otpctl pam_otp tests
}
