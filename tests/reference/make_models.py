"""Tiny randomly initialised decoders in the real formats, and what transformers says of them.

Usage: python make_models.py [OUT]          (OUT defaults to ../fixtures/models)

Each folder OUT/<name>/ holds what a published model holds (config.json, model.safetensors or shards
with an index, tokenizer files), the same weights as GGUF in the layout of llama.cpp's
convert_hf_to_gguf, and expected outputs:

  expected[-<type>].safetensors   for prompts of n = 1, 2, 7 and 33 ids, computed in float32:
      ids.<n>       I32 [n]
      logits.<n>    F32 [n, n_vocab]
      logprobs.<n>  F32 [n - 1]    of ids[1..] given what stands before (absent for n = 1)
      greedy.7      I32 [24]       argmax continuation of ids.7 (absent for quantised weights)
    without -<type> for the full weights, with it for model-<type>.gguf (logits of the dequantised
    weights, activations left in float32)
  score.json   {"text", "ids", "logprobs"}: a text, its ids as the tokenizer makes them, log-probabilities
      (null where nothing precedes)
  chat.json    {"messages", "prompt", "ids"} where the model has a chat template
"""

import json
import math
import pathlib
import sys

import tiny_tokenizers as tt

import gguf
import numpy as np
import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = pathlib.Path(__file__).parent
PROMPT_LENGTHS = (1, 2, 7, 33)
N_GREEDY = 24
SCORE_TEXT = "It's a small house, with 12 windows.\n夜深了，月很白。 🙂"
MESSAGES = [
    {"role": "system", "content": "You are a poet."},
    {"role": "user", "content": "写一首诗。\nTwo lines, please."},
    {"role": "assistant", "content": "月白风清。"},
    {"role": "user", "content": "Again!"},
]

transformers.utils.logging.disable_progress_bar()
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)


# --- weights ---------------------------------------------------------------------------------------


def random_weights(shapes, seed, tied):
    """Weights under which every tensor matters: norms away from 1, biases away from 0, peaked attention."""
    rng = np.random.default_rng(seed)
    out = {}
    for name, shape in shapes.items():
        last = name.rsplit(".", 2)[-2]
        if name.endswith(".bias"):
            w = rng.normal(0.0, 0.3, shape)
        elif len(shape) == 1:
            w = rng.uniform(0.5, 1.5, shape)
        elif last in ("embed_tokens", "wte"):
            w = rng.normal(0.0, 1.5 / math.sqrt(shape[1]) if tied else 0.5, shape)
        elif last == "wpe":
            w = rng.normal(0.0, 0.5, shape)
        else:
            conv1d = last in ("c_attn", "c_proj", "c_fc")
            fan_in = shape[0] if conv1d else shape[1]
            gain = 1.6 if last in ("q_proj", "k_proj", "c_attn", "lm_head") else 1.0
            w = rng.normal(0.0, gain / math.sqrt(fan_in), shape)
        out[name] = w.astype(np.float32)
    return out


def gpt2_shapes(c):
    d = c["n_embd"]
    s = {"transformer.wte.weight": (c["vocab_size"], d), "transformer.wpe.weight": (c["n_ctx"], d)}
    for i in range(c["n_layer"]):
        p = f"transformer.h.{i}."
        for norm in ("ln_1", "ln_2"):
            s[p + norm + ".weight"] = (d,)
            s[p + norm + ".bias"] = (d,)
        for name, n_in, n_out in (
            ("attn.c_attn", d, 3 * d),
            ("attn.c_proj", d, d),
            ("mlp.c_fc", d, 4 * d),
            ("mlp.c_proj", 4 * d, d),
        ):
            s[p + name + ".weight"] = (n_in, n_out)
            s[p + name + ".bias"] = (n_out,)
    s["transformer.ln_f.weight"] = (d,)
    s["transformer.ln_f.bias"] = (d,)
    return s


