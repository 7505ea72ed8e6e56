"""A differential corpus for the tokenizers: hard strings and what Hugging Face tokenizers makes of them.

Usage: python make_tokenizers.py [OUT]      (OUT defaults to ../fixtures/tokenizer)

OUT/<name>/ holds tokenizer.json, vocab.gguf (a vocabulary without tensors) and expected.json:

  {"prefix": [ids], "suffix": [ids],        what the post-processor puts around every text
   "encode": [{"text": string, or "hex": bytes that are not UTF-8,
               "ids": [...],                special tokens recognised, nothing put around
               "plain": [...],              where it differs: special tokens read as letters
               "gguf": [...],               where it differs: ids under vocab.gguf, which cannot say
                                            lstrip, rstrip, single_word or normalized
               "decoded": string}, ...],    where it differs from text: what ids decode to
   "decode": [{"ids": [...], "text": string,
               "skip": string}, ...]}       where it differs: special tokens left out

Strings may hold U+0000 (jansson: JSON_ALLOW_NUL). Ill-formed bytes count as U+FFFD, one for each
maximal subpart (Unicode 15, 3.9), before the reference sees them.

OUT/gpt2-files/ is gpt2 once more as vocab.json + merges.txt; OUT/gpt2/expected.json holds for both.
"""

import copy
import json
import pathlib
import random
import sys
import unicodedata

import tiny_tokenizers as tt

import gguf
import regex

HERE = pathlib.Path(__file__).parent

# --- strings ---------------------------------------------------------------------------------------


def classes(c):
    return tuple(bool(regex.match(p, c)) for p in (r"\p{L}", r"\p{N}", r"\p{M}", r"\s"))


def stable(code):
    """Assigned in Unicode 14, and of the same class for every later version: engines then agree."""
    if 0xD800 <= code < 0xE000:
        return False
    c = chr(code)
    kind = unicodedata.category(c)
    if kind == "Cn":
        return False
    return classes(c)[:3] == (kind[0] == "L", kind[0] == "N", kind[0] == "M")


CODES = [c for c in range(0x110000) if stable(c)]
BY_CATEGORY = {}
for _code in CODES:
    BY_CATEGORY.setdefault(unicodedata.category(chr(_code)), []).append(_code)
BY_BLOCK = {}
for _code in CODES:
    BY_BLOCK.setdefault(_code >> 8, []).append(_code)

