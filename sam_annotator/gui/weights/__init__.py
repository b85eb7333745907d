"""Weights that are missing: said in a banner, fetched, checked and put to work without a restart."""
