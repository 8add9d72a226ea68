# Environment of this workspace, to be sourced by bash or zsh:  source tools/env.sh
#
# With a ROS 2 already sourced (ROS_DISTRO is set) it adds the virtual environment and the built
# workspace to it. Without one, the virtual environment is the ROS installation: its ros-*
# wheels form an ament prefix, and tools/ros2_standin supplies the `ros2` command.

_ls3_root=$(cd "$(dirname "${BASH_SOURCE[0]:-$0}")/.." && pwd)
_ls3_options=$-
set +u # colcon's scripts read variables that may not exist

export VIRTUAL_ENV="$_ls3_root/.venv"

# Puts $2 in front of the colon-separated list named $1, unless it is in it.
_ls3_prepend() {
    eval "_ls3_list=\${$1:-}"
    case ":$_ls3_list:" in
        *":$2:"*) ;;
        *) export "$1=$2${_ls3_list:+:$_ls3_list}" ;;
    esac
}

if [ -z "${ROS_DISTRO:-}" ]; then
    _ls3_prepend AMENT_PREFIX_PATH "$VIRTUAL_ENV"
    _ls3_prepend CMAKE_PREFIX_PATH "$VIRTUAL_ENV"
    # What the wheels' .pth file would set by starting every Python twice.
    while IFS= read -r _ls3_libs; do
        [ -z "$_ls3_libs" ] || _ls3_prepend LD_LIBRARY_PATH "$_ls3_libs"
    done <<EOF
$(find "$VIRTUAL_ENV"/lib/python3*/site-packages -maxdepth 1 -name 'ros_*.libs' 2>/dev/null)
EOF
    _ls3_prepend LD_LIBRARY_PATH "$VIRTUAL_ENV/lib"
    export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
fi
_ls3_prepend PATH "$VIRTUAL_ENV/bin"

if [ -n "${ZSH_VERSION:-}" ] && [ -f "$_ls3_root/install/local_setup.zsh" ]; then
    . "$_ls3_root/install/local_setup.zsh"
elif [ -f "$_ls3_root/install/local_setup.bash" ]; then
    . "$_ls3_root/install/local_setup.bash"
fi

# Rendering without a screen; MUJOCO_GL=glfw opens windows.
export MUJOCO_GL="${MUJOCO_GL:-egl}"

case $_ls3_options in *u*) set -u ;; esac
unset -f _ls3_prepend
unset _ls3_root _ls3_options _ls3_list _ls3_libs
