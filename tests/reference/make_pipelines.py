"""Tiny random Stable Diffusions in diffusers' folders, and the pictures that diffusers' pipelines paint with them.

Usage: python make_pipelines.py [OUT]           (OUT defaults to ../fixtures/pipelines)

OUT/<model>/         as save_pretrained leaves it, in halves (pictures are computed in float32 from the rounded weights):
                     sd1, inpaint (a UNet of nine channels), xl
OUT/init.png, mask.png   what image-to-image and inpainting begin from
OUT/pipelines.json   cases: what was asked for
OUT/expected.safetensors   <case>: F32 [height, width, 3] in [0, 1]
Noise comes from torch.manual_seed(seed) on the CPU. Guidance is low where these random networks blow up the last bit of
the noise to more than 1e-4 of the picture, in diffusers too.
"""

import json
import pathlib
import shutil
import sys

import make_clip_tokenizer as mc
import make_diffusion as md

import diffusers
import numpy as np
import torch
import transformers
from PIL import Image
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
NOISE = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
LEADING = dict(NOISE, steps_offset=1, timestep_spacing="leading")
SAMPLERS = {
    "pndm": (diffusers.PNDMScheduler, {}),
    "ddim": (diffusers.DDIMScheduler, {}),
    "euler": (diffusers.EulerDiscreteScheduler, {}),
    "euler-a": (diffusers.EulerAncestralDiscreteScheduler, {}),
    "heun": (diffusers.HeunDiscreteScheduler, {}),
    "dpm++2m": (diffusers.DPMSolverMultistepScheduler, {}),
    "unipc": (diffusers.UniPCMultistepScheduler, {}),
}


def unet(seed, **more):
    config = dict(sample_size=8, norm_num_groups=4, cross_attention_dim=12, block_out_channels=(8, 12),
                  down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
                  layers_per_block=1, attention_head_dim=2)
    return md.randomise(diffusers.UNet2DConditionModel(**{**config, **more}), seed)


def vae(seed):
    model = diffusers.AutoencoderKL(block_out_channels=(8, 12), down_block_types=("DownEncoderBlock2D",) * 2,
                                    up_block_types=("UpDecoderBlock2D",) * 2, latent_channels=4, norm_num_groups=4, sample_size=16)
    return md.randomise(model, seed)


def text_encoder(seed, tokenizer, act, projection=None):
    config = transformers.CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=12, intermediate_size=20, num_hidden_layers=3, num_attention_heads=3,
        max_position_embeddings=77, hidden_act=act, bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id, projection_dim=projection or 12)
    cls = transformers.CLIPTextModelWithProjection if projection else transformers.CLIPTextModel
    return md.randomise(cls(config), seed)


