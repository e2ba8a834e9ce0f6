"""What the documents of the five dialects say, each line beside the check that shows it.

One or two modules a dialect. rows.py collects the rows, shop.py is who sends the requests, write.py makes the table of the docs.
"""
