#!/bin/bash
# Stop what user-manager-up.sh started; its words are in the environment.
kill "$MANAGER_PID" 2>/dev/null
for _ in $(seq 50); do kill -0 "$MANAGER_PID" 2>/dev/null || break; sleep 0.05; done
kill -9 "$MANAGER_PID" 2>/dev/null
for group in $MANAGER_GROUPS; do
  [ -e "$group/cgroup.kill" ] && echo 1 > "$group/cgroup.kill"
  for _ in $(seq 20); do
    [ -d "$group" ] || break
    find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null
    sleep 0.05
  done
done
exit 0
