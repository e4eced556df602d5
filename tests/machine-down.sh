#!/bin/bash
# Stop what machine-up.sh DIR started: its PID 1, and the kernel ends the rest of that PID namespace.
dir=$(realpath "${1:?folder}")
pid=$(cat "$dir/pid") group=$(cat "$dir/cgroup")
kill -9 "$pid" 2>/dev/null
for _ in $(seq 100); do
  [ -d "$group" ] || break
  find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null
  sleep 0.02
done
exit 0
