"""Painting at the real shapes of Stable Diffusion, inkstone beside its peers, in one run.

Usage: diffusion_peers.py FOLDER [INKSTONE] [--work sd15,sdxl] [--peers torch,openvino,sdcpp]
                          [--rounds N] [--install]

FOLDER receives models of the real shapes with random weights (F16, diffusers' layout, about 2 GB
for SD 1.5 and 7 GB for SDXL), which run at the speed of real ones; all systems open the same
files. The systems take turns, each in a process of its own with 2 threads: the machine's limit
(inkstone bench --roofline), inkstone, PyTorch in bf16 with channels last, OpenVINO in bf16,
stable-diffusion.cpp. Printed are medians over the rounds, and ratios first.

Needs torch and diffusers; openvino and stable-diffusion-cpp-python where they are to be compared
(--install asks pip for what is missing). One guided step is a pass of a batch of two.
"""

import argparse
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
THREADS = 2
SIDES = {"sd15": 512, "sdxl": 1024}
PACKAGES = {"torch": "torch", "openvino": "openvino", "sdcpp": "stable-diffusion-cpp-python"}
MODULES = {"torch": "torch", "openvino": "openvino", "sdcpp": "stable_diffusion_cpp"}

XL_UNET = {
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
    "sample_size": 128,
}


# ---- models ------------------------------------------------------------------------------------


def make_model(folder, work):
    """A pipeline of the real shape with random weights, in F16; made once."""
    path = os.path.join(folder, work)
    if os.path.exists(os.path.join(path, "model_index.json")):
        return path
    import torch
    from diffusers import (
        AutoencoderKL,
        DDIMScheduler,
        StableDiffusionPipeline,
        StableDiffusionXLPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    torch.manual_seed(1)
    torch.set_default_dtype(torch.float16)
    tokenizer = CLIPTokenizer.from_pretrained(
        os.path.join(HERE, "../tests/fixtures/pipelines/sd1/tokenizer")
    )
    tokenizer.model_max_length = 77
    vae = AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        sample_size=SIDES[work],
    )
    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
        set_alpha_to_one=False, steps_offset=1)
    large = CLIPTextModel(CLIPTextConfig(
        vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12,
        num_attention_heads=12, projection_dim=768))
    common = dict(vae=vae, text_encoder=large, tokenizer=tokenizer, scheduler=scheduler)
    if work == "sd15":
        unet = UNet2DConditionModel(
            sample_size=64, cross_attention_dim=768, attention_head_dim=8,
            block_out_channels=(320, 640, 1280, 1280), layers_per_block=2)
        pipeline = StableDiffusionPipeline(
            unet=unet, safety_checker=None, feature_extractor=None,
            requires_safety_checker=False, **common)
    else:
        big = CLIPTextModelWithProjection(CLIPTextConfig(
            vocab_size=49408, hidden_size=1280, intermediate_size=5120, num_hidden_layers=32,
            num_attention_heads=20, projection_dim=1280, hidden_act="gelu"))
        pipeline = StableDiffusionXLPipeline(
            unet=UNet2DConditionModel(**XL_UNET), text_encoder_2=big, tokenizer_2=tokenizer, **common)
    pipeline.save_pretrained(path + ".part")
    os.rename(path + ".part", path)
    return path


# ---- the systems: each prints {"step": [s…], "decode": [s…]} -----------------------------------


def worker_torch(path, work, steps):
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel

    torch.set_num_threads(THREADS)
    kind = torch.bfloat16
    unet = UNet2DConditionModel.from_pretrained(path, subfolder="unet", torch_dtype=kind)
    unet = unet.eval().to(memory_format=torch.channels_last)
    vae = AutoencoderKL.from_pretrained(path, subfolder="vae", torch_dtype=kind)
    vae = vae.eval().to(memory_format=torch.channels_last)
    side = SIDES[work] // 8
    inputs, extra = unet_inputs(unet.config.cross_attention_dim, work, side)
    as_kind = lambda x: torch.from_numpy(x).to(kind)
    x = as_kind(inputs[0]).contiguous(memory_format=torch.channels_last)
    added = {k: as_kind(v) for k, v in extra.items()} or None
    with torch.inference_mode():
        step = clock(
            lambda: unet(x, 500, as_kind(inputs[1]), added_cond_kwargs=added).sample, steps)
        decode = clock(lambda: vae.decode(x[:1]).sample, 2)
    return {"step": step, "decode": decode}


