"""Settings and entities to diagnostics; returns nothing but reports.

In: what could be resolved, be it all or not. May assume: types hold; what an id refers to may be
missing, and was reported. Never: changes anything.
"""