BY_HAND = [
    "", " ", "  ", "   ", "\n", "\n\n", "\n\n\n", "\r\n", "\r\n\r\n", "\r", "\t", "\t\t", " \n", "\n ",
    " \n \n ", "\t\n\t", "\x0b", "\x0c", "a\x0bb\x0cc", "\x1c\x1d\x1e\x1f", "a\x1cb", "\x00", "a\x00b",
    "\x00\x00\x00", "\x7f", "\x01\x02\x03", "\x85", "a\x85b", " \x85 ", "a \x85", "\xa0", "a\xa0b", "\xa0\xa0a",
    "a \xa0 b", "\u1680x", "\u180e", "a\u180eb", "a \u180e b", "\u2000\u2001\u2002", "a\u2003b", "\u2028",
    "a\u2028b\u2029c", "\u202f1", "\u205fx", "\u3000", "\u3000夜", "夜\u3000\u3000深", "\u200b", "a\u200bb",
    " \u200b ", "\u200c\u200d", "\ufeff", "\ufeffabc", "abc\ufeff", "\u2060x", "\u00ad", "so\u00adft",
    "a", "A", "é", "e\u0301", "E\u0301cole", "\u0301", " \u0301", "a\u0301\u0301", "\u212b", "\u2126", "\u212a",
    "\u0041\u030a", "\u1e9b\u0323", "\u1e69", "s\u0323\u0307", "s\u0307\u0323", "\u0958", "\u0915\u093c",
    "\ufb1d", "\ufb2a", "\u05e9\u05c1", "\u0344", "\u2adc", "\U0001d15e", "\U0001d1bb", "\uac00", "\u1100\u1161",
    "\u1100\u1161\u11a8", "\uac00\u11a8", "\u1100\uac00", "\u1161\u11a8", "\uf900", "\ufa30", "\U0002f800",
    "\ufb01ne", "\ufb03", "\ufb05\ufb06", "\u0149", "\u01c6\u01c5", "\u0130\u0131", "\u1e9e\u00df", "\u03c2\u03c3",
    "\u0390", "\u1f71", "\u03ac", "q\u0307\u0323", "a\u0315\u0300\u05ae\u0062", "a\u0300\u05ae\u0315\u0062",
    "\u0b47\u0b3e", "\u1112\u1161\u11ab\u1100\u1173\u11af", "\u3099", "か\u3099", "は\u309a\u3099",
    "'s", "'S", "'t", "'T", "'re", "'RE", "'Re", "'rE", "'ve", "'VE", "'m", "'M", "'ll", "'LL", "'lL", "'d", "'D",
    "it's", "IT'S", "it'S", "don't", "DON'T", "we're", "WE'RE", "I've", "I'VE", "I'm", "i'll", "I'LL", "he'd",
    "HE'D", "o'clock", "rock'n'roll", "'tis", "'twas", "''s", "'''s", "'s's's", "it''s", "it' s", "it 's", " 's",
    "it\u2019s", "don\u2019t", "it\u02bcs", "'\u017f", "it'\u017f", "'\u017ft", "'\u1e9e", "s'", "'sa", "'tt",
    "'res", "'vex", "'mm", "'lll", "'da", "l'été", "qu'il", "d'où", "'été", "'夜", "x'9", "9's", "夜's", "!'s", "\n's",
    "'s\n", "'ll\r\n", "\t's", "a's b't c're d've e'm f'll g'd", "A'S B'T C'RE D'VE E'M F'LL G'D",
    "0", "9", "10", "123", "1234", "12345", "123456", "1234567", "12345678901234567890", " 1", "  12", "   123",
    "1 2 3", "12 34 56", "3.14159", "1,234,567.89", "1e10", "1E-5", "0x1F", "v2.0", "a1b2c3", "1a2b3c", "1st 2nd",
    "3夜4", "¼½¾", "x²y³", "①②③", "ⅧⅨ", "٠١٢٣٤٥", "०१२३४", "０１２３", "〇一二三", "𝟘𝟙𝟚𝟛𝟜", "1\u0660\u0966", "²1", "1²",
    "𐄇𐄈", "1\n2\r3", "1.2.3.4", "2026-11-23T12:34:56Z", "+1 (555) 010-9999", "100%", "$5", "€1.000,50", "№5", "§12",
    "hello", "Hello", "HELLO", " hello", "  hello", "   hello", "hello ", "hello  ", "hello\n", "hello \n", "hello\n ",
    "hello  \n  world", "hello\n\n\nworld", "hello\r\nworld", "hello\r\n\r\nworld", "hello\tworld", "\thello",
    "hello \t world", "\n\nhello", " \n\nhello", "hello world", "hello, world!", "hello ,world", "Hello!!!", "!!!",
    "...", "…", "?!", "(a)", "[b]", "{c}", "<d>", "\"quoted\"", "“quoted”", "«guillemets»", "「括弧」", "a-b_c.d/e\\f",
    "user@example.com", "https://example.org/?q=1&r=2#x", "C:\\temp\\new", "/usr/local/bin", "--flag=value",
    "a+b=c", "x**2", "x->y", "a&&b||c", "#include", "@decorator", "$var", "${x}", "`code`", "~~~", "^_^", "¯\\_(ツ)_/¯",
    ".\n", "!\n\n", "!\r\n", ";\n    }", "{\n\n\n}", ")\n)", " .\n", "...\n\n...", "?\r\r", "。\n", "，\n\n", " !\n !",
    "    if x:\n        y = 1\n", "\tif (x) {\n\t\ty();\n\t}\n", "for(;;){}", "x=1;y=2;", "a  b   c    d     e",
    "a \n b \n c", "   \n   ", "\n   \n", " \t \t ", "a   ", "a \u3000", "   a", "\u3000\u3000a",
    "夜", "夜深了", "夜深了。", "春天 的 山", "我想在apple工作1314151天～", "東京タワー", "ひらがなカタカナ漢字", "한국어 문장",
    "Привет, мир!", "ПРИВЕТ", "Γειά σου Κόσμε", "ΑΣ ας", "مرحبا بالعالم", "السَّلَامُ عَلَيْكُمْ", "שלום עולם", "שָׁלוֹם",
    "नमस्ते दुनिया", "हिन्दी में", "ক্ষ", "தமிழ் மொழி", "สวัสดีชาวโลก", "ไทย", "ກາຊ", "မြန်မာ", "ខ្មែរ", "བོད་ཡིག", "ᠮᠣᠩᠭᠣᠯ",
    "አማርኛ", "ქართული", "Հայերեն", "ⴰⵎⴰⵣⵉⵖ", "ᏣᎳᎩ", "Ünïcödé", "Zażółć gęślą jaźń", "İstanbul ışık", "ŒUVRE œuvre", "ǅ ǈ",
    "Việt Nam", "Vie\u0323\u0302t Nam", "cafe\u0301", "café", "naïve", "nai\u0308ve", "\u200fعربي\u200e abc",
    "\u202eabc\u202c", "a\u0308\u0323b", "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324",
    "🙂", "🙂🙂", " 🙂", "🙂 ", "a🙂b", "👍🏽", "👍🏻👍🏿", "❤️", "❤", "✌🏼️", "👩‍👩‍👧‍👦", "👨🏿‍🚀", "🏳️‍🌈", "🏴‍☠️", "🇩🇪", "🇩🇪🇨🇳", "🇩",
    "🇩🇪🇨", "#️⃣", "1️⃣", "*️⃣", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "👩🏽‍❤️‍💋‍👨🏿", "🧑🏻‍🤝‍🧑🏿",
    "\u200d", "👩\u200d", "\ufe0f", "\U000e0100", "葛\U000e0100", "𠮷野家", "𓀀𓁀", "𐍈", "𝒳𝓎𝔷", "𝔸𝔹ℂ", "🂡", "\ue000", "\uf8ff",
    "\U000f0000", "\U0010fffd", "\ufffd", "a\ufffdb", "\ufffe", "\uffff", "\U0001fffe", "\U0010ffff", "\ufdd0",
    "Ġhello", "Ċ", "ĠĠ", "▁", "▁hello", "hello▁world", "▁▁ ▁", "<0x0A>", "<0x41>", "<unk>", "<s>", "</s>", "<|", "|>",
    "<|endoftext|", "<|endoftext|>", "<|ENDOFTEXT|>", "<| endoftext |>", "## heading", "**bold**", "| a | b |",
    "{\"key\": [1, 2.5, null, true]}", "<p>&amp;</p>", "SELECT * FROM t WHERE a='b';", "\\n\\t\\u0041", "%d %s\n",
    "aaaa", "aaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "abababab", "hahahaha", "=====", "==========",
    "international internationalization", "misunderstanding", "moonlight moonrise moonstone", " understanding",
    "The poet writes the poem; the poem writes the poet.", "tokenizer", " tokenizer", "tokenizers", "Tokenizer",
]


