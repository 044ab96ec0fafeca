"""kcompile: compiles Kong's gateway configuration into nginx configuration.

The stages, in order, each a package with one job:

    read -> resolve -> validate -> plan -> lower -> emit -> write

`compiler.pipeline` is the only module that knows that order; `compiler.model` holds what
the stages hand to one another and imports none of them.
"""

__version__ = "0.1.0"
