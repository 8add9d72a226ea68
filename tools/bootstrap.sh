#!/usr/bin/env bash
# Makes the workspace ready: system packages, .venv with the pinned versions, colcon build.
# Each step is skipped when nothing it depends on has changed since it last succeeded.
#
#   tools/bootstrap.sh prerequisites|venv|build     that step and those before it
#
# PYTHON names the interpreter (default: python3); ROS_DISTRO says that a ROS 2 is sourced.
set -euo pipefail
cd "$(dirname "$0")/.."
# The make that called is not the make that CMake runs; without -j here colcon adds a load limit,
# with which a build on a busy machine all but stands still.
unset MFLAGS MAKELEVEL
export MAKEFLAGS="-j$(nproc)"

say() { printf '\033[1m== %s\033[0m\n' "$*"; }
die() {
    printf 'error: %s\n' "$1" >&2
    shift
    for line in "$@"; do printf '  -> %s\n' "$line" >&2; done
    exit 2
}

# Makefiles, colcon and the search paths of ROS take neither.
check_path() {
    case $PWD in
        *[[:space:]:]*) die "this folder's path has a space or a colon: $PWD" \
            "move the folder to a path without them, then run this again" ;;
    esac
}

choose_python() {
    local asked=${PYTHON:-} candidate
    for candidate in ${asked:-python3 python3.12 python3.11 python3.10}; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' \
            2>/dev/null; then
            # not a shim, and not .venv itself where the shell has sourced tools/env.sh
            PYTHON=$("$candidate" -c 'import sys; print(sys._base_executable)')
            return
        fi
    done
    die "${asked:-python3} is not a Python 3.10, 3.11 or 3.12" "make PYTHON=/path/to/python3.11 ..."
}

# A sourced ROS 2 is used as it is; its messages load into the Python it was built for only.
check_ros() {
    [ -n "${ROS_DISTRO:-}" ] || return 0
    "$PYTHON" -c 'import rclpy' 2>/dev/null || die \
        "ROS 2 $ROS_DISTRO is sourced, but $PYTHON cannot import its rclpy" \
        "make PYTHON=/usr/bin/python3 ..., or start a shell that has not sourced ROS"
}

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

missing_packages() {
    local command package
    for command in gcc g++ make cmake; do
        command -v "$command" >/dev/null || echo "$command"
    done
    "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
    "$PYTHON" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' ||
        echo python3-dev
    for package in libegl1 libgl1 libgl1-mesa-dri; do
        installed "$package" || echo "$package"
    done
    if [ -n "${ROS_DISTRO:-}" ]; then
        "$PYTHON" -c 'import colcon_core' 2>/dev/null || echo python3-colcon-common-extensions
        command -v ros2 >/dev/null || echo "ros-$ROS_DISTRO-ros-base"
    fi
}