def strings(seed):
    rng = random.Random(seed)
    out = list(BY_HAND)

    def pick(alphabet, lo, hi):
        return "".join(rng.choice(alphabet) for _ in range(rng.randint(lo, hi)))

    # Whitespace beside everything the patterns tell apart.
    space = [" ", " ", " ", "\n", "\r\n", "\r", "\t", "\u3000", "\xa0"]
    for _ in range(200):
        out.append(pick(space + ["a", "Z", "é", "1", ".", "!?", "夜", "'", "'s", "🙂"], 2, 14))
    # Apostrophes.
    for _ in range(60):
        out.append(pick(["'", "'", "\u2019", "s", "S", "t", "T", "re", "VE", "m", "ll", "Ll", "d", "\u017f",
                         " ", "x", "7", ".", "\n"], 2, 10))
    for c in ("s", "t", "re", "ve", "m", "ll", "d"):
        for form in (c, c.upper(), c.title()):
            out.append(f"x'{form}{rng.choice('aeiosth')}y'{form}{rng.choice('AEIOSTH')}")
    out += ["x'\u017fa", "'\u017fo", "A'\u017fa's"]
    out += ["²1²", "x½!", "3Ⅷ3", "a²?", "5²!", "²1"]
    for c in SPACES + NEARLY_SPACES:
        out += [f"!{c}!", f"a{c}{c}b", f"!{c}{c}1", f"?{c}\n", f" {c}.{c}", f"{c} x"]
    # Digits of several scripts.
    digits = "0123456789" * 3 + "٣७８²Ⅷ½〇"
    for _ in range(50):
        out.append(pick(list(digits) + [" ", ".", ",", "a"], 1, 16))
    # Each general category, then each block of 256 with something assigned.
    for codes in BY_CATEGORY.values():
        for _ in range(4):
            out.append("".join(chr(rng.choice(codes)) for _ in range(rng.randint(3, 8))))
    blocks = sorted(BY_BLOCK)
    small = [b for b in blocks if b < 0x32 or 0xA0 <= b < 0xAC or 0xF9 <= b]
    for b in rng.sample(small, min(170, len(small))):
        codes = BY_BLOCK[b]
        word = "".join(chr(rng.choice(codes)) for _ in range(rng.randint(2, 6)))
        out.append(word + rng.choice(["", " ", ".", "1"]) + chr(rng.choice(codes)))
    for _ in range(100):
        out.append("".join(chr(rng.choice(CODES)) for _ in range(rng.randint(2, 6))))
    for _ in range(60):  # all planes and categories beside ASCII
        alphabet = [chr(rng.choice(BY_BLOCK[rng.choice(blocks)])) for _ in range(4)]
        out.append(pick(alphabet + [" ", "a", "1", "\n", "'"], 4, 10))
    # Bases with stacks of marks: canonical order and composition.
    marks = [c for c in BY_CATEGORY["Mn"] if unicodedata.combining(chr(c))]
    latin_marks = list(range(0x300, 0x345))
    for i in range(110):
        s = ""
        for _ in range(rng.randint(1, 4)):
            s += rng.choice("aeiouAEOUsndяαかはक\u1100\u1161\u11a8가")
            for _ in range(rng.randint(0, 3)):
                s += chr(rng.choice(latin_marks if i % 3 else marks))
        out.append(s)
    decomposing = [c for c in CODES if unicodedata.normalize("NFC", chr(c)) != chr(c)]
    decomposable = [c for c in CODES if unicodedata.normalize("NFD", chr(c)) != chr(c)
                    and not 0xAC00 <= c < 0xD7A4]
    for _ in range(30):
        out.append("".join(chr(rng.choice(decomposing)) for _ in range(5)))
        out.append(unicodedata.normalize("NFD", "".join(chr(rng.choice(decomposable)) for _ in range(4))))
    # Text and code.
    for _ in range(110):
        at = rng.randrange(len(tt.CORPUS) - 100)
        out.append(tt.CORPUS[at : at + rng.randint(5, 90)])
    words = tt.CORPUS.split()
    for _ in range(60):
        out.append(rng.choice([" ", "  ", "\n", ""]).join(rng.sample(words, rng.randint(2, 6))))
    for _ in range(30):
        out.append("".join(rng.choice([str.upper, str.lower, str.title])(w)
                           for w in rng.sample(words, 4)))
    # Repeats.
    for unit, n in (("a", 300), (" ", 150), ("\n", 100), ("\r\n", 40), ("ab", 100), ("é", 50), ("🙂", 24), ("=", 130),
                    ("的", 60), ("1", 60), ("'s", 50), ("e\u0301", 40), ("a ", 60), (" \n", 40), ("!", 70), ("\t", 40),
                    ("\u0301", 30), ("aaaaaaaaa ", 12), ("<|", 30), ("the poet ", 12)):
        out.append(unit * n)
    return out


