#!/usr/bin/env python3
"""Derives the forms of ci (词牌) in src/lang/data/ci.txt from the ci of chinese-poetry.

Development only: the output is committed, and the same inputs give the same bytes.

  tools/build_ci_forms.py --corpus chinese-poetry [--data src/lang/data] [--report report.md]

For each tune of tools/prosody/tunes.tsv: the modal pattern of clause lengths and marks, and further
patterns that a good share of its poems follow; for each place the tone that nearly all poems have
there; the clause ends that rhyme together. See docs/prosody.md.
"""

import argparse
import collections
import os
import re
import sys

from build_prosody import DAMAGED, HERE, read_verse, table

# A place demands a tone when at least this share of the poems has it there.
FIXED_SHARE = 0.90
# Two clause ends rhyme when at least this share of the poems lets them.
RHYME_SHARE = 0.60
# A further pattern is kept when this share of the tune's poems, and this many of them, follow it.
PATTERN_SHARE, PATTERN_POEMS, PATTERNS = 0.08, 20, 4
# A clause repeats the end of the one before it when this share of the poems does so.
ECHO_SHARE = 0.90


class Book:
    """The rhyme book and the simplification table as committed."""

    def __init__(self, data):
        self.level = collections.defaultdict(set)  # character -> {is level}, common readings
        self.keys = collections.defaultdict(set)  # character -> {(ci class, is level)}, all readings
        for tone, _, ci, common, rare in table(os.path.join(data, "pingshui.tsv")):
            for char in common:
                self.level[char].add(tone == "平")
            for char in common + rare:
                self.keys[char].add((int(ci), tone == "平"))
        self.simple = {}
        for standard, forms in table(os.path.join(data, "simplify.tsv")):
            for form in forms:
                self.simple[form] = standard

    def simplify(self, text):
        return "".join(self.simple.get(c, c) for c in text)


class Poem:
    """Characters of a poem without marks, and the mark after each clause by its end."""

    def __init__(self, clauses):
        self.text = "".join(text for text, _ in clauses)
        self.marks, at = {}, 0
        for text, mark in clauses:
            at += len(text)
            self.marks[at] = mark

    def pattern(self):
        return tuple(self.marks.items())

    def follows(self, pattern):
        """Same length; clause ends of the pattern all here but for 、, and no others."""
        ends = dict(pattern)
        return (max(ends) == len(self.text) and self.marks.keys() <= ends.keys()
                and all(end in self.marks for end, mark in ends.items() if mark != "、"))


def read_poems(corpus, book):
    """Tune -> poems; and tune -> other names by which its poems go."""
    poems, aliases = collections.defaultdict(list), collections.defaultdict(collections.Counter)
    for item in read_verse(corpus, "宋词/ci.song.*.json"):
        names = item["rhythmic"].split("・")
        text = re.sub("[？！；]", "。", "".join(item["paragraphs"]))
        if DAMAGED.search(text) or re.search("[…A-Za-z ]", text):
            continue
        clauses = [(a, b[0].replace("：", "，"))
                   for a, b in re.findall("([^，。、：]+)([，。、：]+)", book.simplify(text))]
        if clauses:
            poems[names[-1]].append(Poem(clauses))
            for name in names[:-1]:
                aliases[names[-1]][name] += 1
    return poems, aliases


def patterns_of(poems):
    """[(pattern, poems that follow it)], the most followed first."""
    left, found = list(poems), []
    while left and len(found) < PATTERNS:
        counts = collections.Counter(p.pattern() for p in left)
        # Among equals, the first in order: the result depends on the corpus alone.
        pattern = min(counts, key=lambda p: (-counts[p], p))
        follow = [p for p in left if p.follows(pattern)]
        if found and (len(follow) < PATTERN_POEMS or len(follow) < PATTERN_SHARE * len(poems)):
            break
        found.append((pattern, follow))
        left = [p for p in left if not p.follows(pattern)]
    return found


def rhyming(poems, ends, book):
    """Group clause ends that rhyme: end -> label index."""
    def share(i, j, same_side):
        good = 0
        for p in poems:
            a, b = book.keys.get(p.text[i - 1], set()), book.keys.get(p.text[j - 1], set())
            if same_side:
                good += bool(a & b)
            else:
                good += any(ci == other and level != side for ci, level in a for other, side in b)
        return good / len(poems)

    label = {}
    for n, i in enumerate(ends):
        for j in ends[n + 1:]:
            if share(i, j, True) >= RHYME_SHARE or share(i, j, False) >= RHYME_SHARE:
                a, b = label.setdefault(i, i), label.setdefault(j, j)
                for end in label:
                    if label[end] == max(a, b):
                        label[end] = min(a, b)
    order = sorted(set(label.values()))
    return {end: order.index(first) for end, first in sorted(label.items())}


