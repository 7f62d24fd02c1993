# %% [markdown]
# # A report

# %% tags=["parameters"]
numbers = None
title = "untitled"

# %%
import logging

from opentelemetry import trace

from vaportrail import log, output

print(f"the title is {title}")
logging.getLogger("report").warning("from a notebook")

# %%
with trace.get_tracer("report").start_as_current_span("in a cell"):
    log.metric("count", len(numbers.values))

# %%
output(count=len(numbers.values))

# %%
# !echo a program says hello && false
print("exit code", get_ipython().user_ns["_exit_code"])  # noqa: F821
