"""Quantised blocks and what they mean, from the gguf package and from ggml itself.

Usage: python make_quants.py [OUT]         (OUT defaults to ../fixtures/weights/quants.safetensors)

For T in Q8_0, Q4_0, Q4_K, Q6_K:
  T.blocks       U8  [rows, bytes]   blocks covering every code and scale, odd scales among them
  T.values       F32 [rows, columns] gguf.quants.dequantize of T.blocks
  T.input        F32 [rows, columns] rows to quantise (the rows of ROWS below)
  T.reference    U8  [rows, bytes]   ggml's quantiser on T.input, no importance matrix; for Q8_0 and Q4_0
                                     gguf.quants.quantize gives the same bytes, and so must ours
  T.rmse         F32 [rows]          root mean square error of T.reference: what ours must come near
For T in F16, BF16:
  T.input        F32 [n]   ties, subnormals, overflow, infinities, not-a-numbers
  T.output       T   [n]   rounded to nearest even (torch)
"""

import ctypes
import pathlib
import sys

import gguf
import numpy as np
import torch
from gguf.quants import dequantize, quantize
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
TYPES = ("Q8_0", "Q4_0", "Q4_K", "Q6_K")
COLUMNS = 512


def ggml_quantize(rows, qtype):
    """ggml's own quantiser, through the library that llama-cpp-python brings."""
    import llama_cpp

    lib = ctypes.CDLL(str(pathlib.Path(llama_cpp.__file__).parent / "lib" / "libggml-base.so"))
    lib.ggml_quantize_chunk.restype = ctypes.c_size_t
    n_block, n_byte = gguf.GGML_QUANT_SIZES[qtype]
    rows = np.ascontiguousarray(rows, dtype=np.float32)
    out = np.zeros((rows.shape[0], rows.shape[1] // n_block * n_byte), dtype=np.uint8)
    n = lib.ggml_quantize_chunk(
        ctypes.c_int(int(qtype)),
        rows.ctypes.data_as(ctypes.c_void_p),
        out.ctypes.data_as(ctypes.c_void_p),
        ctypes.c_int64(0),
        ctypes.c_int64(rows.shape[0]),
        ctypes.c_int64(rows.shape[1]),
        None,
    )
    assert n == out.nbytes
    return out


def input_rows(rng):
    """ROWS: what weights look like, and what they should not look like but may."""
    normal = rng.normal(0, 1, COLUMNS)
    outlier = rng.normal(0, 0.02, COLUMNS)
    outlier[::97] = 3.0
    ties = np.tile([0.5, -0.5, 1.0, -1.0, 1.5, -1.5, 7.5, -8.0], COLUMNS // 8)
    blockwise = rng.normal(0, 1, COLUMNS) * np.repeat(10.0 ** rng.uniform(-4, 2, COLUMNS // 32), 32)
    return np.stack(
        [
            normal,
            rng.standard_t(3, COLUMNS) * 0.05,
            rng.uniform(-1, 1, COLUMNS),
            rng.uniform(2, 3, COLUMNS),  # all of one sign, far from zero
            outlier,
            blockwise,
            ties,  # codes half way between two, and +a beside -a
            np.where(np.arange(COLUMNS) % 64 < 32, 0.0, normal),  # whole blocks of zero
            np.full(COLUMNS, -0.75),
            normal * 1e-7,  # the scale is subnormal as a half
            normal * 1e-12,  # the scale is zero as a half
            normal * 1e4,
        ]
    ).astype(np.float32)


def every_code(rng, qtype):
    """Random bytes with finite scales: negative, zero, subnormal and large halves among them."""
    n_block, n_byte = gguf.GGML_QUANT_SIZES[qtype]
    n = 8 * COLUMNS // n_block
    b = rng.integers(0, 256, (n, n_byte), dtype=np.uint8)
    offsets = {"Q8_0": (0,), "Q4_0": (0,), "Q4_K": (0, 2), "Q6_K": (208,)}[qtype.name]
    odd = np.array([0.0, -0.0, 6e-8, -3e-5, 1000.0, 6.1e-5], dtype=np.float16)
    for at in offsets:
        d = rng.normal(0, 0.01, n).astype(np.float16)
        d[rng.permutation(n)[: len(odd)]] = odd
        b[:, at : at + 2] = d.view(np.uint8).reshape(n, 2)
    return b.reshape(8, -1)


def rounding_inputs():
    exact = np.array([0.0, -0.0, 1.0, -2.0, 65504.0, 1 / 3, 1e-3, -123.456], dtype=np.float32)
    patterns = []
    for exponent in (0, 1, 100, 101, 102, 103, 112, 113, 120, 127, 130, 141, 142, 143, 253, 254):
        for mantissa in (0, 1, 0xFFF, 0x1000, 0x1001, 0x1FFF, 0x2000, 0x3000, 0x7FFF, 0x8000, 0x8001,
                         0x18000, 0x7FE000, 0x7FEFFF, 0x7FF000, 0x7F8000, 0x7FFFFF):
            patterns += [exponent << 23 | mantissa, 1 << 31 | exponent << 23 | mantissa]
    patterns += [0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001, 0xFFC12345]
    return np.concatenate([exact, np.array(patterns, dtype=np.uint32).view(np.float32)])


def main():
    out = HERE.parent / "fixtures" / "weights" / "quants.safetensors"
    if len(sys.argv) > 1:
        out = pathlib.Path(sys.argv[1])
    rng = np.random.default_rng(2024)
    rows = input_rows(rng)
    tensors = {}
    for name in TYPES:
        qtype = gguf.GGMLQuantizationType[name]
        blocks = every_code(rng, qtype)
        reference = ggml_quantize(rows, qtype)
        if name in ("Q8_0", "Q4_0"):
            assert np.array_equal(reference, quantize(rows, qtype)), name
        back = dequantize(reference, qtype).astype(np.float64)
        rmse = np.sqrt(((back - rows) ** 2).mean(axis=1))
        print(name, "relative error", np.round(rmse / np.sqrt((rows.astype(float) ** 2).mean(axis=1)), 5))
        tensors[f"{name}.blocks"] = torch.from_numpy(blocks)
        tensors[f"{name}.values"] = torch.from_numpy(dequantize(blocks, qtype))
        tensors[f"{name}.input"] = torch.from_numpy(rows.copy())
        tensors[f"{name}.reference"] = torch.from_numpy(reference)
        tensors[f"{name}.rmse"] = torch.from_numpy(rmse.astype(np.float32))
    values = torch.from_numpy(rounding_inputs())
    for name, dtype in (("F16", torch.float16), ("BF16", torch.bfloat16)):
        tensors[f"{name}.input"] = values.clone()
        tensors[f"{name}.output"] = values.to(dtype)
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, out)
    print(out.name, out.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
