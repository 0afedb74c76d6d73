"""Whether a model fits GPUs, from its own config.json and the catalog; pure.

config      config.json as typed fields; what is missing or wrong is named
families    how known architectures are built where their config.json is silent
formats     number formats: bits of a weight, scales included, and which GPUs compute in them
quantized   the format that a checkpoint's quantization_config declares
context     the longest context
attention   layers by kind: full, sliding, recurrent
parameters  parameters counted from the shape
shape       a model as all others need it
weights     bytes of weights on one GPU
cache       bytes of the KV cache
placement   tensor and pipeline parallel degrees
request     what is to be served on which GPUs, and what is assumed
fit         all of it together: what fits
remedies    what would fit instead
explain     the arithmetic, line by line
engines     the same for engines as roles declare them
shares      what part of a GPU an engine takes
beside      whether two engines can stand on the same GPUs at once
"""
