"""Kong's router as a model: which route a request reaches, and what its upstream is sent.

Pure: from routes to candidates, from candidates and a request to a match. `plan` compiles the
candidates, `explain` and the tests ask for matches.
"""
