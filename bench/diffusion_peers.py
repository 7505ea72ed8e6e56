"""Painting at the real shapes of Stable Diffusion, inkstone beside its peers, in one run.

Usage: diffusion_peers.py FOLDER [INKSTONE] [--work sd15,sdxl] [--peers torch,openvino,sdcpp]
                          [--rounds N] [--steps N] [--patience N] [--tiny]
                          [--install] [--prepare] [--only SYSTEM] [--show]

FOLDER receives models of the real shapes with random weights (F16, diffusers' layout, about 2 GB
for SD 1.5 and 7 GB for SDXL), which run at the speed of real ones; all systems open the same
weights, OpenVINO and stable-diffusion.cpp in files of their own that are made of them. The systems
take turns, each in a process of its own with 2 threads: the machine's limit (inkstone bench
--roofline), inkstone, PyTorch in bf16 with channels last, OpenVINO in bf16, stable-diffusion.cpp.
Printed are medians over the rounds, ratios first, with our commit, the date and the machine. For
SD 1.5 a tiny autoencoder of TAESD's shape decodes as well (--tiny: nothing else). A system that
fails or takes more than --patience seconds stands in the table with what it said.

Every turn is noted in FOLDER/WORK/turns.jsonl. Where the machine cannot be kept quiet for as long
as all of them take, --prepare makes the files, --only SYSTEM (inkstone, torch, ...) takes one turn,
and --show prints what the turns noted so far come to; without these everything is done anew.

Needs torch and diffusers; openvino and stable-diffusion-cpp-python where they are to be compared
(--install asks pip for what is missing). One guided step is a pass of a batch of two.
"""

import argparse
import datetime
import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
THREADS = 2
SIDES = {"sd15": 512, "sdxl": 1024}
TINY = ["sd15"]  # decoded by a tiny autoencoder as well
TAESD = "taesd"  # its folder, and its name in the table
COLUMNS = ("step", "decode", TAESD)
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


def make_taesd(path):
    """A tiny autoencoder of TAESD's shape with random weights, beside the pipeline; made once."""
    if os.path.exists(os.path.join(path, TAESD, "config.json")):
        return
    import torch
    from diffusers import AutoencoderTiny

    torch.manual_seed(2)
    AutoencoderTiny().half().save_pretrained(os.path.join(path, TAESD))


def make_files(folder, work, peers):
    """All that the systems open, so that no turn has to make it."""
    me = [sys.executable, os.path.abspath(__file__)]
    subprocess.run(me + ["--make", folder, work], check=True)
    path = os.path.join(folder, work)
    if work in TINY:
        subprocess.run(me + ["--taesd", path], check=True)
    if "openvino" in peers:
        subprocess.run(me + ["--convert", path, work], check=True)
    if "sdcpp" in peers:
        subprocess.run(me + ["--single", path, work], check=True)
    return path


# ---- the systems: each prints {"step": [s…], "decode": [s…], "taesd": [s…]} --------------------


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
    found = {}
    with torch.inference_mode():
        if steps:
            found["step"] = clock(
                lambda: unet(x, 500, as_kind(inputs[1]), added_cond_kwargs=added).sample, steps)
            found["decode"] = clock(lambda: vae.decode(x[:1]).sample, 2)
        if work in TINY:
            from diffusers import AutoencoderTiny

            tiny = AutoencoderTiny.from_pretrained(path, subfolder=TAESD, torch_dtype=kind)
            tiny = tiny.eval().to(memory_format=torch.channels_last)
            found[TAESD] = clock(lambda: tiny.decode(x[:1]).sample, 5)
    return found


def openvino_files(path, work):
    """The networks in OpenVINO's form (weights in F16), made once; each conversion is a process of
    its own, for it takes several times the weights' memory."""
    side = SIDES[work] // 8
    names = ["unet", "vae"] + [TAESD] * (work in TINY)
    files = [os.path.join(path, f"openvino-{name}-{side}.xml") for name in names]
    for name, file in zip(names, files):
        if not os.path.exists(file):
            subprocess.run([sys.executable, os.path.abspath(__file__), "--convert-part", path, work,
                            name, file], check=True)
    return files


