"""Blocks to files: spelling and quoting, through the templates.

In: `model.nginx` blocks and PEM material. Out: path to `OutputFile`. Never: touches the disk.
"""