def worker_openvino(path, work, steps):
    import numpy
    import openvino
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel

    core = openvino.Core()
    options = {"INFERENCE_PRECISION_HINT": "bf16", "INFERENCE_NUM_THREADS": THREADS,
               "PERFORMANCE_HINT": "LATENCY"}
    side = SIDES[work] // 8

    def converted(name, make):
        file = os.path.join(path, f"openvino-{name}.xml")
        if not os.path.exists(file):
            openvino.save_model(make(), file)
        return core.compile_model(file, "CPU", options)

    def convert_unet():
        unet = UNet2DConditionModel.from_pretrained(path, subfolder="unet", torch_dtype=torch.float32)
        inputs, extra = unet_inputs(unet.config.cross_attention_dim, work, side)

        class Step(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.unet = unet.eval()

            def forward(self, x, context, *more):
                added = dict(zip(("text_embeds", "time_ids"), more)) or None
                return self.unet(x, 500, context, added_cond_kwargs=added, return_dict=False)[0]

        example = tuple(torch.from_numpy(v) for v in list(inputs) + list(extra.values()))
        with torch.no_grad():
            return openvino.convert_model(
                Step(), example_input=example, input=[tuple(v.shape) for v in example])

    def convert_vae():
        vae = AutoencoderKL.from_pretrained(path, subfolder="vae", torch_dtype=torch.float32).eval()

        class Decode(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.vae = vae

            def forward(self, x):
                return self.vae.decode(x, return_dict=False)[0]

        x = torch.zeros(1, 4, side, side)
        with torch.no_grad():
            return openvino.convert_model(Decode(), example_input=x, input=[tuple(x.shape)])

    width = json.load(open(os.path.join(path, "unet/config.json")))["cross_attention_dim"]
    inputs, extra = unet_inputs(width, work, side)
    unet = converted(f"unet-{side}", convert_unet)
    step = clock(lambda: unet(list(inputs) + list(extra.values())), steps)
    del unet
    vae = converted(f"vae-{side}", convert_vae)
    decode = clock(lambda: vae([numpy.zeros((1, 4, side, side), numpy.float32)]), 2)
    return {"step": step, "decode": decode}


def worker_sdcpp(path, work, steps):
    import stable_diffusion_cpp

    model = stable_diffusion_cpp.StableDiffusion(
        model_path=path, n_threads=THREADS, diffusion_flash_attn=True, diffusion_conv_direct=True,
        vae_conv_direct=True, verbose=False)
    side = SIDES[work]

    def paint(n):
        began = time.perf_counter()
        model.generate_image(prompt="a cat", width=side, height=side, sample_steps=n, cfg_scale=7.5,
                             sample_method="euler", seed=1)
        return time.perf_counter() - began

    # One step and two: the difference is a step; what is left of the first is text and decoding.
    one, two = paint(1), paint(2)
    return {"step": [two - one], "decode": [2 * one - two]}


WORKERS = {"torch": worker_torch, "openvino": worker_openvino, "sdcpp": worker_sdcpp}


def unet_inputs(width, work, side):
    import numpy

    random = numpy.random.default_rng(1)
    normal = lambda *shape: random.standard_normal(shape, dtype=numpy.float32)
    extra = {}
    if work == "sdxl":
        extra = {"text_embeds": normal(2, 1280),
                 "time_ids": numpy.array([[1024, 1024, 0, 0, 1024, 1024]] * 2, numpy.float32)}
    return (normal(2, 4, side, side), normal(2, 77, width)), extra


def clock(run, times):
    run()  # warms up
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began)
    return taken


def run_inkstone(program, path, work, steps):
    out = os.path.join(path, "out.png")
    done = subprocess.run(
        [program, "paint", "a cat", "--model", path, "--bf16", "--steps", str(steps + 1), "--seed",
         "1", "--threads", str(THREADS), "-o", out, "--json"],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    timing = json.loads(done.stdout)["timing"]
    return {"step": timing["step_seconds"][1:], "decode": [timing["decode_seconds"]]}


# ---- turns -------------------------------------------------------------------------------------


def measured(call):
    """Result of a child process, with the most memory it held, in GB."""
    import resource

    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        try:
            result = call()
        except BaseException as problem:  # what failed is part of the table
            result = {"failed": f"{type(problem).__name__}: {problem}"[:300]}
        peak = max(resource.getrusage(who).ru_maxrss
                   for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        os.write(write, json.dumps(dict(result, peak=peak / 1e6)).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return json.loads(text) if text else {"failed": "the process was killed"}


def worker(name, path, work, steps):
    done = subprocess.run(
        [sys.executable, os.path.abspath(__file__), "--worker", name, path, work, str(steps)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode(errors="replace").strip().splitlines()[-1:])
    return json.loads(done.stdout.decode().splitlines()[-1])


def compare(work, program, folder, peers, rounds):
    subprocess.run([sys.executable, os.path.abspath(__file__), "--make", folder, work], check=True)
    path = os.path.join(folder, work)
    systems = {"inkstone": lambda n: run_inkstone(program, path, work, n)}
    for peer in peers:
        systems[peer] = lambda n, peer=peer: worker(peer, path, work, n)
    results = {name: {"step": [], "decode": [], "peak": []} for name in systems}
    for turn in range(rounds):
        for name, run in systems.items():
            if name == "sdcpp" and turn > 0:
                continue  # a minute a step: once is enough
            result = measured(lambda: run(3 if work == "sd15" else 2))
            print(f"  {work} round {turn + 1} {name}: {json.dumps(result)}", file=sys.stderr)
            if "failed" in result:
                results[name]["failed"] = result["failed"]
                continue
            for key in ("step", "decode"):
                results[name][key] += result[key]
            results[name]["peak"].append(result["peak"])
    return {name: summary(r) for name, r in results.items()}


def summary(r):
    if not r["step"]:
        return {"failed": r.get("failed", "no result")}
    return {key: statistics.median(r[key]) for key in ("step", "decode", "peak")}


def limit(program):
    done = subprocess.run([program, "bench", "--roofline", "--json"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL)
    rows = [row for row in json.loads(done.stdout)["rows"] if row["work"] == "limit"]
    return ", ".join(f"{row['kind']} {row['rate']:.0f} {row['more']}" for row in rows)


def show(work, results):
    ours = results["inkstone"]
    side = SIDES[work]
    print(f"\n{work}, {side}x{side}: peer's time over ours, then seconds and GB")
    print(f"{'':22} {'step':>7} {'decode':>7} | {'step s':>8} {'decode s':>8} {'peak GB':>8}")
    for name, r in results.items():
        if "failed" in r:
            print(f"{name:22} failed: {r['failed']}")
            continue
        print(f"{name:22} {r['step'] / ours['step']:7.2f} {r['decode'] / ours['decode']:7.2f} | "
              f"{r['step']:8.2f} {r['decode']:8.2f} {r['peak']:8.2f}")


def main():
    if sys.argv[1:2] == ["--worker"]:
        name, path, work, steps = sys.argv[2:6]
        print(json.dumps(WORKERS[name](path, work, int(steps))))
        return
    if sys.argv[1:2] == ["--make"]:
        make_model(sys.argv[2], sys.argv[3])
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("inkstone", nargs="?", default="build/inkstone")
    parser.add_argument("--work", default="sd15")
    parser.add_argument("--peers", default="torch,openvino,sdcpp")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--install", action="store_true")
    options = parser.parse_args()
    peers = [p for p in options.peers.split(",") if p]
    unknown = [w for w in options.work.split(",") if w not in SIDES] + [
        p for p in peers if p not in WORKERS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}")
    for peer in list(peers):
        if importlib.util.find_spec(MODULES[peer]):
            continue
        if options.install:
            subprocess.run([sys.executable, "-m", "pip", "install", PACKAGES[peer]], check=True)
        else:
            print(f"{peer} is not installed ({PACKAGES[peer]}; --install): left out", file=sys.stderr)
            peers.remove(peer)
    program = shutil.which(options.inkstone) or options.inkstone
    os.makedirs(options.folder, exist_ok=True)
    print(f"limit: {limit(program)}")
    for work in options.work.split(","):
        show(work, compare(work, program, os.path.abspath(options.folder), peers, options.rounds))


if __name__ == "__main__":
    main()