def ill_formed(seed):
    """Bytes that are not UTF-8: cut, overlong, surrogate, out of range, stray, random."""
    rng = random.Random(seed)
    out = [bytes.fromhex(h) for h in (
        "80", "bf", "ff", "fe", "c0", "c1bf", "c080", "e0", "e080", "e08080", "e09fbf", "eda080", "edbfbf",
        "eda080edb080", "f0", "f08080", "f0808080", "f08fbfbf", "f48fbfbf80", "f4908080", "f5808080", "f888808080",
        "e5a4", "e5a4e5a49c", "f09f99", "f09f9982f09f99", "c3", "c3c3a9", "61c3", "c361", "61ff62", "ffffff",
        "e5a49ce6b7", "20e5", "e520", "0ac30a", "2773c3", "31803132", "f09f2798", "efbfbdef", "efbf", "eda0bd00",
        "6162c3a9ff636420e6b7b1f09f99", "3c7c656e646f66746578747c3eff", "ff3c7c656e646f66746578747c3e",
    )]
    for _ in range(20):
        text = bytearray("It's 夜深了, 12é🙂\n".encode())
        for _ in range(rng.randint(1, 3)):
            text[rng.randrange(len(text))] = rng.randrange(256)
        out.append(bytes(text))
    out += [bytes(rng.randrange(256) for _ in range(rng.randint(2, 12))) for _ in range(20)]
    return [b for b in out if not is_utf8(b)]


