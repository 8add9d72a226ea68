# Puts the `ls3` command, which colcon installs to lib/ls3 for `ros2 run`, on PATH.
_colcon_prepend_unique_value PATH "$COLCON_CURRENT_PREFIX/lib/ls3"
