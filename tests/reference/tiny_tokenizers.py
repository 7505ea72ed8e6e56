"""Tiny tokenizers with the exact pipelines of the real ones.

A tokenizer is made as the dictionary of its tokenizer.json: a BPE vocabulary trained on corpus.txt,
inside the normaliser, pre-tokenizer, post-processor and decoder that the published files of GPT-2,
Llama 3 and Qwen 2/3 carry; and a one-character-one-token vocabulary in the Llama 2 layout.
"""

import json
import os
import pathlib

os.environ["TOKENIZERS_PARALLELISM"] = "false"

import gguf
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

HERE = pathlib.Path(__file__).parent
CORPUS = (HERE / "corpus.txt").read_text(encoding="utf-8")

# The patterns as the published files have them. Llama 3 takes up to three digits at a time, Qwen one.
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA3_PATTERN = _SPLIT % r"\p{N}{1,3}"
QWEN2_PATTERN = _SPLIT % r"\p{N}"

CHATML_TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content']"
    " + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
LLAMA3_TEMPLATE = (
    "{% for message in messages %}{% if loop.first %}{{ bos_token }}{% endif %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'"
    " + message['content'] | trim + '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)


def byte_level(**kw):
    d = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    d.update(kw)
    return d


def split(pattern):
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def added(ident, content, special=True, **flags):
    d = {
        "id": ident,
        "content": content,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": not special,
        "special": special,
    }
    d.update(flags)
    return d


def _train(pre_tokenizer, n_vocab):
    """Trains byte-level BPE; returns (vocab, merges) with the 256 bytes first, as GPT-2 has them."""
    tok = Tokenizer(models.BPE())
    doc = {"type": "Sequence", "pretokenizers": pre_tokenizer}
    blank = json.loads(tok.to_str())
    blank["pre_tokenizer"] = doc
    tok = Tokenizer.from_str(json.dumps(blank))
    trainer = trainers.BpeTrainer(
        vocab_size=n_vocab,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        min_frequency=2,
    )
    tok.train_from_iterator([CORPUS], trainer)
    model = json.loads(tok.to_str())["model"]
    merges = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in model["merges"]]
    return model["vocab"], merges


def _bpe(vocab, merges, merges_as_strings, **kw):
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": "",
        "end_of_word_suffix": "",
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": False,
        "vocab": vocab,
        "merges": [" ".join(m) for m in merges] if merges_as_strings else [list(m) for m in merges],
    }
    model.update(kw)
    return model


def _document(added_tokens, normalizer, pre_tokenizer, post_processor, decoder, model):
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added_tokens,
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": post_processor,
        "decoder": decoder,
        "model": model,
    }


def _with_ids(first, specs):
    return [added(first + i, content, **flags) for i, (content, flags) in enumerate(specs)]


def _orphan(merges, every):
    """Drops each `every`-th merge: its product stays in the vocabulary, out of reach of merging.

    Published vocabularies hold such words; `ignore_merges` decides whether they are ever used.
    """
    return [m for i, m in enumerate(merges) if i % every != every - 1]


def gpt2(n_vocab, extra=(), orphans=0):
    pre = byte_level()
    vocab, merges = _train([pre], n_vocab)
    if orphans:
        merges = _orphan(merges, orphans)
    specs = [("<|endoftext|>", {"normalized": True}), *extra]
    return _document(
        _with_ids(len(vocab), specs),
        None,
        pre,
        byte_level(trim_offsets=False),
        byte_level(),
        # The first published file has neither byte_fallback nor ignore_merges, and merges as "a b".
        {
            k: v
            for k, v in _bpe(vocab, merges, True).items()
            if k not in ("byte_fallback", "ignore_merges")
        },
    )


def llama3(n_vocab, extra=(), orphans=0):
    pre = [split(LLAMA3_PATTERN), byte_level(use_regex=False)]
    vocab, merges = _train(pre, n_vocab)
    if orphans:
        merges = _orphan(merges, orphans)
    specs = [
        (t, {})
        for t in (
            "<|begin_of_text|>",
            "<|end_of_text|>",
            "<|start_header_id|>",
            "<|end_header_id|>",
            "<|eot_id|>",
        )
    ]
    specs += extra
    tokens = _with_ids(len(vocab), specs)
    bos = tokens[0]
    one = {"SpecialToken": {"id": bos["content"], "type_id": 0}}
    a = {"Sequence": {"id": "A", "type_id": 0}}
    b = {"Sequence": {"id": "B", "type_id": 1}}
    template = {
        "type": "TemplateProcessing",
        "single": [one, a],
        "pair": [one, a, {"SpecialToken": {"id": bos["content"], "type_id": 1}}, b],
        "special_tokens": {
            bos["content"]: {
                "id": bos["content"],
                "ids": [bos["id"]],
                "tokens": [bos["content"]],
            }
        },
    }
    return _document(
        tokens,
        None,
        {"type": "Sequence", "pretokenizers": pre},
        {
            "type": "Sequence",
            "processors": [byte_level(add_prefix_space=True, trim_offsets=False), template],
        },
        byte_level(add_prefix_space=True),
        _bpe(vocab, merges, False, ignore_merges=True, continuing_subword_prefix=None,
             end_of_word_suffix=None),
    )