prerequisites() {
    command -v dpkg-query >/dev/null || {
        echo "not Debian or Ubuntu: gcc, g++, cmake, EGL and GL are taken to be installed"
        return 0
    }
    local missing as_root=()
    missing=$(missing_packages)
    missing=${missing//$'\n'/ }
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null || die "system packages are missing: $missing" \
            "sudo apt-get update && sudo apt-get install -y --no-install-recommends $missing"
        as_root=(sudo -n)
    fi
    say "installing system packages: $missing"
    as_root+=(env DEBIAN_FRONTEND=noninteractive)
    # shellcheck disable=SC2086  # a list of words
    "${as_root[@]}" apt-get update -qq &&
        "${as_root[@]}" apt-get install -y --no-install-recommends $missing ||
        die "apt-get could not install: $missing" "install them by hand, then run this again"
    missing=$(missing_packages)
    [ -z "$missing" ] || die "still missing after apt-get: ${missing//$'\n'/ }" \
        "$PYTHON may not be the system's Python: make PYTHON=/usr/bin/python3 ..."
}

requirement_files() {
    echo tools/requirements.txt
    [ -n "${ROS_DISTRO:-}" ] || echo tools/requirements-ros.txt
}
standin_files() {
    [ -n "${ROS_DISTRO:-}" ] || echo tools/fix_ros_wheels.py tools/ros2_standin/pyproject.toml
}

# What .venv is made from. A different Python or ROS means a new one, changed files a pip run.
venv_kind() { echo "$("$PYTHON" -c 'import sys; print(sys.base_prefix, sys.version)') $PWD ROS ${ROS_DISTRO:-wheels}"; }
venv_stamp() {
    venv_kind
    # shellcheck disable=SC2046
    sha256sum constraints.txt $(requirement_files) $(standin_files)
}

pip_install() {
    .venv/bin/python -m pip install --disable-pip-version-check --progress-bar off \
        -c constraints.txt "$@"
}

# Of pip's two thousand lines those that tell how far it is; errors are on its stderr.
pip_progress() {
    awk '/^(Collecting|Processing|Requirement already)/ && ++n % 20 == 0 { print "  " n " packages found" }
         /^ *Downloading .*\(([0-9][0-9]+\.[0-9] MB|.* GB)\)/ { print "  downloading " $2, $3, $4 }
         /^Installing collected/ { print "  installing" }
         { fflush() }'
}

venv() {
    local stamp=.venv/.ls3_stamp kind=.venv/.ls3_kind options=()
    [ "$(venv_stamp)" != "$(cat $stamp 2>/dev/null)" ] || return 0
    if [ -e $kind ] && [ "$(venv_kind)" != "$(cat $kind)" ]; then
        say "another Python or ROS than before: .venv, build and install are made anew"
        rm -rf .venv build install
    fi
    rm -f $stamp
    if [ ! -x .venv/bin/python ]; then
        say "creating .venv ($("$PYTHON" -V), ROS 2: ${ROS_DISTRO:-from wheels})"
        [ -z "${ROS_DISTRO:-}" ] || options=(--system-site-packages)
        "$PYTHON" -m venv ${options[@]+"${options[@]}"} .venv
    fi
    venv_kind >$kind
    touch .venv/COLCON_IGNORE
    say "installing Python packages (a few minutes, 2.5 GB)"
    local list=()
    while IFS= read -r file; do list+=(-r "$file"); done < <(requirement_files)
    # The pip that a Python brings is as old as the Python is. Without `wheel`, Debian 12's runs
    # `setup.py install`, which pip has given up since.
    pip_install --quiet pip setuptools wheel && pip_install "${list[@]}" | pip_progress ||
        die "pip could not install the Python packages" "see above; is the network reachable?"
    if [ -z "${ROS_DISTRO:-}" ]; then
        .venv/bin/python tools/fix_ros_wheels.py
        # quiet twice: mypy sees a package of this mode only, of which setuptools warns
        pip_install --quiet --quiet --no-deps --no-build-isolation \
            --config-settings editable_mode=compat --editable tools/ros2_standin ||
            die "pip could not install tools/ros2_standin"
    fi
    venv_stamp >$stamp
}

# A robot workspace that is sourced brings its own crtk_msgs; this workspace does not hide it.
provided_elsewhere() {
    local prefix
    IFS=: read -ra prefixes <<<"${AMENT_PREFIX_PATH:-}"
    for prefix in ${prefixes[@]+"${prefixes[@]}"}; do
        case $prefix in "$PWD"/*) continue ;; esac
        [ ! -e "$prefix/share/ament_index/resource_index/packages/$1" ] || return 0
    done
    return 1
}

# Python modules are linked, not copied: only other files, and the set of files, matter.
build_stamp() {
    cat .venv/.ls3_stamp
    echo "${skipped[*]-}"
    find src -type f -not -path '*/.*' -not -path '*/__pycache__/*' -not -path '*.egg-info/*' \
        -not -path '*/test/*' | LC_ALL=C sort | while IFS= read -r file; do
        case $file in
            *.py) case $file in */setup.py) sha256sum "$file" ;; esac ;;
            */package.xml | */setup.cfg | */CMakeLists.txt | *.msg | *.srv | *.action | *.pkg | \
                */hook/*) sha256sum "$file" ;;
            *) echo "$file" ;;
        esac
    done
}

build() {
    local stamp=install/.ls3_stamp skipped=() now
    provided_elsewhere crtk_msgs && skipped=(--packages-skip crtk_msgs)
    now=$(build_stamp)
    [ "$now" != "$(cat $stamp 2>/dev/null)" ] || return 0
    say "building the workspace with colcon"
    rm -f $stamp
    # shellcheck source=tools/env.sh
    source tools/env.sh
    # as a module, so that what it installs runs with this Python, not with that of /usr/bin/colcon
    python -c 'import sys; from colcon_core.command import main; sys.exit(main())' \
        --log-base log --log-level error build --base-paths src --symlink-install \
        ${skipped[@]+"${skipped[@]}"} \
        --cmake-args -DBUILD_TESTING=OFF "-DPython3_EXECUTABLE=$VIRTUAL_ENV/bin/python" ||
        die "colcon build failed" "see above, or log/latest_build"
    echo "$now" >$stamp
}

check_path
exec 9<"$0"
flock 9 # two makes at once would write the same folders
choose_python
check_ros
prerequisites
case ${1:-build} in
    prerequisites) ;;
    venv) venv ;;
    build) venv && build ;;
    *) die "unknown step '$1'" "one of: prerequisites, venv, build" ;;
esac
