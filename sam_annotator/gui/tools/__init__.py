"""What makes and mends masks: clicks for SAM, the brush, the object in hand, propagation."""
