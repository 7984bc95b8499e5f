"""What the targets that write files share."""
