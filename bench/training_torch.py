"""Training steps of the shapes of `inkstone bench --only training` in PyTorch, beside ours.

Usage: training_torch.py [INKSTONE] [--rounds N] [--threads N]
Runs inkstone and PyTorch (f32, and bf16 autocast) in turn; installs nothing. Needs torch and
transformers. PyTorch's updates use fused AdamW for every parameter, also where inkstone runs Muon.
"""

import argparse
import json
import statistics
import subprocess
import time

import torch
from transformers import GPT2Config, GPT2LMHeadModel, Qwen3Config, Qwen3ForCausalLM


def gpt2():
    # B 4, T 256; logits and loss as transformers does.
    model = GPT2LMHeadModel(GPT2Config(resid_pdrop=0, embd_pdrop=0, attn_pdrop=0))
    return model, 50257, (4, 256), 1


def poet():
    # Four passes of 2,048 positions in documents of 64, here a batch of 32.
    config = Qwen3Config(
        vocab_size=8192, hidden_size=256, intermediate_size=768, num_hidden_layers=6,
        num_attention_heads=4, num_key_value_heads=4, head_dim=64, max_position_embeddings=256,
        tie_word_embeddings=True)
    return Qwen3ForCausalLM(config), 8192, (32, 64), 4


WORK = {"train gpt2-124m 4x256": gpt2, "train poet 4x2048": poet}


def tokens_per_second(make, bf16, rounds):
    torch.manual_seed(1)
    model, vocab, shape, passes = make()
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    ids = torch.randint(0, vocab, shape)
    rates = []
    for i in range(rounds + 1):
        began = time.perf_counter()
        optimizer.zero_grad(set_to_none=False)
        for _ in range(passes):
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                loss = model(input_ids=ids, labels=ids).loss / passes
            loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if i > 0:  # the first one warms up
            rates.append(shape[0] * shape[1] * passes / (time.perf_counter() - began))
    return statistics.median(rates)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("inkstone", nargs="?", default="build/inkstone")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    bench = [options.inkstone, "bench", "--only", "training", "--json",
             "--rounds", str(options.rounds), "--threads", str(options.threads)]
    rows = json.loads(subprocess.run(bench, check=True, capture_output=True).stdout)["rows"]
    ours = {(row["work"], row["kind"]): float(row["more"].split()[0])
            for row in rows if row["work"] in WORK}
    print(f"torch {torch.__version__}, {options.threads} threads; ratio, work, tokens/s")
    for (work, kind), rate in ours.items():
        theirs = tokens_per_second(WORK[work], kind == "bf16", options.rounds)
        print(f"{rate / theirs:5.2f}  {work} {kind}: inkstone {rate:.0f}, PyTorch {theirs:.0f}")


if __name__ == "__main__":
    main()
