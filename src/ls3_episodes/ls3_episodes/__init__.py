"""Episodes of a running graph: the nodes that step, record and drive them."""
