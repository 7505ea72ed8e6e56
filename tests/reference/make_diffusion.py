"""Tiny randomly initialised parts of Stable Diffusion, and what diffusers and transformers say of them.

Usage: python make_diffusion.py [OUT]          (OUT defaults to ../fixtures/networks)

OUT/<name>/ is a folder as diffusers or transformers saves it (config.json and weights, in halves to keep it
small; outputs are computed in float32 from the rounded weights), with

  expected.safetensors   inputs and outputs; pictures and latents as (B, H, W, C)

  unet-sd1, unet-sd2, unet-xl, unet-few, unet-small   `sample.<k>`, `timesteps.<k>`, `context.<k>` and what else goes in; `skip.<k>.<i>`
      (what each step down leaves), `middle.<k>`, `output.<k>` for inputs k = 0, 1, the second of an odd size
  vae, vae-old         `picture`, `mean`, `log_variance`; `latents`, `decoded`. vae-old has the tensor names of diffusers
                       before 0.18
  taesd                `picture`, `encoded`; `latents`, `decoded`
  controlnet           inputs of unet-sd1 (its hint is (1 + sin(0.37 i)) / 2); `skip.<i>`, `middle`, and `output` of unet-sd1 with both added
  esrgan               model-x4.pth as Real-ESRGAN saves it, model-x2.pth under the older names with pixels shuffled into
                       channels; `picture`, `x4`, `x2` by RRDBNet as its paper has it (arXiv 1809.00219), written out here
  clip-l, clip-h       `ids`, `hidden.<i>` (after i layers), `normed.<i>`, `pooled`, `projected`
  single               sd1.txt, sd2.txt, xl.txt, control.txt: what the same parts are called in single files, a line for each tensor:
                       its name, the folder, its name there (q, k and v of one tensor joined by "+"), and "T" for a transposed
                       one, "4" for one with two dimensions of 1 more. Files made so were given to diffusers' own converter,
                       which gave the folders' tensors back
  real                 configs of the published UNets, and names.txt: file, name and shape of the tensors that tell what it is
"""

import json
import pathlib
import sys

import diffusers
import numpy as np
import torch
import transformers
from diffusers.loaders import single_file_utils
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).parent
diffusers.utils.logging.set_verbosity_error()
transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
torch.set_grad_enabled(False)


# --- weights -----------------------------------------------------------------------------------------------------


def randomise(model, seed):
    """Weights under which every tensor matters: norms away from 1, biases away from 0, peaked attention."""
    g = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        if p.dim() == 1 and name.endswith("weight"):
            value = 1 + 0.3 * torch.randn(p.shape, generator=g)
        elif p.dim() == 1:
            value = 0.2 * torch.randn(p.shape, generator=g)
        elif "embedding" in name and "linear" not in name and "cond" not in name:
            value = 0.5 * torch.randn(p.shape, generator=g)
        else:
            gain = 2.0 if any(k in name for k in ("to_q", "to_k", "q_proj", "k_proj", "query", "key")) else 1.0
            value = gain * torch.randn(p.shape, generator=g) / p[0].numel() ** 0.5
        p.copy_(value.half().float())
    return model.eval()


def save(model, folder, expected, rename=None):
    model.half().save_pretrained(folder)
    model.float()
    if rename:
        path = folder / "diffusion_pytorch_model.safetensors"
        save_file({rename(k): v for k, v in load_file(path).items()}, path)
    save_file({k: v.contiguous() for k, v in expected.items()}, folder / "expected.safetensors")


def last(x):
    """(B, C, H, W) to (B, H, W, C)."""
    return x.permute(0, 2, 3, 1).contiguous()


def first(x):
    return x.permute(0, 3, 1, 2).contiguous()


