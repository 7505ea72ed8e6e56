"""What transformers says of the poet that ships in models/poet: the fixture of tests/llm/test_poet.c.

    python make_poet_expected.py              writes ../fixtures/models/poet/expected.safetensors
    python make_poet_expected.py llama.cpp    reads it, and compares what llama.cpp makes of the GGUF

transformers loads the folder as models/poet/README.md shows: the GGUF, with the folder's config.json.
    columns     I32 [k]     ids of the logits that are kept: every 61st, and all that the texts hold
    text.<i>    I32 [bytes]
    ids.<i>     I32 [n]     as the folder's tokenizer makes them
    logits.<i>  F32 [n, k]  behind each id, in F32, weights dequantised
llama.cpp rounds activations to eight bits before it multiplies with quantised weights, so its
logits are compared with a wide tolerance and its most likely tokens one by one.
"""

import pathlib
import sys

import numpy as np

HERE = pathlib.Path(__file__).parent
POET = HERE.parent.parent / "models" / "poet"
OUT = HERE.parent / "fixtures" / "models" / "poet" / "expected.safetensors"
TEXTS = [
    "<bos><体:七绝><题>秋夜<诗>",
    "<bos><体:五律><朝:唐><作>杜甫<题>春望<诗>国破山河在，城春草木深。\n感时花溅泪，恨别鸟惊心。\n",
    "<bos><体:七律><朝:宋><谱:平起入韵><韵:东><题>山居<意>梅花、明月<头>我爱中华<诗>我",
    "<bos><体:词><朝:宋><牌>浣溪沙<作>晏殊<诗>一曲新词酒一杯。去年天气旧亭台。夕阳西下几时回。\n",
    "<bos><诗>龘\U0001f600。",  # characters beyond the vocabulary: bytes
]


def load():
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    config = AutoConfig.from_pretrained(POET)
    model = AutoModelForCausalLM.from_pretrained(
        POET, gguf_file="poet-q8_0.gguf", config=config, dtype=torch.float32)
    return model.eval(), AutoTokenizer.from_pretrained(POET)


def make():
    import torch
    from safetensors.torch import save_file

    model, tokenizer = load()
    every = [torch.tensor(tokenizer(text)["input_ids"]) for text in TEXTS]
    columns = torch.tensor(sorted({*range(0, model.config.vocab_size, 61), *torch.cat(every).tolist()}))
    tensors = {"columns": columns.to(torch.int32)}
    for i, (text, ids) in enumerate(zip(TEXTS, every)):
        with torch.no_grad():
            logits = model(ids[None], use_cache=False).logits[0]
        tensors[f"text.{i}"] = torch.tensor(list(text.encode()), dtype=torch.int32)
        tensors[f"ids.{i}"] = ids.to(torch.int32)
        tensors[f"logits.{i}"] = logits[:, columns].contiguous()
        print(f"{i}: {len(ids)} ids, then {tokenizer.decode(logits[-1].topk(5).indices)}")
    OUT.parent.mkdir(exist_ok=True)
    save_file(tensors, OUT)


def compare():
    from llama_cpp import Llama
    from safetensors.numpy import load_file

    expected = load_file(OUT)
    llm = Llama(str(POET / "poet-q8_0.gguf"), n_ctx=256, logits_all=True, n_threads=1, verbose=False,
                type_k=0, type_v=0, flash_attn=False)
    worst, n, first, ids_equal = 0.0, 0, 0, True
    for i, text in enumerate(TEXTS):
        ids = expected[f"ids.{i}"].tolist()
        ids_equal &= llm.tokenize(text.encode(), add_bos=False, special=True) == ids
        llm.reset()
        llm.eval(ids)
        got = np.array(llm.scores[: len(ids)])[:, expected["columns"]]
        want = expected[f"logits.{i}"]
        worst = max(worst, float(np.abs(got - want).max()))
        n += len(ids)
        first += int((got.argmax(1) == want.argmax(1)).sum())
    print(f"llama.cpp: ids {'equal' if ids_equal else 'DIFFER'}, logits within {worst:.2f} (allowed 0.5), "
          f"the same token first at {first} of {n} places (of the kept ones)")
    return ids_equal and worst <= 0.5


if __name__ == "__main__":
    if sys.argv[1:] == ["llama.cpp"]:
        sys.exit(0 if compare() else 1)
    make()
