"""Entry points of this package's executables; ls3_common.entry describes how a node starts."""

from ls3_common.entry import node

learn_node = node("ls3.cli.learn_node")