def normal(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# --- UNets -------------------------------------------------------------------------------------------------------

TINY = dict(sample_size=8, norm_num_groups=4, cross_attention_dim=12)
UNETS = {
    "unet-sd1": dict(
        TINY,
        block_out_channels=(8, 12, 12),
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=2,
        attention_head_dim=4,
    ),
    "unet-sd2": dict(
        TINY,
        block_out_channels=(8, 12),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        attention_head_dim=(1, 2),
        use_linear_projection=True,
        upcast_attention=True,
    ),
    "unet-xl": dict(
        TINY,
        block_out_channels=(8, 12),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        attention_head_dim=(1, 2),
        transformer_layers_per_block=(1, 2),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=6,
        projection_class_embeddings_input_dim=10 + 6 * 6,
    ),
    # An inpainting model, distilled to few steps, without a middle part.
    "unet-few": dict(
        TINY,
        in_channels=9,
        block_out_channels=(8, 12),
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        mid_block_type=None,
        layers_per_block=(1, 2),
        attention_head_dim=2,
        time_cond_proj_dim=10,
        flip_sin_to_cos=False,
        freq_shift=1,
    ),
    # As SSD-1B and Vega: XL with blocks taken out.
    "unet-small": dict(
        TINY,
        block_out_channels=(8, 8),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        mid_block_type="UNetMidBlock2D",
        layers_per_block=2,
        attention_head_dim=(1, 2),
        transformer_layers_per_block=(1, (2, 1)),
        reverse_transformer_layers_per_block=((1, 3, 2), 1),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=6,
        projection_class_embeddings_input_dim=10 + 6 * 6,
    ),
}


def guidance_embedding(w, width):
    """As diffusers' pipelines for latent consistency models embed the guidance scale less 1."""
    half = width // 2
    emb = torch.exp(torch.arange(half) * -(np.log(10000.0) / (half - 1)))
    emb = (w.float() * 1000.0)[:, None] * emb[None]
    return torch.cat([torch.sin(emb), torch.cos(emb)], dim=1)


def run_unet(model, inputs, k, out):
    """One evaluation, with what the way down and the middle leave."""
    added = {}
    if "pooled" in inputs:
        added = {"added_cond_kwargs": {"text_embeds": inputs["pooled"], "time_ids": inputs["time_ids"]}}
    if "guidance" in inputs:
        added["timestep_cond"] = guidance_embedding(inputs["guidance"], model.config.time_cond_proj_dim)
    skips, middle = [], []
    hooks = [model.conv_in.register_forward_hook(lambda m, i, o: skips.append(o))]
    for block in model.down_blocks:
        hooks.append(block.register_forward_hook(lambda m, i, o: skips.extend(o[1])))
    if model.mid_block is not None:
        hooks.append(model.mid_block.register_forward_hook(lambda m, i, o: middle.append(o)))
    output = model(first(inputs["sample"]), inputs["timesteps"], inputs["context"], **added).sample
    for h in hooks:
        h.remove()
    out.update({f"{name}.{k}": value for name, value in inputs.items()})
    out.update({f"skip.{k}.{i}": last(s) for i, s in enumerate(skips)})
    if middle:
        out[f"middle.{k}"] = last(middle[0])
    out[f"output.{k}"] = last(output)


def unet_inputs(config, k):
    height, width, batch = ((8, 8, 2), (7, 10, 1))[k]
    inputs = {
        "sample": normal(batch, height, width, config.in_channels, seed=10 + k),
        "timesteps": torch.tensor([981.0, 37.5][:batch] if k == 0 else [301.0]),
        "context": normal(batch, 5 + k, config.cross_attention_dim, seed=20 + k),
    }
    if config.addition_embed_type:
        inputs["pooled"] = normal(batch, 10, seed=30 + k)
        inputs["time_ids"] = torch.tensor([[64.0, 48, 0, 8, 64, 64], [32, 32, 4, 0, 48, 48]][:batch])
    if config.time_cond_proj_dim:
        inputs["guidance"] = torch.tensor([7.0, 0.5][:batch])
    return inputs


def make_unets(out):
    models = {}
    for seed, (name, config) in enumerate(UNETS.items()):
        model = randomise(diffusers.UNet2DConditionModel(**config), 100 + seed)
        expected = {}
        for k in range(2):
            run_unet(model, unet_inputs(model.config, k), k, expected)
        save(model, out / name, expected)
        models[name] = model
    return models


def make_controlnet(out, unet):
    model = diffusers.ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(4, 4, 4, 6), load_weights_from_unet=False)
    randomise(model, 150)
    inputs = unet_inputs(unet.config, 0)
    # Easily made anew, so that it need not be kept.
    hint = (0.5 + 0.5 * torch.sin(0.37 * torch.arange(2 * 64 * 64 * 3, dtype=torch.float64))).float().reshape(2, 64, 64, 3)
    down, middle = model(first(inputs["sample"]), inputs["timesteps"], inputs["context"], first(hint), return_dict=False)
    output = unet(
        first(inputs["sample"]),
        inputs["timesteps"],
        inputs["context"],
        down_block_additional_residuals=[0.5 * d for d in down],
        mid_block_additional_residual=0.5 * middle,
    ).sample
    expected = {**inputs, "middle": last(middle), "output": last(output)}
    expected.update({f"skip.{i}": last(d) for i, d in enumerate(down)})
    save(model, out / "controlnet", expected)
    return model


