"""`lab` in Jupyter notebooks; needs the extra `notebook`."""
