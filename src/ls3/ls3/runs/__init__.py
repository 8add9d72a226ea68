"""What a run is: its domain, its method, its directory, and where it came from."""
