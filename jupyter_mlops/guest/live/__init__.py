"""Runs in a live kernel, sent to it as text: which of its variables are models, and saving one.

Standard library only, 3.8 or newer. Nothing is imported that the notebook has not imported, but for
the libraries that save. ``live.R`` is the same for R.
"""
