"""The picture of a running graph: on a web page, and as messages for RViz and Foxglove."""
