"""Opening videos and going through their frames: what is open, what is read, what is shown."""
