"""The only code that writes: puts a tree in place, all or nothing."""
