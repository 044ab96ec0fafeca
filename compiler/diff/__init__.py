"""What changes in meaning between two configurations. Computes here; `cli` prints."""
