"""The canvas, what is painted on it, and the living shapes that stand on it: changed by hand, undone."""
