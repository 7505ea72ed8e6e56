"""Trains the painter on one GPU, from scenes that `inkstone train data scenes` lays out (docs/training.md). How the painter
that ships was made, on one H200 (README.md):

    inkstone train data pictures --from SOURCES --out pictures
    inkstone train data scenes --from pictures --recipe recipe.yaml -n 400000 -o scenes
    inkstone train data scenes --from pictures --recipe recipe.yaml -n 2048 --held-out -o held-out
    python train_gpu.py autoencoder --recipe recipe-autoencoder.yaml --scenes scenes --held-out held-out \\
        --out run/vae --batch 64 --seconds 160
    python train_gpu.py studies --autoencoder run/vae --scenes scenes --held-out held-out --out run
    python train_gpu.py painter --recipe recipe.yaml --studies run --autoencoder run/vae \\
        --tokenizer pictures/tokenizer --out run/painter --batch 1024 --seconds 418

It takes the networks, the losses and the noise from the recipes of the C trainer, which can go on from what it leaves
(init: {from: run/painter}), and writes diffusers' folders. The rate falls to nothing at the end of the time given, whatever
the machine; the time begins with the process, and about the first minute goes into compiling. On an H200 a step of the
painter takes 70 ms of the processor, not of the GPU, with 512 pictures as with 1,024: large batches are nearly free.
Needs torch, diffusers, transformers, safetensors, pyyaml, and GPU memory for the scenes (20 GB).
"""

import argparse
import copy
import csv
import json
import math
import pathlib
import shutil
import time

import diffusers
import torch
import torch.nn.functional as F
import yaml
from diffusers import AutoencoderTiny, DDIMScheduler, UNet2DConditionModel
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel

BEGAN = time.monotonic()
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
# One thing, a colour, two, two to four, a style: how often each kind is shown. Small and odd things need more than their
# share of the scenes (docs/painter-data.md).
KINDS = [0.30, 0.19, 0.25, 0.13, 0.13]
PARTS = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": diffusers.__version__,
    "feature_extractor": [None, None],
    "image_encoder": [None, None],
    "requires_safety_checker": False,
    "safety_checker": [None, None],
    "scheduler": ["diffusers", "DDIMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderTiny"],
}
WARM_UP, STEADY = 300, 0.35  # steps; share of the time at the full rate


# ---- updates ---------------------------------------------------------------------------------------------------------


def orthogonal(x):
    """Newton-Schulz with Jordan's coefficients: (n, rows, columns), rows <= columns, to singular values near 1."""
    x = x.bfloat16()
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        a = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(a, a, a, beta=-4.7750, alpha=2.0315), x, beta=3.4445)
    return x.float()


def as_matrix(weight):
    """(out, in, k, k) as (out, k k in), a view where channels are last; the order of columns is nothing to Muon."""
    return weight.permute(0, 2, 3, 1).reshape(weight.shape[0], -1) if weight.ndim == 4 else weight


class Updates:
    """Muon for matrices and convolutions inside the blocks, AdamW for the rest, and averages of all weights.

    Layers to or from fewer than 16 channels and embeddings are no matrices in Muon's sense, as in the C trainer.
    """

    def __init__(self, named, options, average):
        named = [(name, p) for name, p in named if p.requires_grad]
        inside = [p for name, p in named if p.ndim >= 2 and min(p.shape[:2]) >= 16 and "embeddings." not in name]
        taken = set(map(id, inside))
        outside = [p for _, p in named if id(p) not in taken]
        self.all = [p for _, p in named]
        self.options, self.average = options, average
        self.averages = [p.detach().clone() for p in self.all]
        self.adam = torch.optim.AdamW(outside, lr=options["adam_rate"], betas=(0.9, 0.95),
                                      weight_decay=options.get("adam_decay", 0), fused=DEVICE == "cuda")
        shapes = {}
        for p in inside:
            shapes.setdefault((p.shape[0], p[0].numel()), []).append(p)
        self.groups = [(ps, torch.zeros(len(ps), *shape, device=DEVICE)) for shape, ps in shapes.items()]
        self.steps = 0

    @torch.no_grad()
    def step(self, scale):
        self.steps += 1
        torch.nn.utils.clip_grad_norm_(self.all, self.options["clip"], foreach=True)
        for group in self.adam.param_groups:
            group["lr"] = scale * self.options["adam_rate"]
        self.adam.step()
        rate = scale * self.options["muon_rate"]
        for ps, momentum in self.groups:
            _, rows, columns = momentum.shape
            gradient = torch.stack([as_matrix(p.grad) for p in ps])
            momentum.lerp_(gradient, 0.05)
            x = gradient.lerp_(momentum, 0.95)
            x = orthogonal(x.mT).mT if rows > columns else orthogonal(x)
            x = x.contiguous() * (-rate * max(1, rows / columns) ** 0.5)
            weights = [as_matrix(p) for p in ps]
            torch._foreach_mul_(weights, 1 - rate * self.options["muon_decay"])
            torch._foreach_add_(weights, list(x.unbind()))
        for p in self.all:
            p.grad = None
        torch._foreach_lerp_(self.averages, self.all, 1 - min(self.average, (1 + self.steps) / (10 + self.steps)))

    def swap(self):
        """Exchange weights and averages."""
        with torch.no_grad():
            for p, a in zip(self.all, self.averages):
                kept = p.detach().clone()
                p.copy_(a)
                a.copy_(kept)


