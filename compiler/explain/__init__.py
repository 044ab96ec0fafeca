"""Answers to questions about a configuration. Computes here; `cli` prints."""