def tones(poems, size, labels, book):
    """(mask, share of level) for each place. A rhyme is on the side that most poems put it."""
    out = []
    for at in range(size):
        votes = [next(iter(t)) for t in (book.level.get(p.text[at], ()) for p in poems) if len(t) == 1]
        share = sum(votes) / max(1, len(votes))
        fixed = 0.5 if at + 1 in labels else FIXED_SHARE
        out.append(("平" if share >= fixed else "仄" if share <= 1 - fixed else "中", share))
    return out


def one_variety(poems, ends, labels, book):
    """Leave out poems whose first rhyme is on the less common side: another variety of the tune."""
    if not labels:
        return poems
    first = min(labels)
    side = lambda p: book.level.get(p.text[first - 1], set())
    level = sum(side(p) == {True} for p in poems)
    deflected = sum(side(p) == {False} for p in poems)
    return [p for p in poems if side(p) != {level < deflected}]


def echoes(poems, ends):
    """Clause ends whose clause repeats the last characters of the clause before."""
    out, starts = set(), [0] + ends[:-1]
    for i in range(1, len(ends)):
        size = ends[i] - starts[i]
        if size > ends[i - 1] - starts[i - 1]:
            continue
        same = sum(p.text[starts[i]:ends[i]] == p.text[ends[i - 1] - size:ends[i - 1]] for p in poems)
        if same >= ECHO_SHARE * len(poems):
            out.add(ends[i])
    return out


def legal(poem, masks, labels, book):
    for char, (mask, _) in zip(poem.text, masks):
        levels = {level for _, level in book.keys.get(char, ())}
        if mask != "中" and (mask == "平") not in levels:
            return False
    alive = {}
    for end, label in labels.items():
        mask = masks[end - 1][0]
        classes = {ci for ci, level in book.keys.get(poem.text[end - 1], ())
                   if mask == "中" or level == (mask == "平")}
        alive[label] = alive.get(label, classes) & classes
        if not alive[label]:
            return False
    return True


def write_pattern(out, pattern, masks, labels, echo, sentences):
    start, sentence = 0, 0
    for end, mark in pattern:
        line = ("=" if end in echo else "") + "".join(mask for mask, _ in masks[start:end])
        if end in labels:
            line += "ABCDEFGHIJKL"[labels[end]]
        # 。 marks a rhyme; where poems differ in whether a sentence end rhymes, it does not here.
        out.append(line + ("，" if mark == "。" and end not in labels else mark))
        start = end
        if mark == "。" and end != pattern[-1][0]:
            sentence += 1
            if sentence == sentences:
                out.append("-")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--data", default=os.path.join(HERE, "..", "src", "lang", "data"))
    parser.add_argument("--report")
    args = parser.parse_args()

    book = Book(args.data)
    poems, aliases = read_poems(args.corpus, book)
    out = ["# Forms of ci, derived from the ci of chinese-poetry by tools/build_ci_forms.py",
           "# (docs/prosody.md). form: names; pattern: its share of the poems; then a clause a line:",
           "# tones, the letter of its rhyme, its mark; = where it repeats the end of the clause before;",
           "# - between stanzas."]
    report = ["| tune | poems | pattern | follows it | characters | legal |", "|---|---|---|---|---|---|"]
    for tune, sentences, names in table(os.path.join(HERE, "prosody", "tunes.tsv")):
        own = poems[tune]
        out += ["", "form " + " ".join([tune] + [n for n in names.split() if n != "-"])]
        number = 0
        for pattern, follow in patterns_of(own):
            ends = [end for end, mark in pattern if mark != "、"]
            follow = one_variety(follow, ends, rhyming(follow, ends, book), book)
            if number and len(follow) < PATTERN_POEMS:
                continue
            number += 1
            labels = rhyming(follow, ends, book)
            masks = tones(follow, pattern[-1][0], labels, book)
            share = len(follow) / len(own)
            good = sum(legal(p, masks, labels, book) for p in follow) / len(follow)
            report.append(f"| {tune} | {len(own)} | {number} | {share:.1%} | {pattern[-1][0]} | {good:.1%} |")
            out.append(f"pattern {'正体' if number == 1 else '又一体'} {share:.3f}")
            write_pattern(out, pattern, masks, labels, echoes(follow, [e for e, _ in pattern]),
                          int(sentences))
            for end in labels:  # what a reviewer should look at
                if 0.1 < masks[end - 1][1] < 0.9:
                    print(f"{tune} {number}: rhyme at {end} is level in {masks[end - 1][1]:.0%}",
                          file=sys.stderr)
    with open(os.path.join(args.data, "ci.txt"), "w", encoding="utf-8", newline="\n") as f:
        f.write("\n".join(out) + "\n")
    if args.report:
        with open(args.report, "w", encoding="utf-8") as f:
            f.write("\n".join(report) + "\n")


if __name__ == "__main__":
    sys.exit(main())