def run(updates, loss, batches, args, look):
    """Update until the time is over; look(step, over) at held-out scenes with the averages in place, at the end too."""
    history, pictures, began, looked, running = [], 0, None, time.monotonic(), None
    while True:
        value = loss(*next(batches))
        value.backward()
        if began is None:  # what was compiled is not counted
            if DEVICE == "cuda":
                torch.cuda.synchronize()
            began = looked = time.monotonic()
            print(f"begins after {began - BEGAN:.0f} s", flush=True)
        end = BEGAN + args.seconds
        part = (time.monotonic() - began) / max(1e-6, end - began)
        updates.step(max(0, min(1, (1 + updates.steps) / WARM_UP, (1 - part) / (1 - STEADY))))
        pictures += args.batch
        running = value.detach() if running is None else running.lerp(value.detach(), 0.02)
        over = time.monotonic() >= end or updates.steps == args.steps
        if updates.steps % 50 == 0:
            history.append([updates.steps, pictures, round(running.item(), 5), ""])
        if over or time.monotonic() - looked > args.look:
            looked = time.monotonic()
            updates.swap()
            held_out = look(updates.steps, over)
            updates.swap()
            history.append([updates.steps, pictures, round(running.item(), 5), round(held_out, 5)])
            print(f"step {updates.steps}  {pictures} pictures  {time.monotonic() - began:.0f} s  "
                  f"{pictures / (looked - began + 1e-9):.0f}/s  loss {running.item():.4f}  held out {held_out:.4f}", flush=True)
        if over:
            with open(pathlib.Path(args.out).parent / f"{args.task}-history.csv", "w", newline="") as file:
                csv.writer(file).writerows([["step", "pictures", "loss", "held_out"], *history])
            return


def compiled(function):
    return torch.compile(function, dynamic=False) if DEVICE == "cuda" else function


def half(device=DEVICE):
    return torch.autocast(device, dtype=torch.bfloat16)


def save(module, folder):
    """Write a part of a diffusers folder in 16 bits; it appears whole."""
    folder = pathlib.Path(folder)
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    copy.deepcopy(module).to(memory_format=torch.contiguous_format).half().save_pretrained(fresh)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


# ---- autoencoder -----------------------------------------------------------------------------------------------------


def open_scenes(path):
    """Pictures U8 (n, side, side, 3) on the device."""
    with safe_open(path, "pt") as file:
        part = file.get_slice("pictures")
        n = part.get_shape()[0]
        out = torch.empty(part.get_shape(), dtype=torch.uint8, device=DEVICE)
        for i in range(0, n, 8192):
            out[i : i + 8192] = part[i : i + 8192].to(DEVICE)
    return out


