"""Every decision, in the words of Kong.

In: a valid configuration. Out: `model.plan.Plan`. May assume: every value is acceptable.
Never: speaks nginx.
"""
