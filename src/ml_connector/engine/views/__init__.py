"""Reading for people: what pages, commands and the API show. Nothing here changes anything.

Every statement is made for a million records: it goes through an index, or stops counting at a limit and says so.
"""
