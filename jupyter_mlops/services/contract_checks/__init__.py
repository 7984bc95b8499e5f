"""The contract's checks, one file per group."""
