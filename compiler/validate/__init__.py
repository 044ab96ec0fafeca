"""Settings and entities to diagnostics; returns nothing but reports.

In: a resolved configuration. May assume: types and references hold. Never: changes anything.
"""