# --- autoencoders ------------------------------------------------------------------------------------------------


def old_name(name):
    for new, old in ((".to_q.", ".query."), (".to_k.", ".key."), (".to_v.", ".value."), (".to_out.0.", ".proj_attn.")):
        name = name.replace(new, old)
    return name


def make_vaes(out):
    models = {}
    for seed, name in enumerate(("vae", "vae-old")):
        config = dict(
            block_out_channels=(8, 12) if seed == 0 else (8,),
            down_block_types=("DownEncoderBlock2D",) * (2 - seed),
            up_block_types=("UpDecoderBlock2D",) * (2 - seed),
            layers_per_block=2 - seed,
            norm_num_groups=4,
            latent_channels=4,
            sample_size=16,
        )
        model = randomise(diffusers.AutoencoderKL(**config), 200 + seed)
        picture = normal(2, 12, 16, 3, seed=50).clamp(-1, 1)
        latents = normal(2, 6, 8, 4, seed=51)
        posterior = model.encode(first(picture)).latent_dist
        expected = {
            "picture": picture,
            "mean": last(posterior.mean),
            "log_variance": last(posterior.logvar),
            "latents": latents,
            "decoded": last(model.decode(first(latents)).sample),
        }
        save(model, out / name, expected, old_name if seed else None)
        models[name] = model
    return models


def make_taesd(out):
    model = diffusers.AutoencoderTiny(
        encoder_block_out_channels=(8, 8, 8),
        decoder_block_out_channels=(8, 8, 8),
        num_encoder_blocks=(1, 2, 1),
        num_decoder_blocks=(2, 1, 1),
        scaling_factor=0.5,
    )
    randomise(model, 250)
    picture = normal(2, 12, 16, 3, seed=60).clamp(-1, 1)
    latents = 2 * normal(2, 3, 4, 4, seed=61)
    expected = {
        "picture": picture,
        "encoded": last(model.encode(first(picture)).latents),
        "latents": latents,
        "decoded": last(model.decode(first(latents)).sample),
    }
    save(model, out / "taesd", expected)


# --- an upscaler -------------------------------------------------------------------------------------------------


class Dense(torch.nn.Module):
    def __init__(self, width, growth):
        super().__init__()
        for i in range(5):
            setattr(self, f"conv{i + 1}", torch.nn.Conv2d(width + i * growth, growth if i < 4 else width, 3, padding=1))

    def forward(self, x):
        seen = [x]
        for i in range(5):
            y = getattr(self, f"conv{i + 1}")(torch.cat(seen, 1))
            seen.append(torch.nn.functional.leaky_relu(y, 0.2))
        return x + 0.2 * y


class DenseInDense(torch.nn.Module):
    def __init__(self, width, growth):
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (Dense(width, growth) for _ in range(3))

    def forward(self, x):
        return x + 0.2 * self.rdb3(self.rdb2(self.rdb1(x)))


