"""The operator's own look: read from the files that [theme] names, found fit, and else told what is wrong with it."""
