#!/usr/bin/env bash
# Installs what the tests need and runs them; every argument goes to pytest.
# `deploy/test.sh -m unit` needs no root, and no network once its virtual environment is made.
# UPLOG_TEST_VENV names another virtual environment than .venv-test.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. deploy/python.sh

# Debian packages: real components for the tests marked integration and slow
packages=(busybox-static chromium cron default-jre-headless docker.io fonts-dejavu-core iproute2 iptables libfaketime lsof
    mariadb-server memcached nftables nginx nsd openssl postgresql procps prometheus python3-venv rabbitmq-server redis-server systemd util-linux zookeeper)

install_packages() {
    local missing=() package
    command -v npm >/dev/null || packages+=(npm) # a nodejs from elsewhere brings its own
    for package in "${packages[@]}"; do
        dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        echo "uplog: some tests will be skipped; apt-get install ${missing[*]}" >&2
        return
    fi
    local apt=(apt-get -qq -o DPkg::Lock::Timeout=300)
    "${apt[@]}" update
    DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null
}

# Programs that judge the pages, beside the virtual environment $1
install_audits() {
    newer_than "$1/audit/uplog-test.stamp" tests/audit/package.json || return 0
    if ! command -v npm >/dev/null; then
        echo "uplog: without npm the audits of the page will be skipped" >&2
        return
    fi
    mkdir -p "$1/audit"
    cp tests/audit/package.json "$1/audit/"
    # no scripts: one of the packages would fetch a Java of its own
    npm install --prefix "$1/audit" --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null ||
        fail "the audits could not be installed, as npm says above"
    touch "$1/audit/uplog-test.stamp"
}

audits=true
case " $* " in
*" -m unit "*)
    audits=false
    spread=(-n 2 --dist worksteal)
    ;;
*)
    # the tests of a file share what they start, and many of them wait: three at once keep two cores busy
    spread=(-n 3 --dist loadfile --no-loadscope-reorder)
    command -v dpkg-query >/dev/null && install_packages
    ;;
esac

venv=${UPLOG_TEST_VENV:-.venv-test}
make_venv "$venv"
if newer_than "$venv/uplog-test.stamp" pyproject.toml; then
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable '.[test]' ||
        fail "the tests could not be installed, as pip says above"
    touch "$venv/uplog-test.stamp"
fi
[ "$audits" = false ] || install_audits "$venv"

# the tests start a thousand processes: what one has compiled the others take, and none of it lies among the sources
unset PYTHONDONTWRITEBYTECODE
PYTHONPYCACHEPREFIX=$(realpath "$venv")/bytecode
export PYTHONPYCACHEPREFIX
exec "$venv/bin/python" -m pytest "${spread[@]}" "$@"
