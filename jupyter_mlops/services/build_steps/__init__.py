"""The steps of a build, one file each; ``services/builds.py`` plays them in order."""
