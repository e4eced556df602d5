#!/bin/bash
# Print the path of docker-compose 2, Compose's reference implementation, for the tests that compare with it.
# `docker-compose config` needs no daemon. What is installed is used; otherwise Debian 13's package, which needs only
# libc6 >= 2.34, is unpacked into ~/.cache/uplog-tests, from the mirror that this machine already uses.
set -eu
plugin=usr/libexec/docker/cli-plugins/docker-compose
cache=${XDG_CACHE_HOME:-$HOME/.cache}/uplog-tests/compose
for found in "$cache/$plugin" "$HOME/.docker/cli-plugins/docker-compose" "/$plugin" /usr/lib/docker/cli-plugins/docker-compose; do
    if [ -x "$found" ]; then echo "$found"; exit; fi
done
mirror=$(sed -nE 's/^URIs: *([^ ]*\/debian) *$/\1/p; s/^deb (\[[^]]*\] )?([^ ]*\/debian)\/? .*/\2/p' \
    /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -1)
[ -n "$mirror" ] || { echo "not a Debian machine: install docker-compose 2" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache" "$cache/${plugin%/*}"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" > "$work/list"
apt() {
    apt-get -qq -o "Dir::Etc::sourcelist=$work/list" -o Dir::Etc::sourceparts=/dev/null -o APT::Sandbox::User=root \
        -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache" "$@"
}
cd "$work"
apt update >&2 || apt update >&2
apt download docker-compose >&2 || apt download docker-compose >&2
dpkg-deb -x docker-compose_*.deb "$work/whole"
cp "$work/whole/$plugin" "$cache/$plugin.$$" # and there at once: several test files ask for it at the same time
mv "$cache/$plugin.$$" "$cache/$plugin"
echo "$cache/$plugin"
