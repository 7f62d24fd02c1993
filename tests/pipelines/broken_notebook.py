# %% tags=["parameters"]
x = 0

# %%
print(f"before the failing cell, x = {x}")


# %%
def divide(a, b):
    return a / b


divide(x, 0)

# %%
print("never reached")
