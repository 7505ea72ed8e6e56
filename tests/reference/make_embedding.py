"""Taught words (textual inversion) for the pipelines of make_pipelines.py, and what diffusers paints with them.

Usage: python make_embedding.py [OUT]           (OUT defaults to ../fixtures/embedding; run make_pipelines.py before)

OUT/learned.safetensors   as diffusers' trainer saves it: one vector by the name of its word, "<fox>"
OUT/many.safetensors      the same, three vectors of "<many>"
OUT/moody.pt              as A1111 saves it: string_to_token, string_to_param, name; two vectors
OUT/params.safetensors    as A1111's newer: emb_params
OUT/pair.safetensors      for XL: clip_l, clip_g
OUT/style.safetensors     a LoRA in kohya's layout for sd1
OUT/embedding.json        cases: what was asked for; `words`: [file, word]
OUT/expected.safetensors  <case>: F32 [height, width, 3] in [0, 1]
"""

import json
import pathlib
import shutil
import sys

import make_pipelines as mp

import diffusers
import numpy as np
import torch
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).parent


def main():
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "fixtures" / "embedding"
    pipelines = HERE.parent / "fixtures" / "pipelines"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    g = torch.Generator().manual_seed(9)
    rows = lambda n: 0.7 * torch.randn(n, 12, generator=g)
    save_file({"<fox>": rows(1)[0]}, out / "learned.safetensors")
    save_file({"<many>": rows(3)}, out / "many.safetensors")
    moody = rows(2)
    torch.save({"string_to_token": {"*": 265}, "string_to_param": {"*": moody}, "name": "moody", "step": 100,
                "sd_checkpoint": None, "sd_checkpoint_name": None}, out / "moody.pt")
    save_file({"emb_params": rows(1).half()}, out / "params.safetensors")
    save_file({"clip_l": rows(2), "clip_g": rows(2)}, out / "pair.safetensors")
    at = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q."
    save_file({at + "lora_down.weight": torch.randn(2, 8, generator=g), at + "lora_up.weight": torch.randn(8, 2, generator=g),
               at + "alpha": torch.tensor(2.0)}, out / "style.safetensors")
    pair = load_file(out / "pair.safetensors")

    load = dict(dtype=torch.float32, local_files_only=True)
    words = dict(negative_prompt="blurry, low quality")
    cases = [
        ("learned", "sd1", [["learned.safetensors", "<fox>"]], "A photo of a <fox>"),
        ("many", "sd1", [["many.safetensors", "<many>"]], "<many> cats, <many>"),
        ("moody", "sd1", [["moody.pt", "moody"]], "A moody photo of a cat"),
        ("params", "sd1", [["params.safetensors", "params"], ["learned.safetensors", "<fox>"]], "params and <fox>"),
        ("pair", "xl", [["pair.safetensors", "pair"]], "A photo of a pair, at night"),
    ]
    expected, abouts = {}, []
    for seed, (name, model, taught, prompt) in enumerate(cases, 90):
        if model == "sd1":
            pipe = diffusers.StableDiffusionPipeline.from_pretrained(pipelines / "sd1", safety_checker=None, requires_safety_checker=False, **load)
            for file, word in taught:
                pipe.load_textual_inversion(str(out), weight_name=file, token=word)
        else:
            pipe = diffusers.StableDiffusionXLPipeline.from_pretrained(pipelines / "xl", add_watermarker=False, **load)
            pipe.load_textual_inversion(pair["clip_l"], token="pair", text_encoder=pipe.text_encoder, tokenizer=pipe.tokenizer)
            pipe.load_textual_inversion(pair["clip_g"], token="pair", text_encoder=pipe.text_encoder_2, tokenizer=pipe.tokenizer_2)
        cls, more = mp.SAMPLERS["euler"]
        pipe.scheduler = cls.from_config(pipe.scheduler.config, **more)
        pipe.set_progress_bar_config(disable=True)
        arguments = dict(words, prompt=prompt, num_inference_steps=3, guidance_scale=2.0, width=16, height=16)
        picture = pipe(**arguments, generator=torch.Generator().manual_seed(seed), output_type="np").images[0]
        expected[name] = torch.from_numpy(np.ascontiguousarray(picture.astype(np.float32)))
        abouts.append(dict(arguments, name=name, model=model, sampler="euler", seed=seed, words=taught))
    save_file(expected, out / "expected.safetensors")
    (out / "embedding.json").write_text("[\n" + ",\n".join(json.dumps(a, sort_keys=True) for a in abouts) + "\n]\n")
    for path in out.rglob("*"):
        path.chmod(0o644)
    for name, value in expected.items():
        print(name, f"{float(value.min()):.3f} {float(value.max()):.3f} {float(value.std()):.3f}")


if __name__ == "__main__":
    main()
