"""What we remember: records in SQLite, and content-addressed files."""
