"""One file a rule, named after what is wrong."""