class RRDBNet(torch.nn.Module):
    def __init__(self, scale, width=8, growth=4, blocks=2):
        super().__init__()
        self.shuffle = 4 // scale
        conv = lambda i, o: torch.nn.Conv2d(i, o, 3, padding=1)
        self.conv_first = conv(3 * self.shuffle**2, width)
        self.body = torch.nn.Sequential(*(DenseInDense(width, growth) for _ in range(blocks)))
        self.conv_body, self.conv_up1, self.conv_up2, self.conv_hr = (conv(width, width) for _ in range(4))
        self.conv_last = conv(width, 3)

    def forward(self, x):
        leaky = lambda y: torch.nn.functional.leaky_relu(y, 0.2)
        twice = lambda y: torch.nn.functional.interpolate(y, scale_factor=2, mode="nearest")
        x = self.conv_first(torch.nn.functional.pixel_unshuffle(x, self.shuffle))
        x = x + self.conv_body(self.body(x))
        x = leaky(self.conv_up2(twice(leaky(self.conv_up1(twice(x))))))
        return self.conv_last(leaky(self.conv_hr(x)))


def older_name(name):
    for new, old in (("conv_first.", "model.0."), ("conv_body.", "model.1.sub.2."), ("conv_up1.", "model.3."), ("conv_up2.", "model.6."),
                     ("conv_hr.", "model.8."), ("conv_last.", "model.10.")):
        name = name.replace(new, old)
    if name.startswith("body."):
        _, i, rdb, conv, tail = name.split(".")
        name = f"model.1.sub.{i}.{rdb.upper()}.{conv}.0.{tail}"
    return name


def make_esrgan(out):
    folder = out / "esrgan"
    folder.mkdir(exist_ok=True)
    expected = {"picture": torch.rand(1, 6, 8, 3, generator=torch.Generator().manual_seed(80))}
    for scale in (4, 2):
        model = randomise(RRDBNet(scale), 350 + scale)
        expected[f"x{scale}"] = last(model(first(expected["picture"])))
        state = {k: v.half() for k, v in model.state_dict().items()}
        state = {"params_ema": state} if scale == 4 else {older_name(k): v for k, v in state.items()}
        torch.save(state, folder / f"model-x{scale}.pth")
    save_file(expected, folder / "expected.safetensors")


# --- text encoders -----------------------------------------------------------------------------------------------

END = 95


def make_clips(out):
    models = {}
    shape = dict(vocab_size=96, max_position_embeddings=16, num_hidden_layers=3, bos_token_id=94, pad_token_id=0)
    configs = {
        # eos_token_id 2 is what the configs of published models say, and stands for the highest id.
        "clip-l": dict(shape, hidden_size=24, intermediate_size=40, num_attention_heads=3, hidden_act="quick_gelu", eos_token_id=2),
        "clip-h": dict(
            shape,
            hidden_size=16,
            intermediate_size=32,
            num_attention_heads=2,
            hidden_act="gelu",
            eos_token_id=END,
            projection_dim=10,
        ),
    }
    for seed, (name, config) in enumerate(configs.items()):
        kind = transformers.CLIPTextModelWithProjection if "projection_dim" in config else transformers.CLIPTextModel
        model = randomise(kind(transformers.CLIPTextConfig(**config)), 300 + seed)
        ids = torch.randint(3, 94, (2, 16), generator=torch.Generator().manual_seed(70))
        ids[:, 0] = 94
        ids[0, 6:] = END if name == "clip-l" else 0
        ids[0, 6] = END
        ids[1, 15] = END
        result = model(ids, output_hidden_states=True)
        norm = (model.text_model if name == "clip-h" else model).final_layer_norm
        expected = {"ids": ids.int()}
        for i, hidden in enumerate(result.hidden_states):
            expected[f"hidden.{i}"] = hidden
            expected[f"normed.{i}"] = norm(hidden)
        if name == "clip-h":
            expected["projected"] = result.text_embeds
            expected["pooled"] = model.text_model(ids).pooler_output
        else:
            expected["pooled"] = result.pooler_output
        save(model, out / name, expected)
        models[name] = model
    return models


# --- single files ------------------------------------------------------------------------------------------------
# Written by the rules of the original code; diffusers' converter is the judge.


