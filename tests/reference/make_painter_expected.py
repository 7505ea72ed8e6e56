"""What diffusers paints with the painter that ships in models/painter: the fixture of tests/diffusion/test_shipped_painter.c.

Usage: python make_painter_expected.py     writes ../fixtures/diffusion/painter.safetensors

    picture.<case>   U8 [128, 128, 3]   StableDiffusionPipeline.from_pretrained("models/painter"), F32, the folder's own
                                        scheduler, noise from torch.manual_seed(seed) on the CPU
    prompt.<case>    U8 [bytes]
    how.<case>       F32 [3]            seed, steps, guidance scale
"""

import pathlib

import diffusers
import numpy as np
import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
PAINTER = HERE.parent.parent / "models" / "painter"
OUT = HERE.parent / "fixtures" / "diffusion" / "painter.safetensors"
CASES = {"en": ("a blue cat and a star", 1, 20, 4.0), "zh": ("一只红色的狐狸", 2, 20, 4.0), "free": ("", 3, 8, 1.0)}


def main():
    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(PAINTER, torch_dtype=torch.float32, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    tensors = {}
    for name, (prompt, seed, steps, guidance) in CASES.items():
        picture = pipeline(prompt, num_inference_steps=steps, guidance_scale=guidance,
                           generator=torch.Generator("cpu").manual_seed(seed), output_type="np").images[0]
        tensors[f"picture.{name}"] = torch.from_numpy(np.ascontiguousarray((picture * 255).round().astype(np.uint8)))
        tensors[f"prompt.{name}"] = torch.tensor(list(prompt.encode()), dtype=torch.uint8)
        tensors[f"how.{name}"] = torch.tensor([seed, steps, guidance], dtype=torch.float32)
    save_file(tensors, OUT)


if __name__ == "__main__":
    main()
