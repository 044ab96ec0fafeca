"""Bytes to documents with positions.

In: the bytes of kong.conf, environment mappings, declarative files. Out: keys and values with
places. May assume: nothing about its input. Never: knows what a key means.
"""
