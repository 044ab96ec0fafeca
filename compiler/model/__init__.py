"""The nouns: frozen values that the stages hand to one another.

May assume: nothing. Never: reads files, decides, or imports a stage.
"""
