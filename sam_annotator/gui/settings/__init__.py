"""How the program is set: Qt and Python at the start, the keys, what a person prefers."""
