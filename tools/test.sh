#!/usr/bin/env bash
# All tests under the given folders: test.sh FOLDER... [PYTEST ARGUMENT...]
# Those marked `background` need no real time. They run beside the others, at low priority and in a
# ROS domain of their own; what they print comes at the end. Most others wait more than they compute.
set -uo pipefail

# Tests that start nodes must not meet other runs: this host only.
# Of the pytest plugins that colcon and ROS bring none is wanted, and some fit older versions only.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} PYTEST_DISABLE_PLUGIN_AUTOLOAD=1
if [ "${ROS_DISTRO:-}" = humble ]; then
    export ROS_LOCALHOST_ONLY=1
else
    export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST
fi
domain=${ROS_DOMAIN_ID:-$((RANDOM % 99 + 1))}
echo "ROS_DOMAIN_ID=$domain and $((domain + 1))"

output=$(mktemp)
ROS_DOMAIN_ID=$((domain + 1)) nice -n 10 \
    python -m pytest -p pytest_timeout -p no:cacheprovider -m background "$@" >"$output" 2>&1 &
beside=$!
trap 'kill "$beside" 2>/dev/null; rm -f "$output"' EXIT

ROS_DOMAIN_ID=$domain python -m pytest -p pytest_timeout -m "not background" "$@"
code=$?
wait "$beside"
other=$?
cat "$output"
# 5: no test was selected, which is wrong only if neither had any
case $code-$other in
    0-5 | 5-0) exit 0 ;;
    0-*) exit "$other" ;;
    5-*) exit "$other" ;;
    *) exit "$code" ;;
esac
