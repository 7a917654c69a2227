#!/bin/sh
# Writes requirements.lock (what runs) and requirements-dev.lock (what tests and linters add) from pyproject.toml.
# Both carry the hashes of every file of each version and no address: whichever index or folder serves a file, the
# hash decides.
#
# torch is left out: its builds (CPU, CUDA, vendor) share a version and differ in bytes. deploy/install.sh installs
# the version of pyproject.toml afterwards; everything that torch itself needs is in the lock. pip is the
# environment's own.
set -eu
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-.venv/bin/python}

compile() { # OUT ARGS… : names only in OUT, no options, no hosts
    out=$1; shift
    "$PYTHON" -m piptools compile --quiet --generate-hashes --strip-extras --resolver backtracking \
        --no-header --no-emit-options --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
        --annotation-style line --unsafe-package torch --unsafe-package pip --output-file "$out" "$@"
    # pip-compile warns inside the file that torch is missing. It is so on purpose; the head line says why.
    {
        echo "# Made by 'make lock' from pyproject.toml. torch is missing on purpose: see deploy/lock.sh."
        sed -e '/^# WARNING: The following packages were not pinned/,$d' "$out"
    } > "$out.new"
    mv "$out.new" "$out"
}

dev_group() {
    "$PYTHON" -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["dev"], sep="\n")'
}

compile requirements.lock "$@" pyproject.toml
dev_group | compile requirements-dev.lock --constraint requirements.lock "$@" -

if grep -nE '://|^-|^ *--(index|extra|find|trusted)' requirements.lock requirements-dev.lock; then
    echo "lock: an address or an option got into a lock file (above)" >&2
    exit 1
fi
