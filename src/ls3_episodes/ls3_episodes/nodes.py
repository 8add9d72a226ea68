"""Entry points of this package's executables; ls3_common.entry describes how a node starts."""

from ls3_common.entry import node

episode_node = node("ls3_episodes.episode_node")
run_node = node("ls3_episodes.run_node")
controller_node = node("ls3_episodes.controller_node")
view_node = node("ls3_episodes.view_node")
