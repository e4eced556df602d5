#!/bin/bash
# Start a real systemd as PID 1 of a "machine" of its own: namespaces (mount, uts, ipc, pid, cgroup, network) over an
# overlay of this machine's /, whose writes are thrown away. Needs root, unshare, overlayfs and cgroup2.
#   machine-up.sh DIR           prints the outside pid of its PID 1; enter it with  nsenter -t PID -a -- COMMAND
#   BIND="/a /b"                folders to share with the inside, read-write
#   machine-down.sh DIR         stops it
set -eu
dir=$(realpath -m "${1:?folder}")
mkdir -p "$dir"
for shared in ${BIND:-}; do
  case $(realpath -m "$shared") in # what a system empties or fills at its start
    / | /tmp | /var | /var/tmp | /run | /etc | /dev | /proc | /sys) echo "$shared: is not to be shared" >&2; exit 2 ;;
  esac
done
for root in /sys/fs/cgroup/unified /sys/fs/cgroup; do
  [ -e $root/cgroup.subtree_control ] && break
done
group=$root/uplog-$(basename "$dir")-$$
mkdir "$group"
echo "$group" > "$dir/cgroup"

cat > "$dir/init.sh" <<'IN'
set -eu
dir=$1
mount --make-rprivate /
mkdir -p $dir/ov && mount -t tmpfs -o size=512m tmpfs $dir/ov
mkdir -p $dir/ov/upper $dir/ov/work $dir/ov/root
new=$dir/ov/root
mount -t overlay overlay -o lowerdir=/,upperdir=$dir/ov/upper,workdir=$dir/ov/work $new
mount -t proc proc $new/proc -o nosuid,noexec,nodev
# read-only, else systemd-sysctl changes fs.protected_* of the whole machine
mount --bind $new/proc/sys $new/proc/sys && mount -o remount,bind,ro $new/proc/sys
mount -t sysfs sysfs $new/sys -o ro,nosuid,noexec,nodev 2>/dev/null || mount --rbind /sys $new/sys
mount -t tmpfs tmpfs $new/sys/fs/cgroup -o mode=755 2>/dev/null || true
mount -t cgroup2 cgroup2 $new/sys/fs/cgroup -o nosuid,noexec,nodev
mount -t tmpfs tmpfs $new/dev -o mode=755,nosuid
for node in null zero full random urandom tty; do touch $new/dev/$node; mount --bind /dev/$node $new/dev/$node; done
mkdir -p $new/dev/pts $new/dev/shm
mount -t devpts devpts $new/dev/pts -o newinstance,ptmxmode=0666,mode=620
ln -s pts/ptmx $new/dev/ptmx
ln -s /proc/self/fd $new/dev/fd
mount -t tmpfs tmpfs $new/run -o mode=755
mount -t tmpfs tmpfs $new/tmp -o mode=1777
for shared in ${BIND:-} $dir; do mkdir -p $new$shared; mount --bind $shared $new$shared; done
# only what a test asks for: no getty, no timers, none of this machine's own services
rm -rf $new/etc/systemd/system/*.wants
for unit in systemd-logind.service systemd-sysctl.service systemd-modules-load.service systemd-remount-fs.service \
  dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount \
  systemd-tmpfiles-setup-dev.service systemd-udevd.service systemd-update-utmp.service systemd-timesyncd.service \
  systemd-tmpfiles-clean.timer systemd-journald-audit.socket; do
  ln -sf /dev/null $new/etc/systemd/system/$unit
done
ln -sf /lib/systemd/system/multi-user.target $new/etc/systemd/system/default.target
: > $new/etc/machine-id
ip link set lo up
mkdir -p $new/mnt/.old && cd $new && pivot_root . mnt/.old && umount -l /mnt/.old
exec env -i container=sandbox PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb \
  /lib/systemd/systemd --system --log-target=console --log-level=info --show-status=no
IN

(
  echo $BASHPID > "$group/cgroup.procs"
  exec setsid unshare --mount --uts --ipc --pid --cgroup --net --fork --kill-child bash "$dir/init.sh" "$dir"
) > "$dir/systemd.log" 2>&1 < /dev/null &
outer=$!
for _ in $(seq 6000); do
  pid=$(tr -d ' ' < /proc/$outer/task/$outer/children 2>/dev/null) || true
  if [ -n "${pid:-}" ]; then
    case $(nsenter -t "$pid" -a -- systemctl is-system-running 2>/dev/null) in
      running | degraded) echo "$pid" > "$dir/pid"; echo "$pid"; exit 0 ;;
    esac
  fi
  kill -0 $outer 2>/dev/null || break
  sleep 0.02
done
cat "$dir/systemd.log" >&2
exit 1