def llama_shapes(c):
    d, ff, hd = c["hidden_size"], c["intermediate_size"], head_dim(c)
    q, kv = c["num_attention_heads"] * hd, c["num_key_value_heads"] * hd
    s = {"model.embed_tokens.weight": (c["vocab_size"], d)}
    for i in range(c["num_hidden_layers"]):
        p = f"model.layers.{i}."
        s[p + "input_layernorm.weight"] = (d,)
        for name, n_out in (("q_proj", q), ("k_proj", kv), ("v_proj", kv)):
            s[p + f"self_attn.{name}.weight"] = (n_out, d)
            if c["model_type"] == "qwen2":
                s[p + f"self_attn.{name}.bias"] = (n_out,)
        s[p + "self_attn.o_proj.weight"] = (d, q)
        if c["model_type"] == "qwen3":
            s[p + "self_attn.q_norm.weight"] = (hd,)
            s[p + "self_attn.k_norm.weight"] = (hd,)
        s[p + "post_attention_layernorm.weight"] = (d,)
        s[p + "mlp.gate_proj.weight"] = (ff, d)
        s[p + "mlp.up_proj.weight"] = (ff, d)
        s[p + "mlp.down_proj.weight"] = (d, ff)
    s["model.norm.weight"] = (d,)
    if not c["tie_word_embeddings"]:
        s["lm_head.weight"] = (c["vocab_size"], d)
    return s


def head_dim(c):
    return c.get("head_dim") or c["hidden_size"] // c["num_attention_heads"]


# --- Hugging Face folder ---------------------------------------------------------------------------


def write_json(path, value, indent=2):
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    path.write_text(text + "\n", encoding="utf-8")


def write_safetensors(path, weights):
    save_file(
        {k: torch.from_numpy(np.ascontiguousarray(v)) if isinstance(v, np.ndarray) else v
         for k, v in weights.items()},
        path,
        metadata={"format": "pt"},
    )


