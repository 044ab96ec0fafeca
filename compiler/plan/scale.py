"""From which size on the output is laid out for nginx's sake rather than the reader's."""

LARGE = 1000
"""Services, or locations with the same TLS policy. Below it nginx does not notice; above it the
layout changes once, and no entity changes another's lines on either side of it."""

IDLE_CONNECTIONS, IDLE_CONNECTIONS_OF_MANY = 32, 14
"""Idle connections kept per group and worker where nobody chose, for few and for many groups.

Kong's default of 512 is one table for all hosts, in nginx it would be 90 KB for each service and
worker. A busy service needs as many as requests are on their way to it at once: beyond that, each
request opens a connection."""
