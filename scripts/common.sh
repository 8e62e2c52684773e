# Steps, times, and what has to be installed first. Sourced by scripts/test and .ci/run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin

# One folder for everything that is built.
mkdir -p "${CARGO_TARGET_DIR:-target}"
CARGO_TARGET_DIR=$(cd "${CARGO_TARGET_DIR:-target}" && pwd)
export CARGO_TARGET_DIR

# What is built once needs no notes for building it again: they would take half as much disk as the rest.
[[ -z ${CI:-} ]] || export CARGO_INCREMENTAL=0

trap 'exit 130' INT
trap 'exit 143' TERM

step_lines=()
failed_steps=()

# step NAME COMMAND...: runs COMMAND with errexit on, and remembers how it went.
step() {
    local name=$1 began=$SECONDS status word=ok
    shift
    printf '\n== %s\n' "$name"
    # Not `if ( … )`: a condition would switch errexit off inside.
    set +e
    (
        set -e
        "$@"
    )
    status=$?
    set -e
    if [[ $status != 0 ]]; then
        word=FAILED
        failed_steps+=("$name")
    fi
    step_lines+=("$(printf '%-7s %5d s  %s' "$word" $((SECONDS - began)) "$name")")
}

# Prints how every step went; the names of those that failed come last. False if one did.
summary() {
    printf '\n== summary\n'
    printf '%s\n' "${step_lines[@]}"
    printf '%-7s %5d s\n' total "$SECONDS"
    [[ ${#failed_steps[@]} != 0 ]] || return 0
    local names
    names=$(printf ', %s' "${failed_steps[@]}")
    echo "failed: ${names#, }"
    return 1
}

# need COMMAND PACKAGE REASON: installs the Debian PACKAGE if COMMAND is not there.
need() {
    if command -v "$1" >/dev/null; then
        return
    fi
    echo "$1 is missing ($3)."
    if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
        echo "Please install it, on Debian or Ubuntu with: sudo apt-get install $2" >&2
        return 1
    fi
    echo "Installing the package $2 with apt-get."
    if [[ -z ${apt_updated:-} ]]; then
        apt-get update -qq
        apt_updated=1
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$2" >/dev/null
}

# need_cargo COMMAND VERSION REASON FLAGS...: installs cargo-COMMAND if it is not there.
need_cargo() {
    local name=$1 version=$2 reason=$3
    shift 3
    if cargo "$name" --version >/dev/null 2>&1; then
        return
    fi
    echo "cargo-$name is missing ($reason). Building it from crates.io, once; this can take some minutes."
    # A debug build: it is there sooner, and fast enough. Its own build folder, removed afterwards.
    env -u CARGO_TARGET_DIR cargo install --quiet --locked --debug "$@" "cargo-$name@$version"
}
