#!/usr/bin/env bash
# From a fresh clone to a status page: makes .venv, installs uplog into it, writes uplog.toml, starts `uplog up`.
# UPLOG_PORT moves the page from 8000, UPLOG_QUERY_PORT moves Datasette from 8001. Ctrl-C stops everything.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. deploy/python.sh

make_venv .venv
if newer_than .venv/uplog.stamp pyproject.toml collector site || ! .venv/bin/uplog --help >/dev/null 2>&1; then
    echo "uplog: installing into .venv, which takes a moment"
    rm -rf build # setuptools would put modules that were deleted since into the installation
    .venv/bin/python -m pip install --quiet --disable-pip-version-check . || fail "could not be installed, as pip says above"
    rm -rf build # its copies would be found as somebody's services
    touch .venv/uplog.stamp
fi
[ -e uplog.toml ] || .venv/bin/uplog init
exec .venv/bin/uplog up