def qwen(n_vocab, extra=(), orphans=0, merges_as_strings=True):
    plain = byte_level(trim_offsets=False, use_regex=False)
    pre = [split(QWEN2_PATTERN), plain]
    vocab, merges = _train(pre, n_vocab)
    if orphans:
        merges = _orphan(merges, orphans)
    specs = [(t, {}) for t in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")] + list(extra)
    return _document(
        _with_ids(len(vocab), specs),
        {"type": "NFC"},
        {"type": "Sequence", "pretokenizers": pre},
        plain,
        plain,
        _bpe(vocab, merges, merges_as_strings),
    )


def characters(chars, extra=()):
    """One character, one token, bytes for the rest: the Llama 2 layout without a single merge."""
    vocab = {"<unk>": 0, "<s>": 1, "</s>": 2}
    for b in range(256):
        vocab[f"<0x{b:02X}>"] = len(vocab)
    for c in chars:
        vocab.setdefault(c, len(vocab))
    specs = [added(i, t) for i, t in enumerate(("<unk>", "<s>", "</s>"))]
    return _document(
        specs + _with_ids(len(vocab), extra),
        {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
        None,
        {
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": "<s>", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
            ],
            "pair": [
                {"SpecialToken": {"id": "<s>", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "<s>", "type_id": 1}},
                {"Sequence": {"id": "B", "type_id": 1}},
            ],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
        },
        {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
        },
        _bpe(vocab, [], False, unk_token="<unk>", fuse_unk=True, byte_fallback=True,
             continuing_subword_prefix=None, end_of_word_suffix=None),
    )


def load(document):
    return Tokenizer.from_str(json.dumps(document))


def size(document):
    ids = [t["id"] for t in document["added_tokens"]]
    return max(max(document["model"]["vocab"].values()), max(ids)) + 1


def write_json(path, document):
    """tokenizer.json as the library itself lays it out: two-space indent, characters unescaped."""
    text = json.dumps(document, ensure_ascii=False, indent=2)
    pathlib.Path(path).write_text(text + "\n", encoding="utf-8")


def merge_lines(document):
    return [m if isinstance(m, str) else " ".join(m) for m in document["model"]["merges"]]


def write_vocab_and_merges(folder, document):
    """The older pair of files: vocab.json and merges.txt."""
    vocab = dict(document["model"]["vocab"])
    text = json.dumps(vocab, ensure_ascii=False)
    (folder / "vocab.json").write_text(text + "\n", encoding="utf-8")
    lines = ["#version: 0.2", *merge_lines(document)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def add_to_gguf(writer, document, pre, n_vocab=None, bos=None, eos=None, add_bos=None,
                chat_template=None):
    """Writes tokenizer.ggml.* as llama.cpp's converter does; `pre` None means SentencePiece."""
    by_id = {i: t for t, i in document["model"]["vocab"].items()}
    kinds = {i: gguf.TokenType.NORMAL for i in by_id}
    ids = {}
    for t in document["added_tokens"]:
        # The converter takes what looks like <|...|> for control even where it is not "special".
        control = t["special"] or (t["content"].startswith("<|") and t["content"].endswith("|>"))
        kinds[t["id"]] = gguf.TokenType.CONTROL if control else gguf.TokenType.USER_DEFINED
        by_id[t["id"]] = t["content"]
        ids[t["content"]] = t["id"]
    n = n_vocab or size(document)
    tokens = [by_id.get(i, f"[PAD{i}]") for i in range(n)]
    types = [int(kinds.get(i, gguf.TokenType.UNUSED)) for i in range(n)]
    if pre is None:
        for i, t in enumerate(tokens):
            if t == "<unk>":
                types[i] = int(gguf.TokenType.UNKNOWN)
            elif len(t) == 6 and t.startswith("<0x"):
                types[i] = int(gguf.TokenType.BYTE)
        writer.add_tokenizer_model("llama")
        writer.add_tokenizer_pre("default")
        writer.add_token_list(tokens)
        writer.add_token_scores([-1000.0 if k == gguf.TokenType.USER_DEFINED else -float(i)
                                 for i, k in enumerate(types)])
        writer.add_token_types(types)
        writer.add_unk_token_id(0)
        writer.add_add_space_prefix(False)
    else:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(pre)
        writer.add_token_list(tokens)
        writer.add_token_types(types)
        writer.add_token_merges(merge_lines(document))
    everything = {**document["model"]["vocab"], **ids}
    if bos is not None:
        writer.add_bos_token_id(everything[bos])
    if eos is not None:
        writer.add_eos_token_id(everything[eos])
    if add_bos is not None:
        writer.add_add_bos_token(add_bos)
    if chat_template is not None:
        writer.add_chat_template(chat_template)