def is_utf8(data):
    try:
        data.decode("utf-8")
        return True
    except UnicodeDecodeError:
        return False


def around_added_tokens(document, seed):
    rng = random.Random(seed)
    tokens = [t["content"] for t in document["added_tokens"]]
    out = []
    for t in tokens:
        out += [t, t + t, f" {t}", f"{t} ", f"  {t}  ", f"a{t}b", f"a {t} b", f"a  \n{t}\t b", f"夜{t}深",
                f"\n{t}\n", f"1{t}2", f"'{t}'s", f"e\u0301{t}e\u0301", t[:-1], t[1:], t.upper(), f"\u3000{t}\u3000",
                f"{t}_x", f"_{t}", t.replace(" ", "\u2581") + "x", f"{t}!{t}", unicodedata.normalize("NFD", t) + "x",
                unicodedata.normalize("NFC", t) + "1"]
    filler = ["", " ", "  ", "\n", "a", "The poet", "夜", "1", ".", "'s", "e\u0301", "\t", "s"]
    for _ in range(90):
        out.append("".join(rng.choice(filler) + rng.choice(tokens) + rng.choice(filler)
                           for _ in range(rng.randint(2, 4))))
    return out


# Every White_Space character but the ASCII space, tab and line ends; and what engines differ on.
SPACES = "\x0b\x0c\x85\xa0\u1680\u2003\u2007\u200a\u2028\u2029\u202f\u205f\u3000"
NEARLY_SPACES = "\x1c\x1f\u180e\u200b\u2060\ufeff"

CONTRACTIONS = "'s|'t|'re|'ve|'m|'ll|'d"
# What the ByteLevel pre-tokenizer has built in.
GPT2_PATTERN = CONTRACTIONS + r"| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

# --- the tokenizers --------------------------------------------------------------------------------

