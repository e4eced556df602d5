# shellcheck shell=bash
# Sourced by quickstart.sh and test.sh: find a Python, make a virtual environment with it.

fail() {
    echo "uplog: $*" >&2
    exit 1
}

# Print the first Python that is new enough; a name alone proves nothing, so each is asked.
find_python() {
    local name
    for name in python3 python3.11 python3.12 python3.13 python3.14; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    fail "Python 3.11 or newer is needed, and none was found (python3, python3.11, ...)"
}

# Make the virtual environment $1, unless it is there and runs.
make_venv() {
    local python
    "$1/bin/python" -m pip --version >/dev/null 2>&1 && return
    python=$(find_python) || exit 1
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        fail "$python has no venv module; on Debian and Ubuntu: apt-get install python3-venv"
    "$python" -m venv --clear "$1" || fail "could not make the virtual environment $1"
}

# Tell whether any of the files and folders $2... is newer than the stamp $1, or there is no stamp.
newer_than() {
    [ ! -e "$1" ] || [ -n "$(find "${@:2}" -type f ! -name '*.pyc' -newer "$1" -print -quit)" ]
}
