#!/bin/bash
# Runs a command in the environment of ROS 2 and of this workspace.
set -e
source /opt/ros/jazzy/setup.bash
source /ls3/tools/env.sh
exec "$@"
