"""What transformers and google-deepmind/synthid-text say of text watermarks.

Usage: python make_watermarks.py DEEPMIND [OUT]
  DEEPMIND  a checkout of google-deepmind/synthid-text at addb4a158143c7c6851a1308f78b89fceed59683
  OUT       defaults to ../fixtures/mark/watermarks.safetensors

For V in transformers, deepmind (30 keys of the reference configuration, 5 tokens hashed together):
  V.tokens     I32 [600]          ids with repeated stretches
  V.fresh      I32 [596]          compute_context_repetition_mask of them: 1 where the context is new
  V.means      F32 [2]            mean and weighted mean over the fresh positions (weights 10 … 1)
  V.million    metadata           SHA-256 over the g-values, one byte each, of 1,000,000 n-grams (see ngrams)
For transformers, a tournament at work, one step after another with the drawn token given:
  steps.N.drawn   I32 [24]        token "drawn" at each step
  steps.N.scores  F32 [N]         log weights before each step (the same at all steps); -inf where out
  steps.N.after   F32 [24, N]     probabilities after the processor
for vocabularies N of 300 (all in), 900 (40 in) and 70,000 (three steps, scores by ramp, every 97th value kept).
The green lists of WatermarkLogitsProcessor (lefthash, defaults):
  kgw.V.green     metadata        for V of 300 and 50,257 tokens: SHA-256 over one byte a token, 1 where green,
                                  behind the tokens 0, 1, 42, 299 and V - 1
  kgw.counts      I32 [2]         pairs scored and green among them, WatermarkDetector with repeated pairs left
                                  out, on transformers.tokens and 50,257 tokens
"""

import hashlib
import pathlib
import sys

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import GPT2Config, SynthIDTextWatermarkLogitsProcessor, WatermarkDetector, WatermarkLogitsProcessor
from transformers import WatermarkingConfig

HERE = pathlib.Path(__file__).parent
KEYS = [654, 400, 836, 123, 340, 443, 597, 160, 57, 29, 590, 639, 13, 715, 468, 990, 966, 226, 324, 585, 118,
        504, 421, 521, 129, 669, 732, 225, 90, 960]


def transformers_processor():
    return SynthIDTextWatermarkLogitsProcessor(
        ngram_len=5, keys=KEYS, sampling_table_size=65536, sampling_table_seed=0, context_history_size=1024, device="cpu")


def deepmind_processor(checkout):
    sys.path.insert(0, str(pathlib.Path(checkout) / "src"))
    from synthid_text import logits_processing

    return logits_processing.SynthIDLogitsProcessor(
        ngram_len=5, keys=KEYS, context_history_size=1024, temperature=1.0, top_k=100, device=torch.device("cpu"))


def ngrams(n):
    """Token j of n-gram i: ((5 i + j) * 0x9E3779B97F4A7C15 mod 2^64) >> 32, modulo 151,936."""
    i = np.arange(5 * n, dtype=np.uint64)
    return ((i * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)).astype(np.int64).reshape(n, 5) % 151936


def million(processor):
    digest = hashlib.sha256()
    for part in np.split(ngrams(1_000_000), 100):
        bits = processor.compute_g_values(torch.from_numpy(part))  # a row of five ids is one n-gram
        digest.update(bits.to(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def text(seed):
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, 50257, 600)
    ids[200:240] = ids[100:140]
    ids[400:460] = 7
    return torch.from_numpy(ids)


def analysis(name, processor, out, metadata):
    ids = text(1)
    bits = processor.compute_g_values(ids[None])[0]
    fresh = processor.compute_context_repetition_mask(ids[None])[0]
    weights = torch.linspace(10, 1, len(KEYS), dtype=torch.float64)
    weights *= len(KEYS) / weights.sum()
    used = bits[fresh.bool()].to(torch.float64)
    out[f"{name}.tokens"] = ids.to(torch.int32)
    out[f"{name}.fresh"] = fresh.to(torch.int32)
    out[f"{name}.means"] = torch.tensor([used.mean(), (used * weights).mean()], dtype=torch.float32)
    metadata[f"{name}.million"] = million(processor)


def tournament(n, scores, n_step, keep, out):
    drawn = np.random.default_rng(n).integers(0, n, n_step)
    drawn[n_step // 2:] = drawn[: n_step - n_step // 2]  # contexts come back
    processor, after = transformers_processor(), []
    ids = torch.zeros((1, 3), dtype=torch.long)
    for step in range(n_step):
        changed = processor(ids, torch.from_numpy(scores)[None])
        after.append(torch.softmax(changed.double(), 1)[0][::keep].float())
        ids = torch.cat([ids, torch.tensor([[drawn[step]]])], 1)
    out[f"steps.{n}.drawn"] = torch.from_numpy(drawn).to(torch.int32)
    if keep == 1:
        out[f"steps.{n}.scores"] = torch.from_numpy(scores)
    out[f"steps.{n}.after"] = torch.stack(after)


def some_in(n, n_in):
    rng = np.random.default_rng(n + 1)
    scores = np.full(n, -np.inf, dtype=np.float32)
    scores[rng.permutation(n)[:n_in]] = rng.normal(0, 2, n_in)
    return scores


def ramp(n):
    """Score of token i: 6 * ((2654435761 i mod 2^32) / 2^32)."""
    i = np.arange(n, dtype=np.uint64)
    return (6 * ((i * np.uint64(2654435761)) % np.uint64(1 << 32)).astype(np.float64) / (1 << 32)).astype(np.float32)


def green_lists(out, metadata):
    for n in (300, 50257):
        processor = WatermarkLogitsProcessor(vocab_size=n, device="cpu")
        digest = hashlib.sha256()
        for previous in (0, 1, 42, 299, n - 1):
            green = torch.zeros(n, dtype=torch.uint8)
            green[processor._get_greenlist_ids(torch.tensor([previous]))] = 1
            digest.update(green.numpy().tobytes())
        metadata[f"kgw.{n}.green"] = digest.hexdigest()
    detector = WatermarkDetector(GPT2Config(), "cpu", WatermarkingConfig(), ignore_repeated_ngrams=True)
    said = detector(text(1)[None], return_dict=True)
    counts = [int(said.num_tokens_scored[0]), int(said.num_green_tokens[0])]
    out["kgw.counts"] = torch.tensor(counts, dtype=torch.int32)


def main():
    checkout = sys.argv[1]
    path = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else HERE / "../fixtures/mark/watermarks.safetensors"
    out, metadata = {}, {}
    analysis("transformers", transformers_processor(), out, metadata)
    analysis("deepmind", deepmind_processor(checkout), out, metadata)
    tournament(300, some_in(300, 300), 24, 1, out)
    tournament(900, some_in(900, 40), 24, 1, out)
    tournament(70000, ramp(70000), 3, 97, out)
    green_lists(out, metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(out, path, metadata=metadata)


main()
