#!/bin/bash
# Start a real `systemd --user` on a machine whose PID 1 need not be systemd; same PID and network namespace as the caller.
#   eval "$(user-manager-up.sh DIR)"    sets XDG_RUNTIME_DIR, XDG_CONFIG_HOME, MANAGER_PID, MANAGER_GROUPS
#   user-manager-down.sh                stops it
set -eu
dir=$(realpath -m "${1:?folder}")
mkdir -p "$dir/run" && chmod 700 "$dir/run"
mkdir -p "$dir/config/systemd/user"
groups=
for root in /sys/fs/cgroup/unified /sys/fs/cgroup/systemd /sys/fs/cgroup; do # a child group, so that nobody else is moved
  [ -e $root/cgroup.procs ] && mkdir -p "$root/uplog-user-$$" && groups="$groups $root/uplog-user-$$"
done
export XDG_RUNTIME_DIR=$dir/run XDG_CONFIG_HOME=$dir/config
unset DBUS_SESSION_BUS_ADDRESS NOTIFY_SOCKET
(
  for group in $groups; do echo $BASHPID > "$group/cgroup.procs"; done
  # a private mount namespace, only to make it believe that systemd booted this machine
  exec setsid unshare --mount --propagation private sh -c '
    mkdir -p /run/systemd && mount -t tmpfs tmpfs /run/systemd && mkdir /run/systemd/system
    exec /lib/systemd/systemd --user --log-target=console --log-level=info --unit=basic.target'
) > "$dir/systemd.log" 2>&1 < /dev/null &
pid=$!
for _ in $(seq 6000); do
  if [ -S "$dir/run/systemd/private" ] && systemctl --user show -p SystemState --value 2>/dev/null | grep -qE "running|degraded"; then
    printf 'XDG_RUNTIME_DIR=%q XDG_CONFIG_HOME=%q MANAGER_PID=%q MANAGER_GROUPS=%q\n' \
      "$XDG_RUNTIME_DIR" "$XDG_CONFIG_HOME" "$pid" "${groups# }"
    exit 0
  fi
  kill -0 $pid 2>/dev/null || break
  sleep 0.02
done
cat "$dir/systemd.log" >&2
exit 1
