"""The MNIST example's model: the same digits always give the same file."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "mnist"
# Of Python's string hashes: with these two, a set of the ONNX domains is ordered differently.
SEEDS = ("0", "59")
CONVERT = """
import sys
from classifier import fit, to_onnx
from digits import load, stratified

sys.stdout.buffer.write(to_onnx(fit(stratified(load(), 100, seed=1).train)))
"""


def convert(seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(EXAMPLE)}
    done = subprocess.run([sys.executable, "-c", CONVERT], env=environment, check=True, capture_output=True)
    return hashlib.sha256(done.stdout).hexdigest()


def test_the_model_file_does_not_depend_on_the_process() -> None:
    first, second = (convert(seed) for seed in SEEDS)

    assert first == second
