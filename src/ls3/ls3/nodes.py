"""Entry points of the nodes; see ls3_common.entry."""

from ls3_common.entry import node

learn_node = node("ls3.cli.learn_node")
