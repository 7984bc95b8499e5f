"""Nouns and rules: frozen dataclasses and pure functions. Nothing here does I/O."""
