# Words that the scripts in tools/ share; sourced by bash, after `set -euo pipefail`. Assumes coreutils, dpkg and bash alone.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
LOGS=$ROOT/build/log
NAME=${0##*/}

if [[ -t 2 ]]; then BOLD=$'\e[1m' RED=$'\e[31m' PLAIN=$'\e[0m'; else BOLD='' RED='' PLAIN=''; fi

say() { printf '%s%s:%s %s\n' "$BOLD" "tools/$NAME" "$PLAIN" "$*" >&2; }
die() { printf '%s%s: %s%s\n' "$RED" "tools/$NAME" "$*" "$PLAIN" >&2; exit 1; }
usage_error() { printf '%s\nTry tools/%s --help.\n' "$*" "$NAME" >&2; exit 2; }

# help FILE: the comment block at its top, without the marks.
help() { sed -n '2,/^[^#]/{/^#/!d;s/^# \{0,1\}//;p}' "$1"; }

# as_root COMMAND...: as it is for root, else through sudo. Asks for a password only on a terminal.
as_root() {
    if [[ $(id -u) -eq 0 ]]; then "$@"; return; fi
    command -v sudo >/dev/null || die "needs root: run it as root, or install sudo"
    if [[ -t 0 ]]; then sudo -- "$@"; else sudo -n -- "$@"; fi
}

# logged NAME COMMAND...: output goes to build/log/NAME.log; its end is shown when the command fails.
logged() {
    local log=$LOGS/$1.log status=0
    shift
    mkdir -p "$LOGS"
    "$@" >"$log" 2>&1 </dev/null || status=$?
    if [[ $status -ne 0 ]]; then
        tail -n 40 "$log" >&2
        say "failed with status $status: $* (all of it: ${log#"$ROOT"/})"
    fi
    return "$status"
}

# The build's output goes to its log, and on; its errors are shown at the end.
logged_build() {
    local log=$LOGS/build-$1.log status=0
    mkdir -p "$LOGS"
    cmake --build --preset "$@" 2>&1 </dev/null | tee "$log" || status=$?
    if [[ $status -ne 0 ]]; then
        # The build has failed and $status says so; finding no line of that kind (or head closing the pipe) must not end the script first.
        grep -A 20 -E '^FAILED|error:' "$log" | head -n 60 >&2 || true
        say "the build failed; all of it: ${log#"$ROOT"/}"
    fi
    return "$status"
}

# Of ninja's "[12/340] ..." lines, says every tenth of the way.
show_tenths() {
    local line tenth last=0
    while IFS= read -r line; do
        [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]] || continue
        tenth=$((10 * BASH_REMATCH[1] / BASH_REMATCH[2]))
        if [[ $tenth -gt $last && ${BASH_REMATCH[2]} -gt 20 ]]; then say "${tenth}0 % after $SECONDS s"; fi
        last=$tenth
    done
}

# build PRESET [TARGET...]: configures when needed and builds, with ninja's one-line progress on a terminal.
# Elsewhere a line for each tenth; all of it is then in build/log/build-PRESET.log.
build() {
    local preset=$1 started=$SECONDS
    shift
    local targets=()
    [[ $# -gt 0 ]] && targets=(--target "$@")
    cd "$ROOT"
    if [[ ! -f build/$preset/build.ninja ]]; then
        say "configuring build/$preset"
        logged "configure-$preset" cmake --preset "$preset" || return
    fi
    say "building build/$preset${*:+ ($*)}"
    if [[ -t 2 && -t 1 ]]; then
        cmake --build --preset "$preset" "${targets[@]}" >&2 || return
    else
        (set -o pipefail && logged_build "$preset" "${targets[@]}" | show_tenths) || return
    fi
    say "built build/$preset in $((SECONDS - started)) s"
}
