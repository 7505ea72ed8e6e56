"""What transformers says of a whole model folder: the fixture for a model that we trained and ship.

Usage: python make_expected.py FOLDER TEXTS OUT.safetensors [FILE.gguf]

FOLDER is a Hugging Face folder, TEXTS a UTF-8 file with one text a line ("\\n" written out stands for a
line end). With FILE.gguf the weights are taken from there, dequantised. For line i:
    text.<i>      U8  [bytes]
    ids.<i>       I32 [n]          as the folder's tokenizer makes them, special tokens added
    logprobs.<i>  F32 [n - 1]      of ids[1..] given what stands before
    last.<i>      F32 [n_vocab]    logits after the last id
"""

import pathlib
import sys

import gguf
import make_models
import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer


def from_gguf(folder, path):
    """The folder's configuration with the weights of a GGUF file."""
    config = AutoConfig.from_pretrained(folder)
    model = AutoModelForCausalLM.from_config(
        config, dtype=torch.float32, attn_implementation="eager"
    )
    stored = {t.name: t for t in gguf.GGUFReader(path).tensors}
    state = {}
    for name, like in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        t = stored[make_models.gguf_name(name)]
        w = torch.from_numpy(gguf.quants.dequantize(t.data, t.tensor_type).copy())
        if config.model_type == "gpt2" and w.ndim == 2 and ".h." in name:
            w = w.T
        for part, n in (("q_proj", "num_attention_heads"), ("k_proj", "num_key_value_heads")):
            if config.model_type == "llama" and part in name:
                n = getattr(config, n)
                w = w.reshape(n, -1, 2, w.shape[1]).transpose(1, 2)
        state[name] = w.reshape(like.shape)
    model.load_state_dict(state, strict=False)
    model.tie_weights()
    return model.eval()


@torch.no_grad()
def main():
    folder, texts, out = (pathlib.Path(a) for a in sys.argv[1:4])
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if len(sys.argv) > 4:
        model = from_gguf(folder, sys.argv[4])
    else:
        model = make_models.load_reference(folder)
    tensors = {}
    lines = texts.read_text(encoding="utf-8").splitlines()
    for i, line in enumerate(lines):
        text = line.replace("\\n", "\n")
        ids = torch.tensor(tokenizer(text)["input_ids"])
        logits = model(ids[None], use_cache=False).logits[0]
        lp = torch.log_softmax(logits.double(), dim=-1)[:-1].gather(1, ids[1:, None])[:, 0]
        tensors[f"text.{i}"] = torch.tensor(list(text.encode()), dtype=torch.uint8)
        tensors[f"ids.{i}"] = ids.to(torch.int32)
        tensors[f"logprobs.{i}"] = lp.float()
        tensors[f"last.{i}"] = logits[-1].clone()
        print(f"{i}: {len(ids)} ids, nll {-lp.mean():.4f} a token")
    save_file(tensors, out)


if __name__ == "__main__":
    main()
