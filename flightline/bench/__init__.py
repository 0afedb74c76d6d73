"""Measuring a served model as its clients meet it: requests over HTTP, nothing else.

load      sends the requests, and times every token
pieces    what is in an answer, or in a piece of one
figures   what the requests amount to: percentiles, rates, errors
power     what the GPUs draw, where that is readable: a process of its own
drawn     starts that process, and makes energy of what it read during the run
plot      a picture of it

Why not a load tool from elsewhere: docs/decisions.md.
"""
