"""Measuring a served model as its clients meet it: requests over HTTP, nothing else.

load      sends the requests, and times every token
figures   what the requests amount to: percentiles, rates, errors
power     what the GPUs drew meanwhile, where that is readable
plot      a picture of it

Why not a load tool from elsewhere: docs/decisions.md.
"""