FLAGGED = [
    ("<|fim|>", {}),
    ("<mask>", {"lstrip": True}),  # as RoBERTa's
    ("<r>", {"rstrip": True}),
    ("<lr>", {"lstrip": True, "rstrip": True}),
    ("<ab>", {}),
    ("<ab>c", {}),  # the longest match at a place wins
    ("b>c<", {"special": False}),  # the leftmost match wins
    ("tokenizer", {"special": False, "single_word": True, "normalized": True}),
    ("    ", {"special": False, "normalized": False}),
    ("月光", {"special": False, "normalized": True}),
]
QWEN_EXTRA = [
    ("<think>", {"special": False}),
    ("</think>", {"special": False}),
    ("<tool_call>", {"special": False, "normalized": False}),
    ("caf\u00e9", {"special": False, "normalized": True}),  # met in either normal form
    ("n\u0303o", {"special": False, "normalized": True}),
    ("e\u0301te\u0301", {"special": False, "normalized": False}),
    *FLAGGED,
]
POET_EXTRA = [
    ("<诗>", {}),
    ("<题>", {}),
    ("<体:七律>", {}),
    ("<end>", {"lstrip": True, "rstrip": True}),
    ("a b", {"special": False, "normalized": True}),  # is "a▁b" once normalised
    ("c d", {"special": False, "normalized": False}),
    ("春风", {"special": False, "normalized": True}),
]


def crossing_texts():
    """What a pattern must cut, uncut: contractions in both cases before letters, and the hard strings."""
    parts = []
    for c in ("s", "t", "re", "ve", "m", "ll", "d"):
        for follow in "aeiosth":
            parts += [f"'{c}{follow}", f"'{c.upper()}{follow.upper()}", f"'{c.upper()}{follow}"] * 9
    parts += ["½!", "²1", "3Ⅷ", "²?", "12345678", "2345", "345 ", " ½", "²²", "a²", "q\u0307", "x\u0301", " \x85", "a\x85", ".\n", "!\n\n"] * 9
    for c in SPACES + NEARLY_SPACES:
        parts += [f"!{c}!", f"{c}{c}", f"{c}1", f"{c}b", f"{c}\n"] * 9
    parts += ["'\u017fa", "'\u017fo"] * 9
    return parts + BY_HAND * 2


def poet_characters():
    keep = sorted({c for c in tt.CORPUS if c.isalnum() or c in "，。！？：；“”,.!?'\n"})
    return ["\u2581"] + keep


def documents():
    """name, tokenizer.json, GGUF vocabulary."""
    crossing = (crossing_texts(), 800)
    return [
        ("gpt2", tt.gpt2(900, FLAGGED, 11, crossing),
         {"pre": "gpt-2", "bos": "<|endoftext|>", "eos": "<|endoftext|>"}),
        ("llama3", tt.llama3(900, FLAGGED, 5, crossing),
         {"pre": "llama-bpe", "bos": "<|begin_of_text|>", "eos": "<|end_of_text|>"}),
        ("qwen2", tt.qwen(900, QWEN_EXTRA, 9, crossing),
         {"pre": "qwen2", "eos": "<|im_end|>", "add_bos": False,
          "chat_template": tt.CHATML_TEMPLATE}),
        ("characters", tt.characters(poet_characters(), POET_EXTRA),
         {"pre": None, "bos": "<s>", "eos": "</s>", "add_bos": True}),
    ]


def without_flags(document):
    """The same tokenizer as a GGUF file can say it."""
    d = copy.deepcopy(document)
    for t in d["added_tokens"]:
        t.update(single_word=False, lstrip=False, rstrip=False, normalized=False)
    return d


# --- expectations ----------------------------------------------------------------------------------


def encode(tokenizer, text):
    return tokenizer.encode(text, add_special_tokens=False).ids


