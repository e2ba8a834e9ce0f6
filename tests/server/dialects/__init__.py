"""What the five documented checkout APIs say, each line beside the check that shows it.

One module an API. rows.py collects the rows, shop.py is who sends the requests, write.py makes the table of the docs.
"""
