#!/usr/bin/env bash
# Serves the record with Datasette on loopback, as `uplog up` does, where it is a unit or container of its own.
# usage: serve.sh [DATABASE [PORT]]
set -euo pipefail
cd "$(dirname "$0")/../.."
exec .venv/bin/python -m uplog.collector.datasette "${1:-data/uplog.db}" "${2:-${UPLOG_QUERY_PORT:-8001}}"