def write_shards(folder, weights, n_shards):
    """model-0000i-of-0000n.safetensors and the index, tensors dealt out in order."""
    names = sorted(weights)
    per = -(-len(names) // n_shards)
    index = {"metadata": {"total_size": sum(v.nbytes for v in weights.values())}, "weight_map": {}}
    for i in range(n_shards):
        part = names[i * per : (i + 1) * per]
        file = f"model-{i + 1:05d}-of-{n_shards:05d}.safetensors"
        write_safetensors(folder / file, {k: weights[k] for k in part})
        index["weight_map"].update({k: file for k in part})
    write_json(folder / "model.safetensors.index.json", index)


# --- GGUF ------------------------------------------------------------------------------------------

GGUF_NAMES = {
    "transformer.wte": "token_embd",
    "transformer.wpe": "position_embd",
    "transformer.ln_f": "output_norm",
    "ln_1": "attn_norm",
    "ln_2": "ffn_norm",
    "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output",
    "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def gguf_name(name):
    stem, kind = name.rsplit(".", 1)
    for prefix in ("transformer.h.", "model.layers."):
        if stem.startswith(prefix):
            layer, rest = stem[len(prefix) :].split(".", 1)
            return f"blk.{layer}.{GGUF_NAMES[rest]}.{kind}"
    return f"{GGUF_NAMES[stem]}.{kind}"


def interleave(w, n_head):
    """Hugging Face rotates halves (i, i + d/2); llama's GGUF keeps Meta's pairs (2i, 2i + 1)."""
    return w.reshape(n_head, 2, w.shape[0] // n_head // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def gguf_tensors(config, weights):
    """{GGUF name: array} of one model's weights, float32."""
    out = {}
    if "rope_scaling" in config and config["rope_scaling"]:
        out["rope_freqs.weight"] = llama3_rope_factors(config)
    for name, w in weights.items():
        if config["model_type"] == "gpt2" and w.ndim == 2 and ".h." in name:
            w = w.T
        if config["model_type"] == "llama":
            if ".q_proj." in name:
                w = interleave(w, config["num_attention_heads"])
            if ".k_proj." in name:
                w = interleave(w, config["num_key_value_heads"])
        out[gguf_name(name)] = np.ascontiguousarray(w)
    return out


def llama3_rope_factors(config):
    """What each rotary frequency is divided by under Llama 3's scaling."""
    s = config["rope_scaling"]
    hd = head_dim(config)
    low, high, old = s["low_freq_factor"], s["high_freq_factor"], s["original_max_position_embeddings"]
    out = []
    # In float32 throughout, so that the factors equal the converter's to the bit.
    for freq in 1.0 / config["rope_theta"] ** (torch.arange(0, hd, 2, dtype=torch.float32) / hd):
        wavelength = 2 * math.pi / freq
        if wavelength < old / high:
            out.append(1.0)
        elif wavelength > old / low:
            out.append(s["factor"])
        else:
            smooth = (old / wavelength - low) / (high - low)
            out.append(1 / ((1 - smooth) / s["factor"] + smooth))
    return torch.tensor(out, dtype=torch.float32).numpy()


FILE_TYPES = {
    "f32": gguf.LlamaFileType.ALL_F32,
    "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
    "q4_0": gguf.LlamaFileType.MOSTLY_Q4_0,
    "q4_k": gguf.LlamaFileType.MOSTLY_Q4_K_M,
}


def write_gguf(path, model, tensors, file_type, alignment=None):
    """`tensors`: {name: float array, or (bytes array, GGML type)}."""
    c = model.config
    w = gguf.GGUFWriter(str(path), c["model_type"])
    if alignment:
        w.add_custom_alignment(alignment)
    w.add_type(gguf.GGUFType.MODEL)
    w.add_name(f"inkstone tiny {model.name}")
    if c["model_type"] == "gpt2":
        w.add_block_count(c["n_layer"])
        w.add_context_length(c["n_ctx"])
        w.add_embedding_length(c["n_embd"])
        w.add_feed_forward_length(4 * c["n_embd"])
        w.add_head_count(c["n_head"])
        w.add_layer_norm_eps(c["layer_norm_epsilon"])
    else:
        rope = c.get("rope_parameters", c)
        w.add_block_count(c["num_hidden_layers"])
        w.add_context_length(c["max_position_embeddings"])
        w.add_embedding_length(c["hidden_size"])
        w.add_feed_forward_length(c["intermediate_size"])
        w.add_head_count(c["num_attention_heads"])
        w.add_head_count_kv(c["num_key_value_heads"])
        w.add_rope_freq_base(rope["rope_theta"])
        w.add_layer_norm_rms_eps(c["rms_norm_eps"])
        if "head_dim" in c:
            w.add_key_length(c["head_dim"])
            w.add_value_length(c["head_dim"])
        if c["model_type"] == "llama":
            w.add_vocab_size(c["vocab_size"])
            w.add_rope_dimension_count(head_dim(c))
    w.add_file_type(FILE_TYPES[file_type])
    w.add_quantization_version(gguf.GGML_QUANT_VERSION)
    tt.add_to_gguf(w, model.tokenizer, n_vocab=c["vocab_size"], **model.gguf_vocab,
                   chat_template=model.tokenizer_config.get("chat_template"))
    for name, t in tensors.items():
        if isinstance(t, tuple):
            w.add_tensor(name, t[0], raw_dtype=t[1])
        else:
            w.add_tensor(name, t)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def make_version_2(path):
    """GGUF 2 and 3 differ in the version number alone while the file is little-endian."""
    data = bytearray(path.read_bytes())
    assert data[4:8] == (3).to_bytes(4, "little")
    data[4:8] = (2).to_bytes(4, "little")
    path.write_bytes(data)


def random_k_blocks(rng, shape, qtype, std):
    """Random valid super-blocks whose values have about the given spread: every code and scale occurs."""
    n_block, n_byte = gguf.GGML_QUANT_SIZES[qtype]
    n = math.prod(shape) // n_block
    b = rng.integers(0, 256, (n, n_byte), dtype=np.uint8)
    sign = rng.choice([-1.0, 1.0], n)
    if qtype == gguf.GGMLQuantizationType.Q6_K:
        # value = d * scale (int8, spread 74) * code (-32..31, spread 18.5)
        d = (sign * std / (74 * 18.5)).astype(np.float16)
        b[:, 208:210] = d.view(np.uint8).reshape(n, 2)
    else:
        # value = d * scale (0..63) * code (0..15) - dmin * min (0..63); dmin = 7.5 d centres it
        d = (sign * std / 250).astype(np.float16)
        m = (sign * std / 250 * 7.5).astype(np.float16)
        b[:, 0:2] = d.view(np.uint8).reshape(n, 2)
        b[:, 2:4] = m.view(np.uint8).reshape(n, 2)
    return b.reshape(*shape[:-1], -1)


# --- expected outputs ------------------------------------------------------------------------------


def load_reference(folder):
    return AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    ).eval()


@torch.no_grad()
def logits_of(reference, ids):
    return reference(torch.tensor([ids]), use_cache=False).logits[0]


def logprobs_of(logits, ids):
    lp = torch.log_softmax(logits.double(), dim=-1)
    return lp[:-1].gather(1, torch.tensor(ids[1:])[:, None])[:, 0].float()


@torch.no_grad()
def greedy(reference, ids, n):
    """Argmax continuation, and the smallest gap between best and second on the way."""
    ids, gap = list(ids), math.inf
    for _ in range(n):
        best = logits_of(reference, ids)[-1].topk(2)
        gap = min(gap, float(best.values[0] - best.values[1]))
        ids.append(int(best.indices[0]))
    return ids[-n:], gap


def prompts(n_vocab, seed):
    rng = np.random.default_rng(seed)
    out = {n: rng.integers(0, n_vocab, n).tolist() for n in PROMPT_LENGTHS}
    out[33][10:14] = [out[33][9]] * 4  # a run of one id
    return out


def write_expected(path, reference, n_vocab, seed, with_greedy=True):
    out, notes = {}, []
    for n, ids in prompts(n_vocab, seed).items():
        logits = logits_of(reference, ids)
        out[f"ids.{n}"] = torch.tensor(ids, dtype=torch.int32)
        out[f"logits.{n}"] = logits
        if n > 1:
            out[f"logprobs.{n}"] = logprobs_of(logits, ids)
        if n == 7 and with_greedy:
            tail, gap = greedy(reference, ids, N_GREEDY)
            out["greedy.7"] = torch.tensor(tail, dtype=torch.int32)
            notes.append(f"greedy gap {gap:.4f}")
            assert gap > 3e-2 and len(set(tail)) >= 8, "a dull or tied continuation: choose another seed"
    big = out["logits.33"]
    twin = logits_of(reference.double(), out["ids.33"].tolist())
    reference.float()
    notes.append(f"logit std {big.std():.2f}, max {big.abs().max():.1f}, "
                 f"f32 - f64 {(big - twin).abs().max():.1e}")
    save_file(out, path)
    print(f"  {path.name}: {'; '.join(notes)}")


@torch.no_grad()
def check_every_tensor_matters(reference, n_vocab, seed):
    """A reader that drops or swaps any one tensor must be seen to fail."""
    ids = prompts(n_vocab, seed)[33]
    base = logits_of(reference, ids)
    for name, p in reference.named_parameters():
        kept = p.clone()
        p.copy_(torch.ones_like(p) if p.ndim == 1 and name.endswith("weight") else p * 0)
        moved = (logits_of(reference, ids) - base).abs().max()
        p.copy_(kept)
        # k's bias shifts all scores of a query alike but for the rotation: it moves less than others.
        assert moved > 1e-2, f"{name} hardly matters: {moved:.1e}"


# --- the models ------------------------------------------------------------------------------------


class Tiny:
    def __init__(self, name, seed, config, tokenizer, tokenizer_config, gguf_vocab):
        self.name, self.seed = name, seed
        self.config, self.tokenizer = config, tokenizer
        self.tokenizer_config, self.gguf_vocab = tokenizer_config, gguf_vocab
        tied = config.get("tie_word_embeddings", True)
        shapes = gpt2_shapes(config) if config["model_type"] == "gpt2" else llama_shapes(config)
        self.weights = random_weights(shapes, seed, tied)

    def write_folder(self, folder, weights=None, shards=0):
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "config.json", self.config)
        tt.write_json(folder / "tokenizer.json", self.tokenizer)
        write_json(folder / "tokenizer_config.json", self.tokenizer_config)
        weights = self.weights if weights is None else weights
        if shards:
            write_shards(folder, weights, shards)
        else:
            write_safetensors(folder / "model.safetensors", weights)

    def write_text_cases(self, folder, reference):
        tok = tt.load(self.tokenizer)
        ids = tok.encode(SCORE_TEXT).ids
        lp = logprobs_of(logits_of(reference, ids), ids)
        write_json(
            folder / "score.json",
            {"text": SCORE_TEXT, "ids": ids, "logprobs": [None] + [round(float(x), 6) for x in lp]},
            indent=None,
        )
        auto = AutoTokenizer.from_pretrained(folder)
        assert auto(SCORE_TEXT)["input_ids"] == ids, "transformers and tokenizers disagree"
        if "chat_template" in self.tokenizer_config:
            text = auto.apply_chat_template(MESSAGES, tokenize=False, add_generation_prompt=True)
            ids = auto(text, add_special_tokens=False)["input_ids"]
            chat = {"messages": MESSAGES, "prompt": text, "ids": ids}
            write_json(folder / "chat.json", chat, indent=None)

    def write(self, out, shards=0, ggufs=("f32",), version_2=False):
        folder = out / self.name
        print(self.name, f"{sum(w.size for w in self.weights.values())} parameters")
        self.write_folder(folder, shards=shards)
        n_vocab = self.config["vocab_size"]
        reference = load_reference(folder)
        check_every_tensor_matters(reference, n_vocab, self.seed)
        write_expected(folder / "expected.safetensors", reference, n_vocab, self.seed)
        self.write_text_cases(folder, reference)
        for kind in ggufs:
            if kind == "f32":
                tensors = gguf_tensors(self.config, self.weights)
                write_gguf(folder / "model.gguf", self, tensors, kind)
                if version_2:
                    make_version_2(folder / "model.gguf")
            else:
                self.write_quantised(folder, kind)

    def write_quantised(self, folder, kind):
        """model-<kind>.gguf: matrices quantised, vectors float32; expected outputs of those values."""
        qtype = gguf.GGMLQuantizationType[kind.upper()]
        values, tensors = {}, {}
        for name, w in self.weights.items():
            values[name] = w
            tensors[gguf_name(name)] = w
            if w.ndim == 2:
                q = gguf.quants.quantize(w, qtype)
                values[name] = gguf.quants.dequantize(q, qtype)
                tensors[gguf_name(name)] = (q, qtype)
        write_gguf(folder / f"model-{kind}.gguf", self, tensors, kind, alignment=64)
        self.expect_of_values(folder / f"expected-{kind}.safetensors", folder, values)

    def expect_of_values(self, path, folder, values):
        reference = load_reference(folder)
        state = {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in values.items()}
        missing = reference.load_state_dict(state, strict=False).missing_keys
        assert missing in ([], ["lm_head.weight"]), missing
        reference.tie_weights()
        write_expected(path, reference, self.config["vocab_size"], self.seed, with_greedy=False)


def gpt2():
    tok = tt.gpt2(256 + 31)
    config = {
        "activation_function": "gelu_new",
        "architectures": ["GPT2LMHeadModel"],
        "attn_pdrop": 0.1,
        "bos_token_id": 287,
        "embd_pdrop": 0.1,
        "eos_token_id": 287,
        "initializer_range": 0.02,
        "layer_norm_epsilon": 1e-05,
        "model_type": "gpt2",
        "n_ctx": 64,
        "n_embd": 32,
        "n_head": 4,
        "n_layer": 2,
        "n_positions": 64,
        "resid_pdrop": 0.1,
        "vocab_size": tt.size(tok),
    }
    end = "<|endoftext|>"
    return Tiny("gpt2", 46, config, tok,
                {"tokenizer_class": "GPT2Tokenizer", "bos_token": end, "eos_token": end,
                 "unk_token": end, "model_max_length": 64, "add_prefix_space": False},
                {"pre": "gpt-2", "bos": end, "eos": end})


def llama():
    tok = tt.llama3(256 + 24)
    ids = {t["content"]: t["id"] for t in tok["added_tokens"]}
    config = {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": ids["<|begin_of_text|>"],
        "eos_token_id": [ids["<|end_of_text|>"], ids["<|eot_id|>"]],
        "hidden_act": "silu",
        "hidden_size": 48,
        "initializer_range": 0.02,
        "intermediate_size": 80,
        "max_position_embeddings": 512,
        "mlp_bias": False,
        "model_type": "llama",
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "num_key_value_heads": 2,
        "pretraining_tp": 1,
        "rms_norm_eps": 1e-05,
        # Six frequencies: one is kept, one lies on the ramp, four are divided by 8.
        "rope_scaling": {
            "factor": 8.0,
            "high_freq_factor": 4.0,
            "low_freq_factor": 1.0,
            "original_max_position_embeddings": 64,
            "rope_type": "llama3",
        },
        "rope_theta": 500000.0,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
        "use_cache": True,
        "vocab_size": tt.size(tok),
    }
    return Tiny("llama", 26, config, tok,
                {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|begin_of_text|>",
                 "eos_token": "<|eot_id|>", "model_max_length": 512,
                 "clean_up_tokenization_spaces": False, "chat_template": tt.LLAMA3_TEMPLATE},
                {"pre": "llama-bpe", "bos": "<|begin_of_text|>", "eos": "<|eot_id|>",
                 "add_bos": True})


def llama_tied():
    tok = tt.characters(sorted(set("\u2581\n,.'!?abcdefghijklmnopqrstuvwxyz，。山水風月夜深了很白")))
    config = {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "head_dim": 16,
        "hidden_act": "silu",
        "hidden_size": 32,
        "intermediate_size": 56,
        "max_position_embeddings": 256,
        "model_type": "llama",
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "num_key_value_heads": 1,
        "rms_norm_eps": 1e-06,
        "rope_scaling": None,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        "vocab_size": tt.size(tok),
    }
    return Tiny("llama-tied", 2, config, tok,
                {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>",
                 "eos_token": "</s>", "unk_token": "<unk>", "add_bos_token": True,
                 "model_max_length": 256, "clean_up_tokenization_spaces": False},
                {"pre": None, "bos": "<s>", "eos": "</s>", "add_bos": True})


QWEN_TOKENIZER_CONFIG = {
    "add_bos_token": False,
    "add_prefix_space": False,
    "bos_token": None,
    "chat_template": tt.CHATML_TEMPLATE,
    "clean_up_tokenization_spaces": False,
    "eos_token": "<|im_end|>",
    "errors": "replace",
    "model_max_length": 512,
    "pad_token": "<|endoftext|>",
    "tokenizer_class": "Qwen2Tokenizer",
    "unk_token": None,
}


def qwen2():
    tok = tt.qwen(256 + 24)
    config = {
        "architectures": ["Qwen2ForCausalLM"],
        "attention_dropout": 0.0,
        "bos_token_id": 280,
        "eos_token_id": 282,
        "hidden_act": "silu",
        "hidden_size": 32,
        "initializer_range": 0.02,
        "intermediate_size": 64,
        "max_position_embeddings": 512,
        "max_window_layers": 2,
        "model_type": "qwen2",
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "num_key_value_heads": 2,
        "rms_norm_eps": 1e-06,
        "rope_theta": 1000000.0,
        "sliding_window": 512,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
        "use_cache": True,
        "use_sliding_window": False,
        "vocab_size": tt.size(tok),
    }
    return Tiny("qwen2", 52, config, tok, QWEN_TOKENIZER_CONFIG,
                {"pre": "qwen2", "bos": "<|endoftext|>", "eos": "<|im_end|>", "add_bos": False})


THINK = [("<think>", {"special": False}), ("</think>", {"special": False})]


def qwen3_config(tok, **sizes):
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": None,
        "dtype": "float32",
        "eos_token_id": tok["added_tokens"][2]["id"],
        "hidden_act": "silu",
        "max_position_embeddings": 512,
        "model_type": "qwen3",
        "rms_norm_eps": 1e-06,
        # As transformers 5 writes it; the other models carry rope_theta as version 4 did.
        "rope_parameters": {"rope_theta": 1000000.0, "rope_type": "default"},
        "tie_word_embeddings": True,
        "use_cache": True,
        "use_sliding_window": False,
        **sizes,
    }


