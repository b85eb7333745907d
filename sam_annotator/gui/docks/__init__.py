"""The panels around the canvas. They show what they are given and emit what the person wants; they decide nothing."""