def values(pictures):
    """Bytes (n, h, w, 3) to (n, 3, h, w) in [-1, 1]."""
    return (pictures.permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def huber(a, b, delta):
    return F.huber_loss(a, b, delta=delta) / delta


def train_autoencoder(args):
    recipe = yaml.safe_load(open(args.recipe))
    weight = recipe["loss"]
    vae = AutoencoderTiny(**recipe["model"], act_fn="relu", latent_magnitude=3, scaling_factor=1.0)
    vae = vae.to(DEVICE, memory_format=torch.channels_last)
    scenes, held_out = open_scenes(args.scenes), open_scenes(args.held_out)[:512]

    def pass_(pictures, sigma):
        with half():
            x = values(pictures)
            z = vae.encoder(x).float()
            noisy = z + sigma * z.detach().std() * torch.randn_like(z)
            y = vae.decoder(noisy).float()
        off = y - x
        loss = weight["pixels"] * huber(y, x, weight["delta"])
        for name, size in ("half", 2), ("quarter", 4):
            loss = loss + weight[name] * huber(F.avg_pool2d(y, size), F.avg_pool2d(x, size), weight["delta"])
        for dimension in 2, 3:
            loss = loss + weight["edges"] / 2 * off.diff(dim=dimension).square().mean()
        return loss + weight["latents"] * z.square().mean()

    def batches():
        """In turns no noise in the latents, up to the recipe's, twice and three times that, in deviations of theirs."""
        n = args.batch
        most = torch.arange(n, device=DEVICE) % 4 * weight["noise"]
        while True:
            at = torch.randint(len(scenes), (n,), device=DEVICE)
            yield scenes[at], (most * torch.rand(n, device=DEVICE)).view(n, 1, 1, 1)

    @torch.no_grad()
    def look(step, over):
        squares = deviation = 0
        for part in held_out.split(64):
            x = values(part)
            z = vae.encoder(x)
            squares += (vae.decoder(z).clamp(-1, 1) - x).square().mean().item() / 4 * len(part)
            deviation += z.std().item() * len(part)
        vae.register_to_config(scaling_factor=len(held_out) / deviation)
        save(vae, args.out)
        return -10 * math.log10(squares / len(held_out))

    updates = Updates(vae.named_parameters(), recipe["optimizer"], recipe["run"]["average"])
    run(updates, compiled(pass_), batches(), args, look)


# ---- studies ---------------------------------------------------------------------------------------------------------


@torch.no_grad()
def make_studies(args):
    """Latents, scaled, and captions of all scenes: what the painter learns from."""
    vae = AutoencoderTiny.from_pretrained(args.autoencoder).to(DEVICE, memory_format=torch.channels_last)

    def encode(pictures):
        with half():
            return vae.encoder(values(pictures))

    encode = compiled(encode)
    for name, path in ("held-out", args.held_out), ("scenes", args.scenes):
        pictures, size = open_scenes(path), args.batch
        n = len(pictures)
        latents = torch.empty(n, vae.config.latent_channels, *(side // 8 for side in pictures.shape[1:3]), dtype=torch.half)
        for i in range(0, n, size):
            part = pictures[i : i + size]
            if len(part) < size:  # one shape for the compiler
                part = torch.cat([part, part.new_zeros(size - len(part), *part.shape[1:])])
            latents[i : i + size] = (encode(part)[: n - i].float() * vae.config.scaling_factor).half().cpu()
        with safe_open(path, "pt") as file:
            rest = {key: file.get_tensor(key) for key in ("captions", "counts", "kinds")}
        rest["captions"] = rest["captions"].short()
        save_file({"latents": latents, **rest}, pathlib.Path(args.out) / f"studies-{name}.safetensors")
        print(f"{name}: {n} scenes, deviation {latents[:4096].float().std():.3f}", flush=True)


# ---- painter ---------------------------------------------------------------------------------------------------------


def silence(*networks):
    """Every block begins as if it were not there, and the network by predicting nothing."""
    names = ("conv_out.weight", "conv2.weight", "proj_out.weight", "self_attn.out_proj.weight", "mlp.fc2.weight")
    for network in networks:
        for name, p in network.named_parameters():
            if name.endswith(names):
                torch.nn.init.zeros_(p)


def train_painter(args):
    recipe = yaml.safe_load(open(args.recipe))
    drop, gamma = recipe["loss"]["drop"], recipe["loss"]["gamma"]
    tokens = json.loads((pathlib.Path(args.tokenizer) / "vocab.json").read_text())
    first, last = tokens["<|startoftext|>"], tokens["<|endoftext|>"]
    text = CLIPTextModel(CLIPTextConfig(**recipe["text_encoder"], max_position_embeddings=32, hidden_act="quick_gelu",
                                        bos_token_id=first, eos_token_id=last, pad_token_id=last))
    unet = UNet2DConditionModel(**recipe["unet"], use_linear_projection=True)
    silence(unet, text)
    text, unet = text.to(DEVICE), unet.to(DEVICE, memory_format=torch.channels_last)
    scheduler = DDIMScheduler(num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="squaredcos_cap_v2",
                              clip_sample=False, steps_offset=1, prediction_type="v_prediction",
                              timestep_spacing="trailing", rescale_betas_zero_snr=True)
    alphas = scheduler.alphas_cumprod.double()
    snr_and_one = 1 / (1 - alphas).clamp(min=1e-12)
    until = (snr_and_one.clamp(max=gamma) / snr_and_one).cumsum(0)  # timesteps come as often as they weigh
    until, alphas = (until / until[-1]).float().to(DEVICE), alphas.float().to(DEVICE)
    scenes = {k: v.to(DEVICE) for k, v in load_file(pathlib.Path(args.studies) / "studies-scenes.safetensors").items()}
    exam = {k: v.to(DEVICE) for k, v in load_file(pathlib.Path(args.studies) / "studies-held-out.safetensors").items()}
    nothing = torch.full_like(scenes["captions"][0, 0], last)
    nothing[0] = first

    def errors(latent, ids, timestep, noise):
        """Squared errors of v, (n,)."""
        signal = alphas[timestep].view(-1, 1, 1, 1)
        rest, signal = (1 - signal).sqrt(), signal.sqrt()
        noisy = (signal * latent + rest * noise).contiguous(memory_format=torch.channels_last)
        with half():
            context = text(input_ids=ids).last_hidden_state
            v = unet(noisy, timestep, context, return_dict=False)[0].float()
        return (v - (signal * noise - rest * latent)).square().mean(dim=(1, 2, 3))

    errors = compiled(errors)

    def loss(*batch):
        return errors(*batch).mean()

    def captions(studies, at, which):
        return studies["captions"][at, which].long()

    def batches():
        n = args.batch
        often = torch.tensor(KINDS, device=DEVICE) / torch.bincount(scenes["kinds"], minlength=len(KINDS)).clamp(min=1)
        weights, evenly = often[scenes["kinds"].long()], torch.arange(n, device=DEVICE)
        while True:
            order = torch.multinomial(weights, n * 256, replacement=True)
            for at in order.split(n):
                which = (torch.rand(n, device=DEVICE) * scenes["counts"][at]).long()
                ids = torch.where(torch.rand(n, 1, device=DEVICE) < drop, nothing.long(), captions(scenes, at, which))
                latent = scenes["latents"][at].float()
                share = (evenly + torch.rand(n, device=DEVICE)) / n  # evenly within a batch
                timestep = torch.searchsorted(until, share).clamp(max=999)
                yield latent, ids, timestep, torch.randn_like(latent)

    n_exam = min(len(exam["counts"]), args.batch * 4) // args.batch * args.batch
    generator = torch.Generator().manual_seed(1)
    exam_noise = torch.randn(n_exam, *exam["latents"].shape[1:], generator=generator).to(DEVICE)
    exam_at = torch.arange(n_exam, device=DEVICE)

    def look(step, over):
        total = 0
        for at in exam_at.split(args.batch):
            timestep = (2 * at + 1) * 1000 // (2 * n_exam)
            ids = captions(exam, at, at % exam["counts"][at])
            # Not without gradients: another mode would be compiled anew.
            total += errors(exam["latents"][at].float(), ids, timestep, exam_noise[at]).detach().sum()
        write(over)
        return total.item() / n_exam

    def write(over):
        folder = pathlib.Path(args.out)
        folder.mkdir(parents=True, exist_ok=True)
        save(unet, folder / "unet")
        save(text, folder / "text_encoder")
        name = folder / "text_encoder" / "model.safetensors"  # the names that every transformers reads
        weights = {"text_model." + k.removeprefix("text_model."): v for k, v in load_file(name).items()}
        save_file(weights, name, metadata={"format": "pt"})
        if over:
            scheduler.save_pretrained(folder / "scheduler")
            shutil.copytree(args.autoencoder, folder / "vae", dirs_exist_ok=True)
            shutil.copytree(args.tokenizer, folder / "tokenizer", dirs_exist_ok=True)
            (folder / "model_index.json").write_text(json.dumps(PARTS, indent=2) + "\n")

    named = [*unet.named_parameters("unet"), *text.named_parameters("text_encoder")]
    # The recipe's rates are for batches of 64.
    rates = {"muon_rate": args.muon_rate, "adam_rate": args.adam_rate}
    updates = Updates(named, {**recipe["optimizer"], **rates}, recipe["run"]["average"])
    run(updates, loss, batches(), args, look)


# ---- all -------------------------------------------------------------------------------------------------------------


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("autoencoder", "studies", "painter"))
    for name in "recipe", "scenes", "held-out", "autoencoder", "studies", "tokenizer", "out":
        parser.add_argument(f"--{name}")
    parser.add_argument("--seconds", type=float, default=600, help="from the start of the process to the last update")
    parser.add_argument("--steps", type=int, default=0, help="end after so many updates (0: when the time is over)")
    parser.add_argument("--batch", type=int, default=512, help="scenes at once")
    parser.add_argument("--look", type=float, default=60, help="seconds between looks at held-out scenes")
    parser.add_argument("--muon-rate", type=float, default=0.02)
    parser.add_argument("--adam-rate", type=float, default=0.002)
    args = parser.parse_args()
    torch.manual_seed(1)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    pathlib.Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    {"autoencoder": train_autoencoder, "studies": make_studies, "painter": train_painter}[args.task](args)


if __name__ == "__main__":
    main()