def ldm_unet(model):
    out = ldm_down(model, model.state_dict())
    layers = model.config.layers_per_block
    back = single_file_utils.convert_ldm_unet_checkpoint(
        {"model.diffusion_model." + k: v for k, v in out.items()},
        dict(model.config, layers_per_block=layers if isinstance(layers, int) else layers[0]),
    )
    check_same(back, model.state_dict())
    return out


def ldm_down(model, state):
    config, out = model.config, {}
    layers = config.layers_per_block
    n = len(config.block_out_channels)
    layers = [layers] * n if isinstance(layers, int) else list(layers)
    resnet = {
        "norm1": "in_layers.0",
        "conv1": "in_layers.2",
        "time_emb_proj": "emb_layers.1",
        "norm2": "out_layers.0",
        "conv2": "out_layers.3",
        "conv_shortcut": "skip_connection",
    }
    top = {
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "add_embedding.linear_1": "label_emb.0.0",
        "add_embedding.linear_2": "label_emb.0.2",
        "conv_in": "input_blocks.0.0",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
    }
    down, number = {}, 1
    for i in range(n):
        for j in range(layers[i] + 1):
            down[i, j] = number
            number += 1
    up, number = {}, 0
    for i in range(n):
        for j in range(layers[n - 1 - i] + 1):
            up[i, j] = number
            number += 1
    for name, value in state.items():
        parts = name.split(".")
        stem, tail = ".".join(parts[:-1]), parts[-1]
        if stem in top:
            key = f"{top[stem]}.{tail}"
        elif parts[0] == "mid_block":
            if parts[1] == "resnets":
                key = f"middle_block.{2 * int(parts[2])}.{resnet[parts[3]]}.{tail}"
            else:
                key = "middle_block.1." + ".".join(parts[3:])
        else:
            side, numbers = ("input_blocks", down) if parts[0] == "down_blocks" else ("output_blocks", up)
            i = int(parts[1])
            if parts[2] == "downsamplers":
                key = f"input_blocks.{down[i, layers[i]]}.0.op.{tail}"
            elif parts[2] == "upsamplers":
                block = up[i, layers[n - 1 - i]]
                key = f"output_blocks.{block}.{2 if 'CrossAttn' in config.up_block_types[i] else 1}.conv.{tail}"
            elif parts[2] == "resnets":
                key = f"{side}.{numbers[i, int(parts[3])]}.0.{resnet[parts[4]]}.{tail}"
            else:
                key = f"{side}.{numbers[i, int(parts[3])]}.1." + ".".join(parts[4:])
        out[key] = value
    return out


def ldm_vae(model):
    out, n = {}, len(model.config.block_out_channels)
    inner = {"conv_shortcut": "nin_shortcut", "group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
    for name, value in model.state_dict().items():
        key = name.replace("conv_norm_out", "norm_out")
        for a, b in inner.items():
            key = key.replace(f".{a}.", f".{b}.")
        key = key.replace("mid_block.attentions.0.", "mid.attn_1.")
        for j in range(2):
            key = key.replace(f"mid_block.resnets.{j}.", f"mid.block_{j + 1}.")
        for i in range(n):
            key = key.replace(f"down_blocks.{i}.resnets.", f"down.{i}.block.")
            key = key.replace(f"down_blocks.{i}.downsamplers.0.", f"down.{i}.downsample.")
            key = key.replace(f"up_blocks.{i}.resnets.", f"up.{n - 1 - i}.block.")
            key = key.replace(f"up_blocks.{i}.upsamplers.0.", f"up.{n - 1 - i}.upsample.")
        # The original's attention is made of 1x1 convolutions.
        out[key] = value[:, :, None, None] if "attn_1" in key and value.dim() == 2 else value
    back = single_file_utils.convert_ldm_vae_checkpoint({"first_stage_model." + k: v for k, v in out.items()}, dict(model.config))
    check_same({k: v.reshape(model.state_dict()[k].shape) for k, v in back.items()}, model.state_dict())
    return out


def openclip(model):
    out, state = {}, model.state_dict()
    names = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "self_attn.out_proj": "attn.out_proj", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}
    for name, value in state.items():
        key = name.removeprefix("text_model.")
        if key == "text_projection.weight":
            out["text_projection"] = value.T.contiguous()
        elif key == "embeddings.position_embedding.weight":
            out["positional_embedding"] = value
        elif key.startswith("embeddings."):
            out[key.removeprefix("embeddings.")] = value
        elif key.startswith("final_layer_norm"):
            out[key.replace("final_layer_norm", "ln_final")] = value
        elif ".k_proj." in key or ".v_proj." in key:
            continue
        else:
            block = key.replace("encoder.layers.", "transformer.resblocks.")
            for a, b in names.items():
                block = block.replace(f".{a}.", f".{b}.")
            if ".q_proj." in block:
                value = torch.cat([state[name.replace("q_proj", f"{x}_proj")] for x in "qkv"])
                block = block.replace("self_attn.q_proj.", "attn.in_proj_")
            out[block] = value
    out["logit_scale"] = torch.tensor(4.6)
    return out


