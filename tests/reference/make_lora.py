"""Plug-ins for the tiny Stable Diffusion of make_diffusion.py, made by PEFT, under the names of several trainers.

Usage: python make_lora.py [OUT]          (OUT defaults to ../fixtures/networks; make_diffusion.py comes first)

OUT/lora/<kind>.safetensors: peft (as diffusers saves it, UNet and text encoder), kohya (flat names, alpha, convolutions; half of
them under the UNet's single-file names), processor (diffusers' first form), dora, loha, lokr
OUT/lora/expected.safetensors: `output.<kind>` of unet-sd1 for its inputs 0 and `hidden.<kind>` of clip-l, with PEFT's merge
"""

import pathlib
import sys

import diffusers
import torch
import transformers
from peft import LoHaConfig, LoKrConfig, LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).parent
diffusers.utils.logging.set_verbosity_error()
transformers.utils.logging.set_verbosity_error()
torch.set_grad_enabled(False)

LINEAR = r".*attentions.0.*(to_q|to_v|to_out.0|ff.net.0.proj)"
CONVOLUTION = r".*(down_blocks.1.attentions.0.*(to_k|ff.net.2)|down_blocks.[01].resnets.0.conv1|mid_block.*conv2|conv_shortcut)"
TEXT = r".*(q_proj|fc1)"
KINDS = {
    "peft": (lambda **k: LoraConfig(r=3, lora_alpha=3, **k), LINEAR, TEXT),
    "kohya": (lambda **k: LoraConfig(r=4, lora_alpha=2, **k), CONVOLUTION, TEXT),
    "processor": (lambda **k: LoraConfig(r=2, lora_alpha=2, **k), r".*(to_k|to_out.0)", None),
    "dora": (lambda **k: LoraConfig(r=2, lora_alpha=2, use_dora=True, **k), CONVOLUTION, None),
    "loha": (lambda **k: LoHaConfig(r=2, alpha=1, use_effective_conv2d=True, **k), CONVOLUTION, TEXT),
    "lokr": (lambda **k: LoKrConfig(r=2, alpha=2, decompose_both=False, use_effective_conv2d=True, **k), CONVOLUTION, TEXT),
}


def single_file_names(out):
    """Names of unet-sd1's modules in single files."""
    rows = (line.split("\t") for line in (out / "single" / "sd1.txt").read_text().splitlines())
    return {
        source.rpartition(".")[0]: name.removeprefix("model.diffusion_model.").rpartition(".")[0]
        for name, folder, source, _ in rows
        if folder == "unet-sd1"
    }


def adapt(model, config, target, seed):
    """The model with a plug-in of random numbers: its state dict by module, and the merged model."""
    wrapped = get_peft_model(model, config(target_modules=target))
    g = torch.Generator().manual_seed(seed)
    for name, p in wrapped.named_parameters():
        if any(k in name for k in ("lora_A", "lora_B", "hada_", "lokr_")):
            p.copy_((0.4 * torch.randn(p.shape, generator=g)).half().float())
        if "lora_magnitude" in name:
            p.copy_((p * (1 + 0.2 * torch.rand(p.shape, generator=g))).half().float())
    state = {k.removeprefix("base_model.model."): v.clone() for k, v in get_peft_model_state_dict(wrapped).items()}
    return state, wrapped.merge_and_unload()


def split(key):
    """Module and what follows it."""
    for mark in (".lora_", ".hada_", ".lokr_"):
        at = key.find(mark)
        if at >= 0:
            return key[:at], key[at:]
    raise KeyError(key)


def rename(kind, part, state, single):
    out = {}
    for i, (key, value) in enumerate(sorted(state.items())):
        module, rest = split(key)
        if kind in ("peft", "dora"):
            prefix = "unet." if part == "unet" else "text_encoder.text_model."
            out[prefix + module + rest] = value
        elif kind == "processor":
            a, _, b = module.rpartition(".to_")
            b = b.removesuffix(".0")
            out[f"unet.{a}.processor.to_{b}_lora" + {".lora_A.weight": ".down.weight", ".lora_B.weight": ".up.weight"}[rest]] = value
        else:
            if part == "unet":
                flat = "lora_unet_" + (single[module] if sum(map(ord, module)) % 2 else module).replace(".", "_")
            else:
                flat = "lora_te_text_model_" + module.replace(".", "_")
            rest = rest.replace(".lora_A.", ".lora_down.").replace(".lora_B.", ".lora_up.")
            out[flat + rest] = value
            out[flat + ".alpha"] = torch.tensor({"kohya": 2.0, "loha": 1.0, "lokr": 2.0}[kind])
    return out


def main():
    out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parent / "fixtures" / "networks")
    folder = out / "lora"
    folder.mkdir(exist_ok=True)
    single = single_file_names(out)
    given = load_file(out / "unet-sd1" / "expected.safetensors")
    ids = load_file(out / "clip-l" / "expected.safetensors")["ids"].long()
    expected = {}
    for seed, (kind, (config, unet_target, text_target)) in enumerate(KINDS.items()):
        unet = diffusers.UNet2DConditionModel.from_pretrained(out / "unet-sd1", torch_dtype=torch.float32)
        state, unet = adapt(unet, config, unet_target, 400 + seed)
        tensors = rename(kind, "unet", state, single)
        sample = given["sample.0"].permute(0, 3, 1, 2)
        output = unet(sample, given["timesteps.0"], given["context.0"]).sample
        expected[f"output.{kind}"] = output.permute(0, 2, 3, 1).contiguous()
        if text_target:
            clip = transformers.CLIPTextModel.from_pretrained(out / "clip-l", dtype=torch.float32)
            state, clip = adapt(clip, config, text_target, 500 + seed)
            tensors |= rename(kind, "text", state, single)
            expected[f"hidden.{kind}"] = clip(ids, output_hidden_states=True).hidden_states[-1].contiguous()
        save_file({k: v.half().contiguous() for k, v in tensors.items()}, folder / f"{kind}.safetensors")
        print(kind, len(tensors), sorted({split(k)[1] if "." in k and "alpha" not in k and "processor" not in k else "-" for k in tensors}))
    save_file(expected, folder / "expected.safetensors")
    for path in folder.iterdir():
        path.chmod(0o644)


main()
