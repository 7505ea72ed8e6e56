#!/usr/bin/env python3
"""Loads the poet's tokenizer.json with Hugging Face tokenizers and transformers and checks that one
character is one token, that others become bytes, and that text comes back as it went in.

  check_poet_tokenizer.py DIR      a folder that `inkstone train data poetry` wrote
"""
import json
import sys

from tokenizers import Tokenizer
from transformers import AutoTokenizer

folder = sys.argv[1]
tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
vocabulary = json.load(open(f"{folder}/tokenizer.json", encoding="utf-8"))["model"]["vocab"]
assert tokenizer.get_vocab_size() == len(vocabulary)
for token, id in vocabulary.items():
    if not (token.startswith("<0x") and token.endswith(">")):
        assert tokenizer.encode(token).ids == [id], token

text = "<bos><体:七律><朝:宋><作>苏轼<题>山居<意>梅花、明月<诗>空山新雨后，天气晚来秋。\nZ😀"
ids = tokenizer.encode(text).ids
assert tokenizer.decode(ids, skip_special_tokens=False) == text
assert tokenizer.encode("😀").tokens == ["<0xF0>", "<0x9F>", "<0x98>", "<0x80>"]

auto = AutoTokenizer.from_pretrained(folder)
assert auto(text).input_ids == ids
assert (auto.pad_token_id, auto.bos_token_id, auto.eos_token_id, auto.unk_token_id) == (0, 1, 2, 3)
assert auto.decode(ids, skip_special_tokens=True).startswith("苏轼山居")
print(f"{len(vocabulary)} tokens: as expected")
