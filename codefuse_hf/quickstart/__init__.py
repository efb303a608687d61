"""The whole life of a small Rodimus+ in about three minutes, on a CPU, without any download.

Trains a byte-level BPE tokenizer and a model on the Python source of the interpreter's own standard library (or on any
text; `corpus`, `training`), saves both as a self-contained folder (`output`), loads that folder in a fresh process which
cannot import this package and lets it write code there (`generation`), and measures what generation costs as the context
grows, beside a Llama of the same size (`measurement`). `run` does all of it in this order.
"""