def ldm_controlnet(model):
    """The way down and the middle as in a UNet; what is new has names of its own."""
    out, state = {}, model.state_dict()
    for name, value in state.items():
        parts = name.split(".")
        if parts[0] == "controlnet_down_blocks":
            out[f"zero_convs.{parts[1]}.0.{parts[2]}"] = value
        elif parts[0] == "controlnet_mid_block":
            out[f"middle_block_out.0.{parts[1]}"] = value
        elif parts[0] == "controlnet_cond_embedding":
            number = {"conv_in": 0, "conv_out": 14}[parts[1]] if parts[1] != "blocks" else 2 * int(parts[2]) + 2
            out[f"input_hint_block.{number}.{parts[-1]}"] = value
    down = ldm_down(model, {k: v for k, v in state.items() if not k.startswith("controlnet_")})
    out.update(down)
    back = single_file_utils.convert_controlnet_checkpoint({"control_model." + k: v for k, v in out.items()}, dict(model.config))
    check_same(back, state)
    return out


def check_same(a, b):
    assert set(a) == set(b), sorted(set(a) ^ set(b))[:5]
    for k in b:
        assert torch.equal(a[k], b[k]), k


def check_openclip(tensors, prefix, model):
    full = {prefix + k: v for k, v in tensors.items()}
    back = single_file_utils.convert_open_clip_checkpoint(model, full, prefix=prefix)
    for k, v in back.items():
        if k in model.state_dict() and "position_ids" not in k:
            assert torch.equal(v, model.state_dict()[k]), k


def clip_l_names(model):
    return {f"text_model.{k}": v for k, v in model.state_dict().items()} | {"text_model.embeddings.position_ids": torch.arange(16)[None]}


def origin(value, sources):
    """Where a tensor of a single file comes from: folder, name there, and how it was changed."""
    for folder, state in sources.items():
        for name, source in state.items():
            if source.shape == value.shape and torch.equal(source, value):
                return folder, name, ""
            if source.dim() == 2 and value.dim() == 2 and source.shape == value.T.shape and torch.equal(source.T, value):
                return folder, name, "T"
            if source.dim() == 2 and value.dim() == 4 and source.shape == value.shape[:2] and torch.equal(source, value[:, :, 0, 0]):
                return folder, name, "4"
            if "q_proj" in name and value.shape[0] == 3 * source.shape[0] and torch.equal(value[: source.shape[0]], source):
                return folder, "+".join(name.replace("q_proj", f"{x}_proj") for x in "qkv"), ""
    raise KeyError(value.shape)


