"""What computes masks: segmenters, propagators, and runs of them. No Qt, no labelme."""
