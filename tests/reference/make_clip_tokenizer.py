"""A tiny CLIP tokenizer, and what transformers' CLIPTokenizer makes of hard strings.

Usage: python make_clip_tokenizer.py [OUT]      (OUT defaults to ../fixtures/tokenizer)

OUT/clip/ holds tokenizer.json as transformers saves it, OUT/clip-files/ the vocab.json and merges.txt that released
models have, with their tokenizer_config.json. OUT/clip/expected.json, for both:

  {"encode": [{"text": string, "ids": [...]}, ...]}     with <|startoftext|> and <|endoftext|> around
"""

import json
import pathlib
import random
import shutil
import sys

import make_tokenizers as mt
import tiny_tokenizers as tt

from transformers import CLIPTokenizer

HERE = pathlib.Path(__file__).parent
END = "</w>"


def learn(n_merges):
    """Byte-pair merges over words that end in </w>, as CLIP's are: counted, most frequent first."""
    letters = sorted(tt.pre_tokenizers.ByteLevel.alphabet())
    words = {}
    texts = [tt.CORPUS.lower(), *(s.lower() for s in mt.BY_HAND)]
    splitter = tt.pre_tokenizers.ByteLevel(add_prefix_space=False)
    for text in texts:
        for word, _ in splitter.pre_tokenize_str(text):
            word = word.lstrip("Ġ")
            if word:
                key = (*word[:-1], word[-1] + END)
                words[key] = words.get(key, 0) + 1
    vocab = [*letters, *(x + END for x in letters)]
    merges = []
    for _ in range(n_merges):
        pairs = {}
        for word, count in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] = pairs.get(pair, 0) + count
        if not pairs:
            break
        best = max(pairs, key=lambda p: (pairs[p], p))
        merges.append(best)
        vocab.append("".join(best))
        fresh = {}
        for word, count in words.items():
            out, i = [], 0
            while i < len(word):
                if word[i : i + 2] == best:
                    out.append("".join(best))
                    i += 2
                else:
                    out.append(word[i])
                    i += 1
            fresh[tuple(out)] = fresh.get(tuple(out), 0) + count
        words = fresh
    vocab += ["<|startoftext|>", "<|endoftext|>"]
    return {token: i for i, token in enumerate(dict.fromkeys(vocab))}, merges


def main():
    out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parent / "fixtures" / "tokenizer")
    vocab, merges = learn(420)
    files = out / "clip-files"
    shutil.rmtree(files, ignore_errors=True)
    files.mkdir(parents=True)
    (files / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False) + "\n")
    (files / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    special = {"__type": "AddedToken", "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
    config = {
        "add_prefix_space": False,
        "bos_token": {**special, "content": "<|startoftext|>"},
        "do_lower_case": True,
        "eos_token": {**special, "content": "<|endoftext|>"},
        "model_max_length": 77,
        "pad_token": "<|endoftext|>",
        "tokenizer_class": "CLIPTokenizer",
        "unk_token": {**special, "content": "<|endoftext|>"},
    }
    (files / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    tokenizer = CLIPTokenizer.from_pretrained(files)
    saved = out / "clip"
    shutil.rmtree(saved, ignore_errors=True)
    tokenizer.save_pretrained(saved)
    texts = mt.strings(7)
    for t in ("<|startoftext|>", "<|endoftext|>", "<|EndOfText|>"):
        texts += [t, f"a{t}b", f"a {t} b", f"A photo of a cat{t}", f"{t}{t}", f"'{t}'s"]
    texts += ["A photo of a CAT", "don't", "DON'T stop", "a  b\n\nc", "İstanbul", "ΑΣ", "ǅ", "(masterpiece:1.2), best quality, 8k"]
    random.Random(1).shuffle(texts)
    cases = [{"text": t, "ids": tokenizer(t)["input_ids"]} for t in dict.fromkeys(texts)]
    (saved / "expected.json").write_text(json.dumps({"encode": cases}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
