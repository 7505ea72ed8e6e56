"""Has transformers look for our text watermark: the g-values and masks of its SynthID-Text processor, and the mean and
weighted mean over them that detectors of SynthID-Text score by.

    python tests/reference/check_watermark.py build/inkstone [TEXTS]

The poet writes TEXTS (200) poems with the mark and as many without, under keys that both are told. Prints how many are
found at 1 % false positives, and exits 1 when transformers does not find what we wrote, or finds what we did not.
"""

import json
import math
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
from transformers import AutoTokenizer, SynthIDTextWatermarkLogitsProcessor

ROOT = pathlib.Path(__file__).parent.parent.parent
KEYS = [654, 400, 836, 123, 340, 443, 597, 160, 57, 29, 590, 639, 13, 715, 468, 990, 966, 226, 324, 585, 118,
        504, 421, 521, 129, 669, 732, 225, 90, 960]
LEAST = 40  # tokens of a poem that is looked at


def write(program, keys, seed, watermark):
    command = [program, "write", "秋", "--model", ROOT / "models/poet", "--max-tokens", 200, "--temperature", 1, "--top-p", 1,
               "--seed", seed, "--json", "--watermark", watermark, *(["--watermark-keys", keys] if watermark != "off" else [])]
    done = subprocess.run([str(c) for c in command], check=True, capture_output=True)
    return json.loads(done.stdout)["text"]


def score(processor, ids):
    """Standard deviations of the mean, and of the weighted mean, above one half; and how many tokens counted."""
    g = processor.compute_g_values(ids[None])[0].numpy()
    fresh = processor.compute_context_repetition_mask(ids[None])[0].numpy().astype(bool)
    used, depth = g[fresh].astype(float), g.shape[1]
    weights = np.linspace(10, 1, depth)
    weights *= depth / weights.sum()
    n = len(used)
    mean = (used.mean() - 0.5) * 2 * math.sqrt(n * depth)
    weighted = ((used * weights).mean() - 0.5) * 2 * math.sqrt(n * depth) / math.sqrt((weights ** 2).mean())
    return mean, weighted, n


def main():
    program, n = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 200
    tokenizer = AutoTokenizer.from_pretrained(ROOT / "models/poet")
    processor = SynthIDTextWatermarkLogitsProcessor(
        ngram_len=5, keys=KEYS, sampling_table_size=65536, sampling_table_seed=0, context_history_size=1024, device="cpu")
    limit = 2.3263  # one in a hundred of a normal law
    fine = True
    with tempfile.TemporaryDirectory() as folder:
        keys = pathlib.Path(folder) / "keys.json"
        keys.write_text(json.dumps({"ngram_len": 5, "keys": KEYS, "sampling_table_size": 65536, "sampling_table_seed": 0,
                                    "context_history_size": 1024}))
        for watermark in ("synthid", "off"):
            found, length = [], []
            for seed in range(n):
                ids = tokenizer(write(program, keys, seed, watermark), add_special_tokens=False)["input_ids"]
                if len(ids) < LEAST:
                    continue
                mean, weighted, used = score(processor, torch.tensor(ids))
                found.append((mean > limit, weighted > limit))
                length.append(used)
            shares = np.mean(found, 0)
            print(f"{watermark:8} {len(found)} poems of {np.mean(length):.0f} n-grams: {shares[0]:.3f} by the mean, "
                  f"{shares[1]:.3f} by the weighted mean")
            fine &= bool(min(shares) >= 0.95 if watermark == "synthid" else max(shares) <= 0.05)
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
