# %% tags=["parameters"]
password = ""

# %%
import os

print(password)
print(os.environ["TLS_PRIVATE_KEY"])
password

# %%
{password: repr(password)}
