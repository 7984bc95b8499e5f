"""Sphinx configuration."""

project = "jupyter-mlops"
author = "The jupyter-mlops developers"
copyright = "2026, the jupyter-mlops developers"
extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_title = "jupyter-mlops"
exclude_patterns = ["_build"]
