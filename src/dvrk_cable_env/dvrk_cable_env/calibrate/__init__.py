"""`calibrate`: a person finds the colours, the crop and the workspace of the camera."""
