"""Entry points of the nodes; see ls3_common.entry."""

from ls3_common.entry import node

encoder_node = node("ls3_models.encoder_node")