def expectations(name, document, seed):
    main = tt.load(document)
    plain = tt.load(document)
    plain.encode_special_tokens = True
    bare = tt.load(without_flags(document))

    prefix, suffix = [], []
    around = main.encode("x").ids
    core = encode(main, "x")
    at = next(i for i in range(len(around)) if around[i : i + len(core)] == core)
    prefix, suffix = around[:at], around[at + len(core) :]

    texts = [(t, None) for t in around_added_tokens(document, seed) + strings(seed)]
    texts += [(b.decode("utf-8", "replace"), b) for b in ill_formed(seed)]
    # Words made of the vocabulary's own tokens, those out of reach of merging among them.
    rng = random.Random(seed)
    normal = [i for i in sorted(document["model"]["vocab"].values())]
    for _ in range(150):
        ids = rng.choices(normal, k=rng.randint(1, 5))
        texts.append((main.decode(ids, skip_special_tokens=False), None))

    encodes, seen = [], set()
    for text, raw in texts:
        if (text, raw) in seen:
            continue
        seen.add((text, raw))
        ids = encode(main, text)
        assert main.encode(text).ids == prefix + ids + suffix, text
        case = {"text": text} if raw is None else {"hex": raw.hex()}
        case["ids"] = ids
        if (other := encode(plain, text)) != ids:
            case["plain"] = other
        if (other := encode(bare, text)) != ids:
            case["gguf"] = other
        if (decoded := main.decode(ids, skip_special_tokens=False)) != text:
            case["decoded"] = decoded
        encodes.append(case)

    decodes = []
    everything = sorted({t["id"] for t in document["added_tokens"]} | set(normal))
    bytes_first = normal[:260]
    for i in range(220):
        pool = (everything, bytes_first, bytes_first + [t["id"] for t in document["added_tokens"]])[i % 3]
        ids = rng.choices(pool, k=rng.randint(1, 8))
        case = {"ids": ids, "text": main.decode(ids, skip_special_tokens=False)}
        if (other := main.decode(ids, skip_special_tokens=True)) != case["text"]:
            case["skip"] = other
        decodes.append(case)
    return {"prefix": prefix, "suffix": suffix, "encode": encodes, "decode": decodes}


def alterations(name, document):
    """Mistakes a reader could make, each of which the corpus must catch."""
    d = copy.deepcopy(document)
    for t in d["added_tokens"]:
        t["lstrip"] = False
    yield "lstrip ignored", d
    d = copy.deepcopy(document)
    for t in d["added_tokens"]:
        t["rstrip"] = False
    yield "rstrip ignored", d
    d = copy.deepcopy(document)
    for t in d["added_tokens"]:
        t["single_word"] = False
    if d != document:
        yield "single_word ignored", d
    d = copy.deepcopy(document)
    for t in d["added_tokens"]:
        t["normalized"] = False
    if document["normalizer"]:
        yield "normalized ignored", d
    d = copy.deepcopy(document)
    if d["normalizer"]:
        d["normalizer"] = None
        yield "no normaliser", d
    if name == "characters":
        d = copy.deepcopy(document)
        d["model"]["byte_fallback"] = False
        yield "no byte fallback", d
        return
    patterns = {"gpt2": None, "llama3": tt.LLAMA3_PATTERN, "qwen2": tt.QWEN2_PATTERN}
    for other, pattern in patterns.items():
        if other != name:
            d = copy.deepcopy(document)
            d["pre_tokenizer"] = (
                tt.byte_level() if pattern is None else
                {"type": "Sequence",
                 "pretokenizers": [tt.split(pattern), tt.byte_level(use_regex=False)]})
            yield f"{other}'s pattern", d
    own = patterns[name] or GPT2_PATTERN
    changes = [
        ("marks taken for letters", r"\p{L}+", r"[\p{L}\p{M}]+"),
        ("numbers are Nd", r"\p{N}", r"\p{Nd}"),
        ("no lookahead", r"|\s+(?!\S)", ""),
    ]
    changes += [(f"U+{ord(c):04X} is no space", r"\s", f"[^\\S{c}]") for c in SPACES]
    changes += [(f"U+{ord(c):04X} is a space", r"\s", f"[\\s{c}]") for c in NEARLY_SPACES]
    if name == "gpt2":
        changes += [("contractions in any case", CONTRACTIONS, f"(?i:{CONTRACTIONS})")]
    else:
        changes += [
            ("contractions case-sensitive", "(?i:", "(?:"),
            ("\u017f is no s", "(?i:'s|", "'[sS]|(?i:"),
            ("no newline branch", r"|\s*[\r\n]+", ""),
        ]
    for what, old, new in changes:
        assert old in own
        d = copy.deepcopy(document)
        d["pre_tokenizer"] = {
            "type": "Sequence",
            "pretokenizers": [tt.split(own.replace(old, new)), tt.byte_level(use_regex=False)],
        }
        yield what, d
    d = copy.deepcopy(document)
    d["model"]["ignore_merges"] = not document["model"].get("ignore_merges", False)
    yield "ignore_merges inverted", d
    d = copy.deepcopy(document)
    d["model"]["merges"] = d["model"]["merges"][::-1]
    yield "merges in the wrong order", d


