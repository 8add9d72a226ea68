"""Episodes of a running node graph: the nodes that step, record and drive them."""