def convert_part(path, work, name, file):
    import openvino
    import torch
    from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
    from openvino.frontend.pytorch import patch_model

    side = SIDES[work] // 8

    class Step(torch.nn.Module):
        def __init__(self):
            super().__init__()
            # Left in F16, so that a large one fits into memory; traced as if it were F32.
            self.unet = UNet2DConditionModel.from_pretrained(
                path, subfolder="unet", torch_dtype=torch.float16).eval()
            getattr(patch_model, "__make_16bit_traceable")(self.unet)

        def forward(self, x, context, *more):
            added = dict(zip(("text_embeds", "time_ids"), more)) or None
            return self.unet(x, 500, context, added_cond_kwargs=added, return_dict=False)[0]

    class Decode(torch.nn.Module):
        def __init__(self):
            super().__init__()
            kind = AutoencoderTiny if name == TAESD else AutoencoderKL
            self.vae = kind.from_pretrained(
                path, subfolder=name, torch_dtype=torch.float32).eval()

        def forward(self, x):
            return self.vae.decode(x, return_dict=False)[0]

    if name == "unet":
        inputs, extra = unet_inputs(context_width(path), work, side)
        example = tuple(torch.from_numpy(v) for v in list(inputs) + list(extra.values()))
        network = Step()
    else:
        example = (torch.zeros(1, 4, side, side),)
        network = Decode()
    with torch.no_grad():
        model = openvino.convert_model(
            network, example_input=example, input=[tuple(v.shape) for v in example])
    openvino.save_model(model, file)


def context_width(path):
    return json.load(open(os.path.join(path, "unet/config.json")))["cross_attention_dim"]


def worker_openvino(path, work, steps):
    import numpy
    import openvino

    core = openvino.Core()
    options = {"INFERENCE_PRECISION_HINT": "bf16", "INFERENCE_NUM_THREADS": THREADS,
               "PERFORMANCE_HINT": "LATENCY"}
    side = SIDES[work] // 8
    files = openvino_files(path, work)
    inputs, extra = unet_inputs(context_width(path), work, side)
    latents, found = numpy.zeros((1, 4, side, side), numpy.float32), {}
    if steps:
        unet = core.compile_model(files[0], "CPU", options)
        found["step"] = clock(lambda: unet(list(inputs) + list(extra.values())), steps)
        del unet
        vae = core.compile_model(files[1], "CPU", options)
        found["decode"] = clock(lambda: vae([latents]), 2)
        del vae
    if work in TINY:
        tiny = core.compile_model(files[2], "CPU", options)
        found[TAESD] = clock(lambda: tiny([latents]), 5)
    return found


def worker_sdcpp(path, work, steps):
    import stable_diffusion_cpp

    model = stable_diffusion_cpp.StableDiffusion(
        model_path=single_file(path, work), n_threads=THREADS, diffusion_flash_attn=True,
        diffusion_conv_direct=True, vae_conv_direct=True, verbose=True)
    side, marks = SIDES[work], []

    # It reports when sampling begins (step 0) and after every step; decoding ends with the call.
    def progress(step, n, seconds):
        marks.append((time.perf_counter(), step, n))

    model.generate_image(prompt="a cat", width=side, height=side, sample_steps=1, cfg_scale=7.5,
                         sample_method="euler", seed=1, progress_callback=progress)
    done = time.perf_counter()
    sampling = [mark for mark in marks if mark[2] == 1]
    (began, _, _), (ended, _, _) = sampling[-2:]
    return {"step": [ended - began], "decode": [done - ended]}


# ---- the original's layout -----------------------------------------------------------------------


def single_file(path, work):
    """The same tensors as one .safetensors file with the key names of the original, for systems
    that open no folders. The names are those that published checkpoints have."""
    target = os.path.join(path, "single.safetensors")
    if os.path.exists(target):
        return target
    from safetensors import safe_open
    from safetensors.torch import save_file

    def stored(part):
        for name in ("diffusion_pytorch_model.safetensors", "model.safetensors"):
            file = os.path.join(path, part, name)
            if os.path.exists(file):
                with safe_open(file, "pt") as opened:
                    yield from ((key, opened.get_tensor(key)) for key in opened.keys())

    config = json.load(open(os.path.join(path, "unet/config.json")))
    tensors = {}
    for key, value in stored("unet"):
        tensors["model.diffusion_model." + unet_key(key, config)] = value
    for key, value in stored("vae"):
        key = vae_key(key)
        if ".mid.attn_1." in key and value.dim() == 2:  # the original's are convolutions
            value = value[:, :, None, None]
        tensors["first_stage_model." + key] = value.contiguous()
    if work == "sd15":
        for key, value in stored("text_encoder"):
            tensors["cond_stage_model.transformer." + with_text_model(key)] = value
    else:
        for key, value in stored("text_encoder"):
            tensors["conditioner.embedders.0.transformer." + with_text_model(key)] = value
        tensors.update(openclip(stored("text_encoder_2"), "conditioner.embedders.1.model."))
    save_file(tensors, target + ".part")
    os.rename(target + ".part", target)
    return target


