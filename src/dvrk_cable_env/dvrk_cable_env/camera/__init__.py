"""From a camera frame to the cable's mask: the lens, the colours and segmentation_node."""