def tokenizers(work):
    vocab, merges = mc.learn(150)
    work.mkdir(parents=True)
    (work / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False) + "\n")
    (work / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    end = "<|endoftext|>"
    common = dict(bos_token="<|startoftext|>", eos_token=end, unk_token=end, model_max_length=77)
    make = lambda pad: transformers.CLIPTokenizer(str(work / "vocab.json"), str(work / "merges.txt"), pad_token=pad, **common)
    one, two = make(end), make("!")
    shutil.rmtree(work)
    return one, two


def save(pipe, folder):
    shutil.rmtree(folder, ignore_errors=True)
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            part.half()
    pipe.save_pretrained(folder)
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            part.float()


def main():
    out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parent / "fixtures" / "pipelines")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    one, two = tokenizers(out / "work")
    v, t = vae(11), text_encoder(12, one, "quick_gelu")
    pndm = diffusers.PNDMScheduler(**LEADING, skip_prk_steps=True, set_alpha_to_one=False)
    common = dict(vae=v, text_encoder=t, tokenizer=one, safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    sd1 = diffusers.StableDiffusionPipeline(unet=unet(13), scheduler=pndm, **common)
    inpaint = diffusers.StableDiffusionInpaintPipeline(unet=unet(14, in_channels=9), scheduler=pndm, **common)
    xl = diffusers.StableDiffusionXLPipeline(
        vae=v, text_encoder=t, text_encoder_2=text_encoder(15, two, "gelu", 10), tokenizer=one, tokenizer_2=two,
        unet=unet(16, cross_attention_dim=24, addition_embed_type="text_time", addition_time_embed_dim=6,
                  use_linear_projection=True, attention_head_dim=(1, 2), projection_class_embeddings_input_dim=10 + 6 * 6),
        scheduler=diffusers.EulerDiscreteScheduler(**LEADING), add_watermarker=False)
    for name, pipe in (("sd1", sd1), ("inpaint", inpaint), ("xl", xl)):
        save(pipe, out / name)
        pipe.set_progress_bar_config(disable=True)

    rng = np.random.default_rng(3)
    y, x = np.mgrid[0:16, 0:16]
    pixels = (np.stack([x * 16, y * 16, (x + y) * 8], -1) + rng.integers(0, 16, (16, 16, 3))) % 256
    init = Image.fromarray(pixels.astype(np.uint8))
    mask = Image.fromarray(np.where((x >= 4) & (x < 12) & (y >= 2) & (y < 10), 255, 0).astype(np.uint8))
    init.save(out / "init.png")
    mask.save(out / "mask.png")

    text2image = sd1
    image2image = diffusers.StableDiffusionImg2ImgPipeline(**sd1.components, requires_safety_checker=False)
    anew = diffusers.StableDiffusionInpaintPipeline(**sd1.components, requires_safety_checker=False)
    for pipe in (image2image, anew):
        pipe.set_progress_bar_config(disable=True)
    words = dict(prompt="A photo of a cat", negative_prompt="blurry, low quality")
    cases = [
        ("text", text2image, "sd1", "pndm", dict(words, num_inference_steps=5)),
        ("text.wide", text2image, "sd1", "euler-a", dict(words, num_inference_steps=4, width=24, height=16)),
        ("text.rescaled", text2image, "sd1", "dpm++2m", dict(words, num_inference_steps=4, guidance_rescale=0.7)),
        ("text.unguided", text2image, "sd1", "ddim", dict(words, num_inference_steps=4, guidance_scale=1.0)),
        ("text.nothing", text2image, "sd1", "unipc", dict(prompt="", negative_prompt="", num_inference_steps=4)),
        ("image", image2image, "sd1", "euler", dict(words, num_inference_steps=5, strength=0.6, image=init)),
        ("image.pndm", image2image, "sd1", "pndm", dict(words, num_inference_steps=6, guidance_scale=4.0, strength=0.7, image=init)),
        ("image.heun", image2image, "sd1", "heun", dict(words, num_inference_steps=5, guidance_scale=4.0, strength=0.8, image=init)),
        ("anew", anew, "sd1", "euler", dict(words, num_inference_steps=4, strength=1.0, image=init, mask_image=mask)),
        ("anew.part", anew, "sd1", "dpm++2m", dict(words, num_inference_steps=5, strength=0.8, image=init, mask_image=mask)),
        ("inpaint", inpaint, "inpaint", "ddim", dict(words, num_inference_steps=4, guidance_scale=2.0, strength=1.0, image=init, mask_image=mask)),
        ("xl", xl, "xl", "euler", dict(words, num_inference_steps=4, guidance_scale=5.0)),
        ("xl.wide", xl, "xl", "euler", dict(words, num_inference_steps=3, width=24, height=16)),
        ("xl.positive", xl, "xl", "euler", dict(prompt="A photo of a cat", num_inference_steps=3)),
    ]
    expected, abouts = {}, []
    for seed, (name, pipe, model, sampler, arguments) in enumerate(cases, 40):
        arguments = {"guidance_scale": 7.5, "width": 16, "height": 16, **arguments}
        cls, more = SAMPLERS[sampler]
        # The sampler takes the folder's own configuration, as `from_config` hands it over.
        pipe.scheduler = cls.from_config(xl.scheduler.config if model == "xl" else pndm.config, **more)
        picture = pipe(**arguments, generator=torch.Generator().manual_seed(seed), output_type="np").images[0]
        expected[name] = torch.from_numpy(np.ascontiguousarray(picture.astype(np.float32)))
        about = {k: a for k, a in arguments.items() if k not in ("image", "mask_image")}
        abouts.append(dict(about, name=name, model=model, sampler=sampler, seed=seed, image="image" in arguments,
                           mask="mask_image" in arguments))
    save_file(expected, out / "expected.safetensors")
    (out / "pipelines.json").write_text("[\n" + ",\n".join(json.dumps(a, sort_keys=True) for a in abouts) + "\n]\n")
    for path in out.rglob("*"):
        if path.is_file():
            path.chmod(0o644)
    for name, value in expected.items():
        print(name, f"{float(value.min()):.3f} {float(value.max()):.3f} {float(value.std()):.3f}")


if __name__ == "__main__":
    main()
