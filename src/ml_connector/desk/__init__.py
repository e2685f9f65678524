"""What a person asks and does, once for the command line, the console and the API.

`actions`: what changes something, each in one transaction with its audit rows, in the name of the actor
(`engine.actor`). The other modules read: one for each page, typed, no HTML and no JSON.
"""
