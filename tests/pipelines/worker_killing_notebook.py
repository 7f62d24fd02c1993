# %%
print("on record long before")

# %%
import os
import signal
import sys

sys.stderr.write("a complaint without an end")
print("last words", flush=True)
os.kill(os.getppid(), signal.SIGKILL)
os._exit(0)
