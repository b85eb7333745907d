"""The weights of the models: which there are, where they lie, how they are fetched and checked."""
