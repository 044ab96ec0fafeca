"""From which size on the output is laid out for nginx's sake rather than the reader's."""

LARGE = 1000
"""Services, or locations with the same TLS policy. Below it nginx does not notice; above it the
layout changes once, and no entity changes another's lines on either side of it."""
