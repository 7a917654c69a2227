#!/usr/bin/env bash
# Makes .venv and installs the locks into it: `install.sh` what runs, `install.sh dev` what tests need as well.
# Changes nothing when the locks have not changed since. PYTHON=… chooses the interpreter, TORCH_INDEX_URL=… an index
# that serves another build of torch (CPU only, a CUDA version).
set -euo pipefail
cd "$(dirname "$0")/.."
VENV=${VENV:-.venv}

fail() { printf '\n%s\n' "$*" >&2; exit 1; }

new_enough() { # a shim or a store stub answers `command -v` and then runs nothing: only running it tells
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

choose_python() {
    if [ -n "${PYTHON:-}" ]; then
        new_enough "$PYTHON" || fail "PYTHON=$PYTHON is not a Python 3.11 or newer that runs. Try: make setup PYTHON=python3.11"
        echo "$PYTHON"
        return
    fi
    for candidate in python3 python3.13 python3.12 python3.11; do
        if new_enough "$candidate"; then echo "$candidate"; return; fi
    done
    fail "ragapp needs Python 3.11 or newer, and found none.
Install one (Debian, Ubuntu: apt-get install python3 python3-venv; macOS: brew install python@3.12),
or name it: make setup PYTHON=/path/to/python3.11"
}

make_venv() {
    if new_enough "$VENV/bin/python" && "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then return; fi
    python=$(choose_python)
    "$python" -c 'import venv, ensurepip' >/dev/null 2>&1 || fail "$python has no venv module.
Debian and Ubuntu keep it in a package of its own: apt-get install python3-venv"
    echo "Creating $VENV with $("$python" --version)"
    "$python" -m venv --clear "$VENV"
}

checksum() { "$VENV/bin/python" -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$1"; }

quietly() { # what pip says is for the one who has to mend it: kept in a file, shown on failure
    local log="$VENV/.install.log"
    if ! "$@" 2>"$log"; then cat "$log" >&2; fail "Installing failed (above). Nothing is lost: run the same command again."; fi
}

counted() { # LINES of `Collecting NAME…` -> one line that counts, on a terminal
    local total=$1 done=0 word name _rest
    while read -r word name _rest; do
        case $word in
            Collecting) done=$((done + 1)); if [ -t 1 ]; then printf '\r\033[K  %d/%d %s' "$done" "$total" "$name"; fi ;;
            Installing) if [ -t 1 ]; then printf '\r\033[K  unpacking %d packages' "$total"; fi ;;
        esac
    done
    if [ -t 1 ]; then printf '\r\033[K'; fi
}

install_hashed() {
    "$VENV/bin/python" -m pip install --disable-pip-version-check --require-hashes --no-deps -r "$1" | counted "$2"
}

install_lock() { # LOCK: hashes only, no resolving; the stamp is written last, so a broken install is done again
    local lock=$1 stamp="$VENV/.installed-$1" sum total
    sum=$(checksum "$lock")
    if [ "$(cat "$stamp" 2>/dev/null || true)" = "$sum" ]; then return; fi
    total=$(grep -c '^[a-z].*==' "$lock")
    echo "Installing $total packages of $lock (a minute or more the first time)"
    quietly install_hashed "$lock" "$total"
    if [ "$lock" = requirements.lock ]; then install_torch; fi
    echo "$sum" > "$stamp"
}

install_torch() { # after the lock, which holds all that torch needs: only torch's own files come without a hash
    local wanted pip
    wanted=$(sed -n 's/^ *"\(torch==[^"]*\)".*/\1/p' pyproject.toml)
    pip=("$VENV/bin/python" -m pip install --disable-pip-version-check ${TORCH_INDEX_URL:+--index-url "$TORCH_INDEX_URL"} "$wanted")
    echo "Installing $wanted"
    if [ -t 1 ]; then "${pip[@]}"; else quietly "${pip[@]}" >/dev/null; fi # on a terminal, pip's own bar: it may be gigabytes
}

make_venv
install_lock requirements.lock
if [ "${1:-}" = dev ]; then install_lock requirements-dev.lock; fi