def make_single(out, unets, vaes, clips, controlnet):
    folder = out / "single"
    folder.mkdir(exist_ok=True)
    h = openclip(clips["clip-h"])
    check_openclip(h, "conditioner.embedders.1.model.", clips["clip-h"])
    vae, l = ldm_vae(vaes["vae"]), clip_l_names(clips["clip-l"])
    files = {
        "sd1": ["unet-sd1", ("first_stage_model.", "vae", vae), ("cond_stage_model.transformer.", "clip-l", l)],
        "sd2": ["unet-sd2", ("cond_stage_model.model.", "clip-h", h)],
        "xl": [
            "unet-xl",
            ("conditioner.embedders.0.transformer.", "clip-l", l),
            ("conditioner.embedders.1.model.", "clip-h", h),
        ],
    }
    states = {n: m.state_dict() for n, m in {**unets, **vaes, **clips, "controlnet": controlnet}.items()}
    control = (("control_model." + k, v) for k, v in ldm_controlnet(controlnet).items())
    lines = ("\t".join((key, *origin(value, {"controlnet": states["controlnet"]}))) for key, value in control)
    (folder / "control.txt").write_text("\n".join(lines) + "\n")
    for name, (unet, *parts) in files.items():
        lines = []
        for prefix, source, tensors in [("model.diffusion_model.", unet, ldm_unet(unets[unet])), *parts]:
            for key, value in tensors.items():
                if value.dtype != torch.int64 and value.dim() > 0:
                    where, there, how = origin(value, {source: states[source]})
                    lines.append(f"{prefix}{key}\t{where}\t{there}\t{how}")
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")


# --- real names --------------------------------------------------------------------------------------------------

SD1 = dict(block_out_channels=(320, 640, 1280, 1280), cross_attention_dim=768, attention_head_dim=8)
SD2 = dict(
    block_out_channels=(320, 640, 1280, 1280), cross_attention_dim=1024, attention_head_dim=(5, 10, 20, 20), use_linear_projection=True
)
XL = dict(
    block_out_channels=(320, 640, 1280),
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    transformer_layers_per_block=(1, 2, 10),
    attention_head_dim=(5, 10, 20),
    cross_attention_dim=2048,
    use_linear_projection=True,
    addition_embed_type="text_time",
    addition_time_embed_dim=256,
    projection_class_embeddings_input_dim=2816,
)
REFINER = dict(
    XL,
    block_out_channels=(384, 768, 1536, 1536),
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    transformer_layers_per_block=4,
    attention_head_dim=(6, 12, 24, 24),
    cross_attention_dim=1280,
    projection_class_embeddings_input_dim=2560,
)


def make_real_names(out):
    telling = ("in_layers.2.weight", ".op.weight", ".norm1.weight", "attn2.to_k.weight", "label_emb.0.0.weight", "input_blocks.0.0.weight", "out.2.weight")
    lines = []
    for name, config in {
        "sd15": SD1,
        "sd15-inpaint": dict(SD1, in_channels=9),
        "sd21": SD2,
        "xl": XL,
        "refiner": REFINER,
    }.items():
        with torch.device("meta"):
            model = diffusers.UNet2DConditionModel(**config)
        model.state_dict = lambda state=model.state_dict(): state
        real_check = globals()["check_same"]
        globals()["check_same"] = lambda a, b: None  # meta tensors have no elements to compare
        tensors = ldm_unet(model)
        globals()["check_same"] = real_check
        (out / "real").mkdir(exist_ok=True)
        config = {"_class_name": "UNet2DConditionModel", **{k: v for k, v in model.config.items() if not k.startswith("_")}}
        (out / "real" / f"{name}.json").write_text(json.dumps(config) + "\n")
        for k, v in tensors.items():
            if k.endswith(telling):
                lines.append(f"{name} model.diffusion_model.{k} {'x'.join(map(str, v.shape))}")
    (out / "real" / "names.txt").write_text("\n".join(lines) + "\n")


def main():
    out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parent / "fixtures" / "networks")
    out.mkdir(parents=True, exist_ok=True)
    unets = make_unets(out)
    controlnet = make_controlnet(out, unets["unet-sd1"])
    vaes = make_vaes(out)
    make_taesd(out)
    make_esrgan(out)
    clips = make_clips(out)
    make_single(out, unets, vaes, clips, controlnet)
    make_real_names(out)
    for path in out.rglob("*"):
        if path.is_file():
            path.chmod(0o644)


if __name__ == "__main__":
    main()
