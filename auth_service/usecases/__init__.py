"""Use cases of clients, operators and background tasks.

A use case is a callable object, so its docstring is an imperative, like that of a function.
"""
