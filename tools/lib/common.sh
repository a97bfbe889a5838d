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

# build PRESET [TARGET...]: configures when needed and builds, with ninja's one-line progress on a terminal.
# The summary of what was done stays in build/log/build-PRESET.log.
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
        logged "build-$preset" cmake --build --preset "$preset" "${targets[@]}" || return
    fi
    say "built build/$preset in $((SECONDS - started)) s"
}
