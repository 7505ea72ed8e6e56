"""Tiny random ControlNets for the pipelines of make_pipelines.py, and what diffusers' ControlNet pipelines paint with them.

Usage: python make_control.py [OUT]             (OUT defaults to ../fixtures/control; run make_pipelines.py before)

OUT/<model>/         as save_pretrained leaves it, in halves: one, two (for sd1), xl
OUT/hint.png         a picture to be led by, of another size than what is painted
OUT/edges.png        cv2.Canny (100, 200) of hint.png brought to 16x16
OUT/control.json     cases: what was asked for; `controls`: [model, picture, weight, start, end]
OUT/expected.safetensors   <case>: F32 [height, width, 3] in [0, 1]
"""

import json
import pathlib
import shutil
import sys

import make_diffusion as md
import make_pipelines as mp

import cv2
import diffusers
import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent


def controlnet(seed, **more):
    config = dict(norm_num_groups=4, cross_attention_dim=12, block_out_channels=(8, 12), layers_per_block=1,
                  down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), attention_head_dim=2,
                  conditioning_embedding_out_channels=(4, 8))
    return md.randomise(diffusers.ControlNetModel(**{**config, **more}), seed)


def main():
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "fixtures" / "control"
    pipelines = HERE.parent / "fixtures" / "pipelines"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    nets = {"one": controlnet(61), "two": controlnet(62, controlnet_conditioning_channel_order="bgr"),
            "xl": controlnet(63, cross_attention_dim=24, addition_embed_type="text_time", addition_time_embed_dim=6,
                             use_linear_projection=True, attention_head_dim=(1, 2), projection_class_embeddings_input_dim=10 + 6 * 6)}
    for name, net in nets.items():
        net.half().save_pretrained(out / name)
        net.float()

    rng = np.random.default_rng(5)
    y, x = np.mgrid[0:20, 0:24]
    pixels = (np.stack([x * 10, y * 12, (x * y) % 256], -1) + rng.integers(0, 30, (20, 24, 3))) % 256
    hint = Image.fromarray(pixels.astype(np.uint8))
    hint.save(out / "hint.png")
    edges = cv2.Canny(np.asarray(hint.resize((16, 16), Image.LANCZOS)), 100, 200)
    edges = Image.fromarray(np.stack([edges] * 3, -1))
    edges.save(out / "edges.png")
    pictures = {"hint.png": hint, "edges.png": edges}

    load = dict(dtype=torch.float32, local_files_only=True)
    sd1 = diffusers.StableDiffusionPipeline.from_pretrained(pipelines / "sd1", safety_checker=None, requires_safety_checker=False, **load)
    xl = diffusers.StableDiffusionXLPipeline.from_pretrained(pipelines / "xl", add_watermarker=False, **load)
    inpaint = diffusers.StableDiffusionInpaintPipeline.from_pretrained(pipelines / "inpaint", safety_checker=None, requires_safety_checker=False, **load)
    init, mask = Image.open(pipelines / "init.png"), Image.open(pipelines / "mask.png")
    words = dict(prompt="A photo of a cat", negative_prompt="blurry, low quality")
    text2image, image2image = diffusers.StableDiffusionControlNetPipeline, diffusers.StableDiffusionControlNetImg2ImgPipeline
    anew, of_xl = diffusers.StableDiffusionControlNetInpaintPipeline, diffusers.StableDiffusionXLControlNetPipeline
    one, two, big = [("one", "hint.png", 1.0, 0.0, 1.0)], [("two", "edges.png", 0.6, 0.0, 1.0)], [("xl", "hint.png", 0.7, 0.0, 1.0)]
    cases = [
        ("one", text2image, "sd1", sd1, "euler", one, dict(words, num_inference_steps=4)),
        ("weight", text2image, "sd1", sd1, "ddim", [("one", "hint.png", 0.45, 0.0, 1.0)], dict(words, num_inference_steps=4, guidance_scale=1.0)),
        ("edges", text2image, "sd1", sd1, "dpm++2m", two, dict(words, num_inference_steps=4)),
        ("both", text2image, "sd1", sd1, "euler", one + [("two", "hint.png", 0.6, 0.0, 1.0)], dict(words, num_inference_steps=4)),
        ("share", text2image, "sd1", sd1, "euler", [("one", "hint.png", 1.0, 0.2, 0.75)], dict(words, num_inference_steps=5)),
        ("shares", text2image, "sd1", sd1, "pndm", [("one", "hint.png", 1.0, 0.0, 0.5), ("two", "edges.png", 0.8, 0.5, 1.0)],
         dict(words, num_inference_steps=5, guidance_scale=4.0)),
        ("image", image2image, "sd1", sd1, "euler", one, dict(words, num_inference_steps=5, strength=0.6)),
        ("inpaint", anew, "inpaint", inpaint, "ddim", one, dict(words, num_inference_steps=4, guidance_scale=2.0, strength=1.0)),
        ("xl", of_xl, "xl", xl, "euler", big, dict(words, num_inference_steps=3, guidance_scale=5.0)),
    ]
    expected, abouts = {}, []
    config = {"sd1": sd1.scheduler.config, "inpaint": inpaint.scheduler.config, "xl": xl.scheduler.config}
    for seed, (name, pipeline, model, base, sampler, controls, arguments) in enumerate(cases, 70):
        arguments = {"guidance_scale": 7.5, "width": 16, "height": 16, **arguments}
        loose = {} if model == "xl" else {"requires_safety_checker": False}
        many = len(controls) > 1
        pick = lambda values: list(values) if many else values[0]
        pipe = pipeline(**{**base.components, "scheduler": None}, **loose,
                        controlnet=pick([nets[c[0]] for c in controls])) if model != "xl" else pipeline(
            **{**base.components, "scheduler": None}, controlnet=nets[controls[0][0]], add_watermarker=False)
        cls, more = mp.SAMPLERS[sampler]
        pipe.scheduler = cls.from_config(config[model], **more)
        pipe.set_progress_bar_config(disable=True)
        hints = pick([pictures[c[1]] for c in controls])
        shown = dict(image=hints)
        if pipeline is image2image:
            shown = dict(image=init, control_image=hints)
        if pipeline is anew:
            shown = dict(image=init, mask_image=mask, control_image=hints)
        picture = pipe(**arguments, **shown, controlnet_conditioning_scale=pick([c[2] for c in controls]),
                       control_guidance_start=pick([c[3] for c in controls]), control_guidance_end=pick([c[4] for c in controls]),
                       generator=torch.Generator().manual_seed(seed), output_type="np").images[0]
        expected[name] = torch.from_numpy(np.ascontiguousarray(picture.astype(np.float32)))
        abouts.append(dict(arguments, name=name, model=model, sampler=sampler, seed=seed, controls=controls,
                           image=pipeline in (image2image, anew), mask=pipeline is anew))
    save_file(expected, out / "expected.safetensors")
    (out / "control.json").write_text("[\n" + ",\n".join(json.dumps(a, sort_keys=True) for a in abouts) + "\n]\n")
    for path in out.rglob("*"):
        if path.is_file():
            path.chmod(0o644)
    for name, value in expected.items():
        print(name, f"{float(value.min()):.3f} {float(value.max()):.3f} {float(value.std()):.3f}")


if __name__ == "__main__":
    main()
