"""Who gets in, and how far: API tokens, log-ins, the second factor, and what operators did.

It knows neither programs nor notifications; they stand above it.
"""