def check_alterations_are_caught(name, document, expected):
    for what, altered in alterations(name, document):
        tok = tt.load(altered)
        caught = 0
        for case in expected["encode"]:
            text = case.get("text")
            if text is not None:
                caught += encode(tok, text) != case["ids"]
        print(f"    {what}: {caught} cases differ")
        assert caught, "the corpus would not see this mistake"


def write_expected(path, expected):
    """One case a line, so that a change can be read."""
    lines = [f'{{"prefix": {json.dumps(expected["prefix"])}, "suffix": {json.dumps(expected["suffix"])},']
    for key in ("encode", "decode"):
        rows = [json.dumps(c, ensure_ascii=False, separators=(",", ":")) for c in expected[key]]
        lines.append(f'"{key}": [\n' + ",\n".join(rows) + ("\n]," if key == "encode" else "\n]}"))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    assert json.loads(path.read_text(encoding="utf-8")) == expected


def write_vocab_gguf(path, name, document, vocab):
    arch = {"gpt2": "gpt2", "llama3": "llama", "qwen2": "qwen2", "characters": "llama"}[name]
    w = gguf.GGUFWriter(str(path), arch)
    w.add_type(gguf.GGUFType.MODEL)
    w.add_name(f"inkstone tiny {name} vocabulary")
    w.add_block_count(1)
    w.add_context_length(512)
    w.add_embedding_length(64)
    w.add_feed_forward_length(64)
    w.add_head_count(4)
    if arch == "gpt2":
        w.add_layer_norm_eps(1e-5)
    else:
        w.add_head_count_kv(4)
        w.add_layer_norm_rms_eps(1e-5)
        w.add_rope_freq_base(10000.0)
        w.add_vocab_size(tt.size(document))
    tt.add_to_gguf(w, document, **vocab)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.close()


def main():
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "fixtures" / "tokenizer"
    for seed, (name, document, vocab) in enumerate(documents(), 1):
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        tt.write_json(folder / "tokenizer.json", document)
        write_vocab_gguf(folder / "vocab.gguf", name, document, vocab)
        expected = expectations(name, document, seed)
        write_expected(folder / "expected.json", expected)
        n_other = sum("gguf" in c for c in expected["encode"])
        print(f"{name}: {tt.size(document)} tokens, {len(expected['encode'])} texts, "
              f"{len(expected['decode'])} decodings, {n_other} beyond GGUF, "
              f"{(folder / 'expected.json').stat().st_size} bytes")
        check_alterations_are_caught(name, document, expected)
        if name == "gpt2":
            files = out / "gpt2-files"
            files.mkdir(exist_ok=True)
            tt.write_vocab_and_merges(files, document)


if __name__ == "__main__":
    main()
