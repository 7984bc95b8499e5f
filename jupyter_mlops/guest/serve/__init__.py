"""The serving layer: one front process that owns HTTP, and workers that run the model.

Standard library only, Python 3.8 or newer: it runs on the interpreter of the user's own
environment and adds no package to it. Nothing of it is on ``sys.path`` there.
"""
