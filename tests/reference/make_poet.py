"""Packs a trained poet for shipping: its folder of F32 safetensors becomes models/poet with one Q8_0
GGUF (norms stay F32), as llama.cpp's own converter would lay it out.

    python make_poet.py TRAINED_FOLDER ../../models/poet
"""
import json
import pathlib
import shutil
import sys
import types

import gguf
from safetensors.numpy import load_file

import make_models


def main(trained, out):
    trained, out = pathlib.Path(trained), pathlib.Path(out)
    config = json.loads((trained / "config.json").read_text())
    config |= {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    document = json.loads((trained / "tokenizer.json").read_text())
    tensors = {}
    for name, w in make_models.gguf_tensors(config, load_file(trained / "model.safetensors")).items():
        q8 = gguf.GGMLQuantizationType.Q8_0
        tensors[name] = (gguf.quants.quantize(w, q8), q8) if w.ndim == 2 else w
    model = types.SimpleNamespace(
        config=config, name="poet", tokenizer=document, tokenizer_config={},
        gguf_vocab={"pre": None, "bos": "<bos>", "eos": "<eos>", "add_bos": True})
    make_models.write_gguf(out / "poet-q8_0.gguf", model, tensors, "q8_0")
    make_models.write_json(out / "config.json", config)
    make_models.write_json(out / "generation_config.json",
                           {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
                            "do_sample": True, "temperature": 0.8, "top_p": 0.9})
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(trained / name, out / name)


if __name__ == "__main__":
    main(*sys.argv[1:])
