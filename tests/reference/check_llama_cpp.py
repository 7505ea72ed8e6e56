"""Outside judge: llama.cpp loads our GGUF files and gives the same ids and logits.

Usage: python check_llama_cpp.py                        all of ../fixtures/models and ../fixtures/tokenizer
       python check_llama_cpp.py MODEL.gguf EXPECTED.safetensors [SCORE.json]

EXPECTED.safetensors is as make_models.py or make_expected.py describes it, SCORE.json as
make_models.py does. llama.cpp rounds activations to eight bits before it multiplies with quantised
weights, and looks GPT-2's GELU up in a table of half floats; hence the wider tolerances for those.
Its tokenizer applies no normal form (Qwen's NFC) and does not take U+017F for an s where a pattern
ignores case; texts with either are left out.
"""

import json
import pathlib
import sys
import unicodedata

import numpy as np
from llama_cpp import Llama
from safetensors.numpy import load_file

FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures"
F32 = 0  # GGML_TYPE_F32, for a cache that loses nothing


def check(model, expected, score=None, tolerance=None):
    llm = Llama(str(model), n_ctx=256, logits_all=True, n_threads=1, verbose=False,
                type_k=F32, type_v=F32, flash_attn=False)
    want = load_file(expected)
    worst = 0.0
    for key in sorted(k for k in want if k.startswith("ids.")):
        ids = want[key].tolist()
        llm.reset()
        llm.eval(ids)
        got = np.array(llm.scores[: len(ids)])
        if (last := want.get(key.replace("ids", "last"))) is not None:
            got, logits = got[-1], last
        else:
            logits = want[key.replace("ids", "logits")]
        worst = max(worst, float(np.abs(got - logits).max()))
    if tolerance is None:
        full = llm.metadata["general.file_type"] == "0"
        tolerance = (5e-3 if llm.metadata["general.architecture"] == "gpt2" else 1e-4) if full else 0.5
    ok = worst <= tolerance
    note = ""
    if score is not None and score.exists():
        case = json.loads(score.read_text(encoding="utf-8"))
        same = llm.tokenize(case["text"].encode(), add_bos=True, special=True) == case["ids"]
        note = ", ids equal" if same else ", IDS DIFFER"
        ok = ok and same
    print(f"{'ok  ' if ok else 'FAIL'} {model.parent.name}/{model.name}: "
          f"logits within {worst:.1e} (allowed {tolerance:g}){note}")
    return ok


def check_vocabulary(model):
    llm = Llama(str(model), vocab_only=True, verbose=False)
    cases = json.loads(model.with_name("expected.json").read_text(encoding="utf-8"))["encode"]
    n, wrong, left_out = 0, [], 0
    for case in cases:
        text = case.get("text")
        if not text or "\0" in text:
            continue
        if "\u017f" in text or ("qwen" in model.parent.name and text != unicodedata.normalize("NFC", text)):
            left_out += 1
            continue
        n += 1
        if llm.tokenize(text.encode(), add_bos=False, special=True) != case.get("gguf", case["ids"]):
            wrong.append(text)
    print(f"{'FAIL' if wrong else 'ok  '} {model.parent.name}/{model.name}: {n} texts, "
          f"{len(wrong)} differ, {left_out} left out")
    return not wrong


def main():
    if len(sys.argv) > 1:
        paths = [pathlib.Path(a) for a in sys.argv[1:]]
        return check(*paths)
    results = []
    for model in sorted(FIXTURES.glob("models/*/*.gguf")):
        expected = model.with_name(model.stem.replace("model", "expected") + ".safetensors")
        results.append(check(model, expected, model.with_name("score.json")))
    results += [check_vocabulary(m) for m in sorted(FIXTURES.glob("tokenizer/*/vocab.gguf"))]
    return all(results)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
