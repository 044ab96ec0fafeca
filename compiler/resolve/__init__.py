"""Documents to typed settings and entities, with defaults, references and provenance.

In: what `read` returns. Out: `Settings` and `Entities`. May assume: well-formed documents.
Never: opens files itself; PEM files are fetched through the `FileReader` it is given.
"""
