"""Outside judge: llama.cpp loads our GGUF files and gives the same ids and logits.

Usage: python check_llama_cpp.py                        all of ../fixtures/models
       python check_llama_cpp.py MODEL.gguf EXPECTED.safetensors [SCORE.json]

EXPECTED.safetensors and SCORE.json are as make_models.py describes them. llama.cpp rounds activations
to eight bits before it multiplies with quantised weights, and looks GPT-2's GELU up in a table of
half floats; hence the wider tolerances for those.
"""

import json
import pathlib
import sys

import numpy as np
from llama_cpp import Llama
from safetensors.numpy import load_file

FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures" / "models"
F32 = 0  # GGML_TYPE_F32, for a cache that loses nothing


def check(model, expected, score=None, tolerance=None):
    llm = Llama(str(model), n_ctx=256, logits_all=True, n_threads=1, verbose=False,
                type_k=F32, type_v=F32, flash_attn=False)
    want = load_file(expected)
    worst = 0.0
    for key in sorted(k for k in want if k.startswith("ids.")):
        logits = want[key.replace("ids", "logits")]
        llm.reset()
        llm.eval(want[key].tolist())
        worst = max(worst, float(np.abs(np.array(llm.scores[: len(logits)]) - logits).max()))
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


def main():
    if len(sys.argv) > 1:
        paths = [pathlib.Path(a) for a in sys.argv[1:]]
        return check(*paths)
    results = []
    for model in sorted(FIXTURES.glob("*/*.gguf")):
        expected = model.with_name(model.stem.replace("model", "expected") + ".safetensors")
        results.append(check(model, expected, model.with_name("score.json")))
    return all(results)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
