"""Camera frame to mask: the lens, the colours, and segmentation_node."""
