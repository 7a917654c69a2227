"""The real parts that tests run against: started on free loopback ports, stopped afterwards.

One module per part, each with the same two questions: `ensure()` (is it here? else fetch it) and `running()`. A part
that cannot be had is a MissingPartError that says how to get it, never a skip. Knows nothing of the application
but the names of its model weights.
"""