def with_text_model(key):
    return key if key.startswith("text_model.") else "text_model." + key


def unet_key(key, config):
    levels = len(config["block_out_channels"])
    layers = config["layers_per_block"]
    for own, theirs in (("conv_in.", "input_blocks.0.0."), ("conv_norm_out.", "out.0."),
                        ("conv_out.", "out.2."), ("time_embedding.linear_1.", "time_embed.0."),
                        ("time_embedding.linear_2.", "time_embed.2."),
                        ("add_embedding.linear_1.", "label_emb.0.0."),
                        ("add_embedding.linear_2.", "label_emb.0.2.")):
        if key.startswith(own):
            return theirs + key[len(own):]
    parts = key.split(".")
    inner = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1",
             "norm2": "out_layers.0", "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}
    rest = lambda n: ".".join(parts[n:])
    resnet = lambda n: ".".join([inner[parts[n]]] + parts[n + 1:])
    if parts[0] == "mid_block":
        at = int(parts[2])
        return (f"middle_block.{2 * at}.{resnet(3)}" if parts[1] == "resnets"
                else f"middle_block.1.{rest(3)}")
    level, kind, at = int(parts[1]), parts[2], int(parts[3])
    if parts[0] == "down_blocks":
        first = 1 + level * (layers + 1)
        if kind == "downsamplers":
            return f"input_blocks.{first + layers}.0.op.{rest(5)}"
        block = f"input_blocks.{first + at}"
    else:
        first = level * (layers + 1)
        if kind == "upsamplers":
            place = 2 if config["up_block_types"][level].startswith("Cross") else 1
            return f"output_blocks.{first + layers}.{place}.conv.{rest(5)}"
        block = f"output_blocks.{first + at}"
    return f"{block}.0.{resnet(4)}" if kind == "resnets" else f"{block}.1.{rest(4)}"


def vae_key(key, levels=4):
    parts = key.split(".")
    half = parts[0]
    if half not in ("encoder", "decoder"):
        return key  # quant_conv, post_quant_conv
    if parts[1] == "conv_norm_out":
        return f"{half}.norm_out.{parts[2]}"
    if parts[1] in ("down_blocks", "up_blocks"):
        way = parts[1].split("_")[0]
        level = int(parts[2]) if way == "down" else levels - 1 - int(parts[2])
        if parts[3] == "resnets":
            tail = ".".join(parts[5:]).replace("conv_shortcut", "nin_shortcut")
            return f"{half}.{way}.{level}.block.{parts[4]}.{tail}"
        return f"{half}.{way}.{level}.{way}sample.{'.'.join(parts[5:])}"
    if parts[1] == "mid_block":
        if parts[2] == "resnets":
            return f"{half}.mid.block_{int(parts[3]) + 1}.{'.'.join(parts[4:])}"
        names = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out": "proj_out"}
        return f"{half}.mid.attn_1.{names[parts[4]]}.{parts[-1]}"
    return key  # conv_in, conv_out


