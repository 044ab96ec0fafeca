"""The plan in the words of nginx: vocabulary changes here and nowhere else.

In: `Plan`. Out: the blocks of `model.nginx`. May assume: nothing can fail. Never: decides.
"""
