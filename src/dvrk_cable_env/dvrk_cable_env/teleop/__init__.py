"""A person's demonstrations: keys, pedals and gamepads become steps, and a bag records them."""
