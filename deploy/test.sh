#!/usr/bin/env bash
# Installs what the tests need and runs them; every argument goes to pytest.
# `deploy/test.sh -m unit` needs no root, and no network once its virtual environment is made.
# UPLOG_TEST_VENV names another virtual environment than .venv-test.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. deploy/python.sh

# Debian packages: real components for the tests marked integration and slow
packages=(busybox-static chromium-headless-shell cron default-jre-headless docker.io fonts-dejavu-core iproute2 iptables libfaketime lsof
    mariadb-server memcached nftables nginx nsd openssl postgresql procps prometheus python3-venv rabbitmq-server redis-server systemd util-linux zookeeper)

# What a registry did not give, or not in time, it may give when asked again
twice() {
    "$@" && return
    echo "uplog: once more: $*" >&2
    sleep 5
    "$@"
}

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
    "${apt[@]}" -o APT::Update::Error-Mode=any update || "${apt[@]}" update # again, and then with what there is
    twice env DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null
}

# uplog and what its tests import, into the virtual environment $1: by uv, which takes seconds, or else by pip,
# which may know of other places to install from
install_tests() {
    newer_than "$1/uplog-test.stamp" pyproject.toml || return 0
    local python=$1/bin/python
    local pip=("$python" -m pip install --quiet --disable-pip-version-check)
    { "${pip[@]}" uv && UV_HTTP_TIMEOUT=15 UV_HTTP_RETRIES=1 "$python" -m uv pip install --quiet --native-tls \
        --python "$python" --editable '.[test]'; } 2>/dev/null ||
        twice "${pip[@]}" --editable '.[test]' || fail "the tests could not be installed, as pip says above"
    touch "$1/uplog-test.stamp"
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
    twice npm install --prefix "$1/audit" --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error \
        --fetch-timeout=60000 >/dev/null ||
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

# whoever installs or starts much without compiled modules compiles them each time
unset PYTHONDONTWRITEBYTECODE PIP_NO_COMPILE

venv=${UPLOG_TEST_VENV:-.venv-test}
make_venv "$venv"
[ "$audits" = false ] || install_audits "$venv" &
install_tests "$venv"
wait $!
tests=("$venv/bin/python" -m pytest)
failed=0
"${tests[@]}" "${spread[@]}" "$@" || failed=$?
[ "$failed" -eq 1 ] || exit "$failed"

# As uplog asks twice before it speaks of an outage: what failed among others is asked again, its files alone, if that
# is little. What fails then too is broken; what passes is named as unsteady, for a person to mend.
unsteady=$("$venv/bin/python" - <<<'import json; print(*json.load(open(".pytest_cache/v/cache/lastfailed")), sep="\n")')
[ "$(wc -l <<<"$unsteady")" -le 3 ] || exit 1
mapfile -t files < <(cut -d: -f1 <<<"$unsteady" | sort -u)
"${tests[@]}" "$@" "${files[@]}" || exit 1
printf 'unsteady, failed among others and not alone: %s\n' "$unsteady"
