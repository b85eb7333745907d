"""Objects and what they are called: naming, the list of categories, changes over all frames of an object."""
