# %%
print("before the slow cell")

# %%
import time

time.sleep(60)
