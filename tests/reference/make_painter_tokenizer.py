#!/usr/bin/env python3
"""Writes tests/fixtures/train/painter-tokenizer: a tokenizer of `inkstone train data pictures` and the ids
that transformers' CLIPTokenizer gives with it.

  make_painter_tokenizer.py DIR      the tokenizer folder that the command wrote
"""
import json
import os
import shutil
import sys

from transformers import CLIPTokenizer

source = sys.argv[1]
target = os.path.join(os.path.dirname(__file__), "../fixtures/train/painter-tokenizer")
os.makedirs(target, exist_ok=True)
for name in ("vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"):
    shutil.copy(os.path.join(source, name), os.path.join(target, name))
tokenizer = CLIPTokenizer.from_pretrained(target)
assert tokenizer.model_max_length == 32 and tokenizer.pad_token == "<|endoftext|>"

things = [("cat", "猫", "只"), ("red apple", "红苹果", "个"), ("piñata", "彩罐", "个"), ("woman's hat", "女帽", "顶"),
          ("T-Rex", "霸王龙", "只"), ("jack-o-lantern", "南瓜灯", "个"), ("DNA", "DNA", "条"), ("X-ray", "X光片", "张")]
texts = [
    "", " ", "龘 unicorn's  zzqx", "ＡＢＣ 全角，。！", "Café naïve ÉCLAIR", "  一 只\t猫  ", "1234 五6", "😀 猫🐱",
    "don't can't I'M we'll", "a-b_c...!?", "ΣΑΣ ß", "한국어 ねこ", "e\u0301", "“引号”《书》", "一隻藍色的貓", "3个苹果",
]
for english, chinese, measure in things:
    texts += [f"a {english}", english.upper(), f"a blue {english} and a star", f"three {english}s, pixel art",
              f"一{measure}{chinese}", f"一{measure}蓝色的{chinese}和一颗星星", f"左边是{chinese}，右边是月亮", f"画{chinese}",
              f"{chinese}的剪影", f"{chinese}{english}", f"{english}{chinese}", f"{english} on a gray background"]
expected = [{"text": text, "ids": tokenizer(text).input_ids} for text in texts]
with open(os.path.join(target, "expected.json"), "w", encoding="utf-8") as file:
    file.write("[\n" + ",\n".join(json.dumps(item, ensure_ascii=False) for item in expected) + "\n]\n")
print(len(expected), "texts")
