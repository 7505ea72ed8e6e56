"""Noise between two seeds, as A1111 mixes it (modules/rng.py, slerp).

Usage: python make_variation.py [OUT]           (OUT defaults to ../fixtures/diffusion)

OUT/variation.safetensors   low, high: F32 [4, 6, 5]; <share>: what lies between
"""

import pathlib
import sys

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent


def slerp(val, low, high):
    low_norm = low / torch.norm(low, dim=1, keepdim=True)
    high_norm = high / torch.norm(high, dim=1, keepdim=True)
    dot = (low_norm * high_norm).sum(1)
    if dot.mean() > 0.9995:
        return low * (1 - val) + high * val
    omega = torch.acos(dot)
    so = torch.sin(omega)
    return (torch.sin((1.0 - val) * omega) / so).unsqueeze(1) * low + (torch.sin(val * omega) / so).unsqueeze(1) * high


def main():
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "fixtures" / "diffusion"
    g = torch.Generator().manual_seed(31)
    low, high = torch.randn(4, 6, 5, generator=g), torch.randn(4, 6, 5, generator=g)
    tensors = {"low": low, "high": high, **{f"{v}": slerp(v, low, high).contiguous() for v in (0.0, 0.25, 0.8, 1.0)}}
    tensors["near"] = slerp(0.3, low, low * 1.001)
    save_file(tensors, out / "variation.safetensors")
    (out / "variation.safetensors").chmod(0o644)


if __name__ == "__main__":
    main()
