"""A person's demonstrations: keys, pedals and gamepads to steps, and their recording."""