def qwen3():
    tok = tt.qwen(256 + 24, extra=THINK, merges_as_strings=False)
    # Published Qwen models have more rows than tokens: three here.
    config = qwen3_config(tok, head_dim=16, hidden_size=32, intermediate_size=64,
                          num_attention_heads=4, num_hidden_layers=2, num_key_value_heads=2,
                          vocab_size=tt.size(tok) + 3)
    return Tiny("qwen3", 58, config, tok, QWEN_TOKENIZER_CONFIG,
                {"pre": "qwen2", "eos": "<|im_end|>", "add_bos": False})


def qwen3_k(out):
    """One layer wide enough for super-blocks, in the mixture Q4_K_M has, as GGUF alone."""
    tok = tt.qwen(256 + 4)
    config = qwen3_config(tok, head_dim=32, hidden_size=256, intermediate_size=256,
                          num_attention_heads=4, num_hidden_layers=1, num_key_value_heads=2,
                          vocab_size=tt.size(tok))
    tiny = Tiny("qwen3-k", 23, config, tok, QWEN_TOKENIZER_CONFIG,
                {"pre": "qwen2", "eos": "<|im_end|>", "add_bos": False})
    types = gguf.GGMLQuantizationType
    rng = np.random.default_rng(tiny.seed)
    values, tensors = {}, {}
    for name, w in tiny.weights.items():
        if w.ndim == 1:
            values[name], tensors[gguf_name(name)] = w, w
            continue
        if w.shape[-1] % 256:  # attn_output: 128 columns cannot hold a super-block
            qtype = types.Q8_0
            blocks = gguf.quants.quantize(w, qtype)
        else:
            heavy = ("embed_tokens", "v_proj", "down_proj")
            qtype = types.Q6_K if any(h in name for h in heavy) else types.Q4_K
            blocks = random_k_blocks(rng, w.shape, qtype, float(w.std()))
        values[name] = gguf.quants.dequantize(blocks, qtype)
        tensors[gguf_name(name)] = (blocks, qtype)
    folder = out / tiny.name
    tiny.weights = values
    tiny.write_folder(folder)
    print(tiny.name, f"{sum(w.size for w in values.values())} parameters")
    reference = load_reference(folder)
    check_every_tensor_matters(reference, config["vocab_size"], tiny.seed)
    write_expected(folder / "expected.safetensors", reference, config["vocab_size"], tiny.seed,
                   with_greedy=False)
    write_gguf(folder / "model.gguf", tiny, tensors, "q4_k")
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()


def gpt2_bf16(out, tiny):
    """The layout of the first published file: no prefix, the causal mask among the tensors; in BF16."""
    weights = {}
    for name, w in tiny.weights.items():
        weights[name.removeprefix("transformer.")] = torch.from_numpy(w).bfloat16()
    n = tiny.config["n_ctx"]
    for i in range(tiny.config["n_layer"]):
        weights[f"h.{i}.attn.bias"] = torch.ones(n, n).tril().bfloat16().view(1, 1, n, n)
    folder = out / "gpt2-bf16"
    tiny.write_folder(folder, weights)
    (folder / "tokenizer.json").unlink()
    tt.write_vocab_and_merges(folder, tiny.tokenizer)
    print("gpt2-bf16")
    write_expected(folder / "expected.safetensors", load_reference(folder),
                   tiny.config["vocab_size"], tiny.seed)


def main():
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "fixtures" / "models"
    first = gpt2()
    first.write(out)
    gpt2_bf16(out, first)
    llama().write(out)
    llama_tied().write(out, version_2=True)
    qwen2().write(out, shards=3)
    qwen3().write(out, ggufs=("f32", "q8_0", "q4_0"))
    qwen3_k(out)


if __name__ == "__main__":
    main()
