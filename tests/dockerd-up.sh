#!/bin/bash
# Start a real Docker Engine in a mount, cgroup and network namespace of its own. Needs root, docker.io and cgroup2.
#   dockerd-up.sh DIR           its API is at DIR/docker.sock, and at 127.0.0.1:2375 inside `ip netns exec $(cat DIR/netns)`
#   dockerd-down.sh DIR         stops it
set -eu
dir=$(realpath -m "${1:?folder}")
mkdir -p "$dir"
for root in /sys/fs/cgroup/unified /sys/fs/cgroup; do
  [ -e $root/cgroup.subtree_control ] && break
done
group=$root/uplog-docker-$$ netns=uplog$$
mkdir -p "$group/daemon"
echo "$group" > "$dir/cgroup"
echo "$netns" > "$dir/netns"
ip netns add "$netns"
ip -n "$netns" link set lo up

cat > "$dir/init.sh" <<'IN'
set -eu
dir=$1
umount -R /sys/fs/cgroup 2>/dev/null || true
umount /sys 2>/dev/null || true
mount -t sysfs sysfs /sys 2>/dev/null || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo 0 > /sys/fs/cgroup/daemon/cgroup.procs
exec dockerd --host="unix://$dir/docker.sock" --host=tcp://127.0.0.1:2375 --tls=false --ip=127.0.0.1 \
  --data-root="$dir/data" --exec-root="$dir/exec" --pidfile="$dir/dockerd.pid" \
  --storage-driver=overlay2 --exec-opt native.cgroupdriver=cgroupfs
IN
(
  echo $BASHPID > "$group/cgroup.procs"
  exec setsid ip netns exec "$netns" unshare --mount --cgroup --propagation private sh "$dir/init.sh" "$dir"
) > "$dir/dockerd.log" 2>&1 < /dev/null &
echo $! > "$dir/pid"

for _ in $(seq 2400); do
  curl -sf --unix-socket "$dir/docker.sock" http://docker/_ping > /dev/null 2>&1 && exit 0
  kill -0 "$(cat "$dir/pid")" 2>/dev/null || break
  sleep 0.05
done
tail -5 "$dir/dockerd.log" >&2
exit 1