def openclip(stored, prefix):
    """transformers' names to OpenCLIP's, whose q, k and v are one matrix."""
    import torch

    inner = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "self_attn.out_proj": "attn.out_proj",
             "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}
    out, fused = {}, {}
    for key, value in stored:
        key = key.removeprefix("text_model.")
        if key == "text_projection.weight":
            out[prefix + "text_projection"] = value.t().contiguous()
        elif key == "embeddings.token_embedding.weight":
            out[prefix + "token_embedding.weight"] = value
        elif key == "embeddings.position_embedding.weight":
            out[prefix + "positional_embedding"] = value
        elif key.startswith("final_layer_norm."):
            out[prefix + "ln_final." + key.split(".")[-1]] = value
        elif key.startswith("encoder.layers."):
            _, _, layer, name = key.split(".", 3)
            name, ending = name.rsplit(".", 1)
            block = f"{prefix}transformer.resblocks.{layer}."
            if name in inner:
                out[f"{block}{inner[name]}.{ending}"] = value
            else:
                which = "qkv".index(name.split(".")[1][0])
                fused.setdefault(f"{block}attn.in_proj_{ending}", [None] * 3)[which] = value
    for key, values in fused.items():
        out[key] = torch.cat(values)
    return out


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
    def paint(steps, *more):
        done = subprocess.run(
            [program, "paint", "a cat", "--model", path, "--bf16", "--steps", str(steps), "--seed",
             "1", "--threads", str(THREADS), "-o", os.path.join(path, "out.png"), "--json", *more],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.decode(errors="replace").strip().splitlines()[-1:])
        return json.loads(done.stdout)["timing"]

    found = {}
    if steps:
        timing = paint(steps + 1)
        found = {"step": timing["step_seconds"][1:], "decode": [timing["decode_seconds"]],
                 "first": timing["step_seconds"][:1]}
    if work in TINY:
        tiny = os.path.join(path, TAESD)
        found[TAESD] = [paint(1, "--taesd", tiny, "--taesd-decode")["decode_seconds"]]
    return found


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
        os.write(write, json.dumps(dict(result, peak=peak * 1024 / 1e9)).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return json.loads(text) if text else {"failed": "the process was killed"}


def worker(name, path, work, steps, patience):
    done = subprocess.run(
        [sys.executable, os.path.abspath(__file__), "--worker", name, path, work, str(steps)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=patience)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode(errors="replace").strip().splitlines()[-1:])
    return json.loads(done.stdout.decode().splitlines()[-1])


def take_turn(name, program, path, work, steps, patience):
    """One system's turn, noted."""
    run = lambda: (run_inkstone(program, path, work, steps) if name == "inkstone"
                   else worker(name, path, work, steps, patience))
    result = measured(run)
    print(f"  {work} {name}: {json.dumps(result)}", file=sys.stderr)
    with open(notes_of(path), "a") as notes:
        notes.write(json.dumps(dict(result, system=name, about=about(name))) + "\n")


def about(name):
    """What was measured, and when."""
    if name == "inkstone":
        git = lambda *words: subprocess.run(
            ["git", "-C", HERE, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True).stdout.strip()
        version = git("rev-parse", "--short", "HEAD") or "unknown"
        if git("status", "--porcelain", "--untracked-files=no"):
            version += " and changes"
    else:
        version = importlib.metadata.version(PACKAGES[name])
    now = datetime.datetime.now(datetime.timezone.utc)
    return {"version": version, "at": now.strftime("%Y-%m-%d %H:%M UTC")}


def machine():
    model = platform.processor()
    with open("/proc/cpuinfo") as info:
        for line in info:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{THREADS} of {os.cpu_count()} cores of {model}, Linux {platform.release()}"


def notes_of(path):
    return os.path.join(path, "turns.jsonl")


def noted(path, systems):
    """What the turns so far come to: medians, system by system."""
    results = {name: {} for name in systems}
    with open(notes_of(path)) as notes:
        for turn in map(json.loads, notes):
            r = results.setdefault(turn["system"], {})
            r.setdefault("about", []).append(turn.get("about", {}))
            if "failed" in turn:
                r["failed"] = turn["failed"]
                continue
            for key in (*COLUMNS, "first", "peak"):
                found = turn.get(key, [])
                r.setdefault(key, []).extend(found if isinstance(found, list) else [found])
    return {name: summary(r) for name, r in results.items()}


def summary(r):
    """Medians, each with the number of measurements behind it."""
    if not any(r.get(key) for key in COLUMNS):
        return {"failed": r.get("failed", "no turn yet")}
    found = {key: (statistics.median(values), len(values))
             for key, values in r.items() if key not in ("about", "failed") and values}
    return dict(found, about=r["about"])


def limit(program):
    done = subprocess.run([program, "bench", "--roofline", "--json"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL)
    rows = [row for row in json.loads(done.stdout)["rows"] if row["work"] == "limit"]
    return ", ".join(f"{row['kind']} {row['rate']:.0f} {row['more']}" for row in rows)


def show(work, results):
    ours, side = results["inkstone"], SIDES[work]
    columns = [key for key in COLUMNS if key != TAESD or work in TINY]
    seconds = " ".join(f"{key + ' s':>9}" for key in columns)
    print(f"\n{work}, {side}x{side}: the peer's median over ours, then medians in seconds and GB")
    print(f"{'':10} {' '.join(f'{key:>7}' for key in columns)} | {seconds} {'peak GB':>8} "
          "| of how many; version; last measured")
    for name, r in results.items():
        if "failed" in r:
            print(f"{name:10} failed: {r['failed']}")
            continue
        ratios = [f"{r[key][0] / ours[key][0]:7.2f}" if key in r and key in ours else f"{'-':>7}"
                  for key in columns]
        values = [f"{r[key][0]:9.2f}" if key in r else f"{'-':>9}" for key in columns]
        counts = "/".join(str(r[key][1]) if key in r else "-" for key in columns)
        last = r["about"][-1]
        print(f"{name:10} {' '.join(ratios)} | {' '.join(values)} {r['peak'][0]:8.2f} "
              f"| {counts}; {last.get('version', '?')}; {last.get('at', '?')}")
    if "first" in ours:
        print(f"inkstone's first step, which prepares the weights: {ours['first'][0]:.2f} s")
    print(machine())


# What a process of this script does for another of its own.
PARTS = {
    "--worker": lambda name, *rest: print(json.dumps(WORKERS[name](*rest[:2], int(rest[2])))),
    "--make": make_model,
    "--taesd": make_taesd,
    "--convert": openvino_files,
    "--convert-part": convert_part,
    "--single": single_file,
}


def main():
    if sys.argv[1:2] and sys.argv[1] in PARTS:
        PARTS[sys.argv[1]](*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("inkstone", nargs="?", default="build/inkstone")
    parser.add_argument("--work", default="sd15")
    parser.add_argument("--peers", default="torch,openvino,sdcpp")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, help="of each turn (3; SDXL 2)")
    parser.add_argument("--tiny", action="store_true", help="the tiny autoencoder alone")
    parser.add_argument("--patience", type=int, default=1800, help="seconds that a peer may take")
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--prepare", action="store_true", help="make the files and stop")
    parser.add_argument("--only", help="one turn of this system")
    parser.add_argument("--show", action="store_true", help="what the turns so far come to")
    options = parser.parse_args()
    peers = [p for p in options.peers.split(",") if p]
    works = options.work.split(",")
    unknown = [w for w in works if w not in SIDES] + [p for p in peers if p not in WORKERS]
    if options.only and options.only != "inkstone" and options.only not in WORKERS:
        unknown.append(options.only)
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}")
    folder = os.path.abspath(options.folder)
    if options.show:
        for work in works:
            show(work, noted(os.path.join(folder, work), ["inkstone"]))
        return
    for peer in list(peers):
        if importlib.util.find_spec(MODULES[peer]):
            continue
        if options.install:
            subprocess.run([sys.executable, "-m", "pip", "install", PACKAGES[peer]], check=True)
        else:
            print(f"{peer} is not installed ({PACKAGES[peer]}; --install): left out", file=sys.stderr)
            peers.remove(peer)
    program = shutil.which(options.inkstone) or options.inkstone
    os.makedirs(folder, exist_ok=True)
    if not options.prepare:
        print(f"limit: {limit(program)}", flush=True)
    for work in works:
        steps = 0 if options.tiny else options.steps or (3 if work == "sd15" else 2)
        if options.only:
            take_turn(options.only, program, os.path.join(folder, work), work, steps,
                      options.patience)
            continue
        path = make_files(folder, work, peers)
        if options.prepare:
            continue
        open(notes_of(path), "w").close()
        for turn in range(options.rounds):
            for name in ["inkstone"] + peers:
                if name != "sdcpp" or turn == 0:  # a minute a step: once is enough
                    take_turn(name, program, path, work, steps, options.patience)
        show(work, noted(path, ["inkstone"] + peers))


if __name__ == "__main__":
    main()
