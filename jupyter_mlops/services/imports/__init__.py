"""Import: from the files of other tools, or this machine's own Python, to a specification."""
