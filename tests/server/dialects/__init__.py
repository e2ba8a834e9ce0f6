"""The statements of the five dialects' documents, each beside the check that proves it.

One or two modules a dialect. rows.py collects the rows, shop.py sends the requests, write.py makes the table of the
docs.
"""
