#!/usr/bin/env python3
"""Builds the rhyme book and the simplification table of src/lang/data.

Development only: the outputs are committed, and the same inputs give the same bytes.

  tools/build_prosody.py --guangyun guangyun.csv --opencc OpenCC/data/dictionary \
      --corpus chinese-poetry [--check Pingshui_Rhyme.json] [--out src/lang/data]

Inputs: 廣韻 as a table (nk2028/tshet-uinh-data, CC0), OpenCC's TSCharacters.txt (Apache-2.0), the
verse of chinese-poetry (MIT; public-domain texts), and the hand-made tables in tools/prosody.
How the tables come about, and with what agreement: docs/prosody.md.
"""

import argparse
import collections
import csv
import glob
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

# 平水韻: each of the 106 groups and the rhymes of 廣韻 it unites (the 同用 of the Tang examinations as
# Liu Yuan's edition fixed them). 嚴 goes with 鹽 in the level tone, its entering tone 業 with 洽.
PINGSHUI = {
    "平": """一东:東 二冬:冬鍾 三江:江 四支:支脂之 五微:微 六鱼:魚 七虞:虞模 八齐:齊 九佳:佳皆
        十灰:灰咍 十一真:真諄臻 十二文:文欣 十三元:元魂痕 十四寒:寒桓 十五删:刪山
        一先:先仙 二萧:蕭宵 三肴:肴 四豪:豪 五歌:歌戈 六麻:麻 七阳:陽唐 八庚:庚耕清 九青:青
        十蒸:蒸登 十一尤:尤侯幽 十二侵:侵 十三覃:覃談 十四盐:鹽添嚴 十五咸:咸銜凡""",
    "上": """一董:董 二肿:腫 三讲:講 四纸:紙旨止 五尾:尾 六语:語 七麌:麌姥 八荠:薺 九蟹:蟹駭
        十贿:賄海 十一轸:軫準 十二吻:吻隱 十三阮:阮混很 十四旱:旱緩 十五潸:潸產 十六铣:銑獮
        十七筱:篠小 十八巧:巧 十九皓:晧 二十哿:哿果 二十一马:馬 二十二养:養蕩 二十三梗:梗耿靜
        二十四迥:迥拯等 二十五有:有厚黝 二十六寝:寑 二十七感:感敢 二十八俭:琰忝儼 二十九豏:豏檻范""",
    "去": """一送:送 二宋:宋用 三绛:絳 四寘:寘至志 五未:未 六御:御 七遇:遇暮 八霁:霽祭 九泰:泰
        十卦:卦怪夬 十一队:隊代廢 十二震:震稕 十三问:問焮 十四愿:願慁恨 十五翰:翰換 十六谏:諫襇
        十七霰:霰線 十八啸:嘯笑 十九效:效 二十号:号 二十一个:箇過 二十二祃:禡 二十三漾:漾宕
        二十四敬:映諍勁 二十五径:徑證嶝 二十六宥:宥候幼 二十七沁:沁 二十八勘:勘闞 二十九艳:豔㮇釅
        三十陷:陷鑑梵""",
    "入": """一屋:屋 二沃:沃燭 三觉:覺 四质:質術櫛 五物:物迄 六月:月沒 七曷:曷末 八黠:黠鎋 九屑:屑薛
        十药:藥鐸 十一陌:陌麥昔 十二锡:錫 十三职:職德 十四缉:緝 十五合:合盍 十六叶:葉怗
        十七洽:業洽狎乏""",
}
TONES = "平上去入"
# The nineteen classes in which ci rhymes (the merging that 詞林正韻 records), by rhyme of 廣韻; 上 and
# 去 follow their level rhyme. 泰, 佳 and 卦 are split below.
CI_CLASSES = """東董送冬宋鍾腫用|江講絳陽養漾唐蕩宕|支紙寘脂旨至之止志微尾未齊薺霽祭灰賄隊廢
    |魚語御虞麌遇模姥暮|佳蟹卦皆駭怪夬咍海代泰|真軫震諄準稕臻文吻問欣隱焮魂混慁痕很恨
    |元阮願寒旱翰桓緩換刪潸諫山產襇先銑霰仙獮線|蕭篠嘯宵小笑肴巧效豪晧号|歌哿箇戈果過|麻馬禡
    |庚梗映耕耿諍清靜勁青迥徑蒸拯證登等嶝|尤有宥侯厚候幽黝幼|侵寑沁
    |覃感勘談敢闞鹽琰豔添忝㮇嚴儼釅咸豏陷銜檻鑑凡范梵
    |屋沃燭|覺藥鐸|質術櫛陌麥昔錫職德緝|物迄月沒曷末黠鎋屑薛葉怗|業合盍洽狎乏"""
CI_TAI_ROUNDED = 3  # 泰 with a rounded medial (會, 外) rhymes with 隊
# 佳, 卦 and 夬 went two ways: these characters rhyme with 麻 in ci, besides or instead of class 5.
CI_MA = set("佳涯崖娃蛙窪洼媧娲蝸蜗騧哇厓畫画掛挂卦話话罣詿絓")
CI_MA_CLASS = 10

# A form that makes up less of a simplified character's occurrences than this gives it no reading: 胜
# is 勝 in verse, never the 胜 of 廣韻 (a raw smell).
FORM_SHARE = 0.02
# A listed reading is `rare` when the corpus gives its tone to the character in less than this share of
# the places that demand a tone. Level characters stray into deflected places more often (拗救) than the
# other way round.
LEVEL_SHARE, DEFLECTED_SHARE = 0.05, 0.10
# As above for a reading's share of the character's rhymes: of the level rhymes by 平水 group, of the
# deflected ones by ci class and entering or not.
RHYME_SHARE = 0.10

HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0002ffff\U00030000-\U0003ffff]")
DAMAGED = re.compile(r"[□（）(){}\[\]《》〈〉]")


def table(path):
    """Rows of a tab-separated file with # comments."""
    with open(path, encoding="utf-8") as f:
        for line in f:
            line = line.rstrip("\n")
            if line and not line.startswith("#"):
                yield line.split("\t")


class Rhymes:
    """The 206 rhymes of 廣韻 with their 平水 group, tone and ci class."""

    def __init__(self):
        self.groups = []  # (tone, name), in the book's order
        self.of = {}  # 廣韻 rhyme -> index into groups
        for tone in TONES:
            for entry in PINGSHUI[tone].split():
                name, members = entry.split(":")
                for rhyme in members:
                    self.of[rhyme] = len(self.groups)
                self.groups.append((tone, name))
        assert len(self.groups) == 106 and len(self.of) == 206
        self.ci = {}
        for number, members in enumerate("".join(CI_CLASSES.split()).split("|"), 1):
            for rhyme in members:
                assert rhyme in self.of and rhyme not in self.ci, rhyme
                self.ci[rhyme] = number
        assert len(self.ci) == 206

    def cells(self, char, rhyme, rounded):
        """The (group, ci class) pairs of a character read in a rhyme of 廣韻."""
        group, ci = self.of[rhyme], self.ci[rhyme]
        if rhyme == "泰" and rounded:
            return {(group, CI_TAI_ROUNDED)}
        if rhyme in "佳卦夬" and char in CI_MA:
            return {(group, ci), (group, CI_MA_CLASS)}
        return {(group, ci)}

    def level(self, cell):
        return self.groups[cell[0]][0] == "平"

    def kind(self, cell):
        """What deflected rhymes must share: the ci class, and being an entering tone or not."""
        return cell[1], self.groups[cell[0]][0] == "入"


def read_guangyun(path, rhymes):
    """Head character -> set of cells."""
    heads = collections.defaultdict(set)
    with open(path, encoding="utf-8", newline="") as f:
        for row in csv.DictReader(f):
            rounded = "合" in row["音韻地位"]
            heads[row["字頭"]] |= rhymes.cells(row["字頭"], row["韻目原貌"], rounded)
    return heads


def read_simplification(opencc):
    """Traditional or variant character -> simplified character, where they differ."""
    to = {}
    for row in table(os.path.join(opencc, "TSCharacters.txt")):
        first = row[1].split(" ")[0]
        if first != row[0] and ord(first) < 0x10000:
            to[row[0]] = first
    for standard, others in table(os.path.join(HERE, "prosody", "variants.tsv")):
        for other in others:
            if other == standard:
                to.pop(other, None)
            else:
                to[other] = standard
    for source in list(to):  # a variant of a variant
        seen = {source}
        while to[source] in to and to[source] not in seen:
            seen.add(to[source])
            to[source] = to[to[source]]
    return to


def read_verse(corpus, pattern):
    for path in sorted(glob.glob(os.path.join(corpus, pattern))):
        with open(path, encoding="utf-8") as f:
            yield from json.load(f)


class Book:
    """Readings by simplified character and by form, before the corpus is asked."""

    def __init__(self, rhymes, heads, simplify, counts):
        self.rhymes, self.simplify = rhymes, simplify
        self.forms = collections.defaultdict(set)
        for char in set(heads) | set(counts) | set(simplify):
            self.forms[self.simple(char)].add(char)
        self.supplement = {}
        for row in table(os.path.join(HERE, "prosody", "supplement.tsv")):
            self.supplement[row[0]] = set().union(
                *(rhymes.cells(row[0], rhyme, False) for rhyme in row[1].split()))
        self.heads, self.counts = heads, counts
        self.cells = {simple: self._of_class(simple) for simple in sorted(self.forms)}

    def simple(self, char):
        return self.simplify.get(char, char)

    def _of_class(self, simple):
        if simple in self.supplement:
            return self.supplement[simple]
        forms = sorted(self.forms[simple])
        total = sum(self.counts[f] for f in forms)
        out = set()
        for form in forms:
            if self.counts[form] >= FORM_SHARE * total:
                out |= self.heads.get(form, set())
        if not out:
            out = set().union(*(self.heads.get(f, set()) for f in forms))
        return out

    def of_form(self, char):
        """Readings of a character as it stands, traditional or simplified."""
        simple = self.simple(char)
        if char == simple or simple in self.supplement or char not in self.heads:
            return self.cells.get(simple, set())
        return self.heads[char]

    def deflected_kinds(self, simple):
        return {self.rhymes.kind(c) for c in self.cells.get(simple, ()) if not self.rhymes.level(c)}

    def tone(self, simple):
        """+1 level, -1 deflected, 0 either or unknown."""
        tones = {self.rhymes.level(c) for c in self.cells.get(simple, ())}
        return 0 if len(tones) != 1 else (1 if tones.pop() else -1)


def sentence_ends(poem):
    text = "".join(poem["paragraphs"])
    return [] if DAMAGED.search(text) else re.findall("(.)[。？！]", text)


def regulated_lines(poem):
    """The lines of a whole 4- or 8-line poem of 5 or 7 characters a line, else None."""
    text = "".join(poem["paragraphs"])
    if DAMAGED.search(text):
        return None
    lines = [x for x in re.split("[，。？！；、：]", text) if x]
    if len(lines) not in (4, 8) or len(lines[0]) not in (5, 7):
        return None
    return lines if all(len(x) == len(lines[0]) for x in lines) else None


class Evidence:
    """How regulated verse uses each character: tones at places that demand one, groups at rhymes."""

    def __init__(self, book, corpus):
        self.tone = collections.defaultdict(lambda: [0, 0])  # form -> [level, deflected]
        self.rhyme = collections.defaultdict(collections.Counter)  # form -> group -> count
        self.ends = collections.defaultdict(collections.Counter)  # form -> (ci class, 入) -> count
        self.poems = self.fitting = 0
        tones = {c: book.tone(c) for c in book.cells}
        only = {}  # simplified -> its only level group
        for char, cells in book.cells.items():
            groups = {g for g, ci in cells if book.rhymes.level((g, ci))}
            if len(groups) == 1:
                only[char] = groups.pop()
        for pattern in ("全唐诗/poet.tang.*.json", "全唐诗/poet.song.*.json"):
            for poem in read_verse(corpus, pattern):
                lines = regulated_lines(poem)
                if lines:
                    self.poems += 1
                    self._count(lines, book, tones, only)
                self._deflected_rhymes(sentence_ends(poem), book, tones)
        for poem in read_verse(corpus, "宋词/ci.song.*.json"):
            self._deflected_rhymes(sentence_ends(poem), book, tones)

    def _count(self, lines, book, tones, only):
        width = len(lines[0])
        simple = [[book.simple(c) for c in line] for line in lines]
        places = []  # (line, column, demand up to a common sign): even columns, 粘 and 对
        for i in range(len(lines)):
            side = 1 if i % 4 in (0, 3) else -1
            places += [(i, j, side if j % 4 == 1 else -side) for j in range(1, width - 1, 2)]
        votes = [demand * tones.get(simple[i][j], 0) for i, j, demand in places]
        sign = 1 if sum(votes) > 0 else -1
        known = sum(v != 0 for v in votes)
        good = sum(v == sign for v in votes)
        if known < 6 or good < 0.9 * known:
            return
        rhymes = [(i, simple[i][-1]) for i in range(1, len(lines), 2)]
        ends = [tones.get(c, 0) for _, c in rhymes]
        if -1 in ends and 1 not in ends:
            return  # rhymes in a deflected tone
        self.fitting += 1
        for (i, j, demand), vote in zip(places, votes):
            # A place does not vouch for itself: the others must fit without it.
            others, fit = known - (vote != 0), good - (vote == sign)
            if others >= 6 and fit >= 0.93 * others:
                self._tone(lines[i][j], simple[i][j], demand * sign < 0)
        for i in range(2, len(lines), 2):
            self._tone(lines[i][-1], simple[i][-1], True)
        for i, char in rhymes:
            self._tone(lines[i][-1], char, False)
            others = {only.get(c) for k, c in rhymes if k != i}
            others.discard(None)
            if len(others) == 1:
                group = others.pop()
                for form in {lines[i][-1], char}:
                    self.rhyme[form][group] += 1

    def _deflected_rhymes(self, ends, book, tones):
        """Sentence ends of a poem that rhymes in a deflected tone vouch for each other's class."""
        kinds = [kind.pop() if len(kind) == 1 else None
                 for kind in (book.deflected_kinds(book.simple(c)) if tones.get(book.simple(c)) == -1
                              else set() for c in ends)]
        votes = collections.Counter(k for k in kinds if k)
        for char, kind in zip(ends, kinds):
            others = votes - collections.Counter([kind]) if kind else votes
            if others:
                (best, n), = others.most_common(1)
                if n >= 3 and n >= 0.7 * (len(ends) - 1):
                    for form in {char, book.simple(char)}:
                        self.ends[form][best] += 1

    def _tone(self, form, simple, deflected):
        for char in {form, simple}:
            self.tone[char][deflected] += 1

    def common(self, char, cells, rhymes):
        """The readings of `cells` that the corpus uses."""
        level, deflected = self.tone.get(char, (0, 0))
        share = (level + 1) / (level + deflected + 2)
        keep = {c for c in cells
                if (share >= LEVEL_SHARE if rhymes.level(c) else 1 - share >= DEFLECTED_SHARE)}
        groups = {g for g, ci in keep if rhymes.level((g, ci))}
        if len(groups) > 1:
            total = sum(self.rhyme[char][g] + 0.5 for g in groups)
            rare = {g for g in groups if (self.rhyme[char][g] + 0.5) / total < RHYME_SHARE}
            keep = {c for c in keep if c[0] not in rare}
        kinds = {rhymes.kind(c) for c in keep if not rhymes.level(c)}
        if len(kinds) > 1:
            total = sum(self.ends[char][k] + 0.5 for k in kinds)
            rare = {k for k in kinds if (self.ends[char][k] + 0.5) / total < RHYME_SHARE}
            keep = {c for c in keep if rhymes.level(c) or rhymes.kind(c) not in rare}
        return keep or set(cells)


def write_rhyme_book(path, entries, common, rhymes, counts):
    cells = collections.defaultdict(lambda: ([], []))
    for char, own in entries.items():
        for cell in own:
            cells[cell][0 if cell in common[char] else 1].append(char)
    with open(path, "w", encoding="utf-8", newline="\n") as f:
        f.write("# The rhyme book: 平水韻 derived from 廣韻 by tools/build_prosody.py (docs/prosody.md).\n"
                "# Columns: tone, group, ci class, characters that verse uses in this reading, characters\n"
                "# that only the book reads so; the most frequent first.\n")
        for group, ci in sorted(cells):
            tone, name = rhymes.groups[group]
            columns = ["".join(sorted(chars, key=lambda c: (-counts[c], c)))
                       for chars in cells[group, ci]]
            f.write("\t".join([tone, name, str(ci)] + columns) + "\n")


def write_simplification(path, simplify, book, counts):
    inverse = collections.defaultdict(list)
    for form, simple in simplify.items():
        inverse[simple].append(form)
    with open(path, "w", encoding="utf-8", newline="\n") as f:
        f.write("# Simplified characters and the forms they replace. From OpenCC's TSCharacters\n"
                "# (Apache-2.0, see NOTICE), without targets outside the BMP, and\n"
                "# tools/prosody/variants.tsv, by tools/build_prosody.py.\n")
        for simple in sorted(inverse):
            # The form that verse uses most comes first: it stands for the character when a
            # traditional text is wanted.
            forms = sorted(inverse[simple], key=lambda c: (-counts[c], c))
            f.write(f"{simple}\t{''.join(forms)}\n")


def report_supplement(book, evidence):
    print("\n# supplement against the corpus (tone the book gives, level share, places)")
    for char, cells in sorted(book.supplement.items()):
        level, deflected = evidence.tone.get(char, (0, 0))
        if level + deflected < 8:
            continue
        share = level / (level + deflected)
        tones = {book.rhymes.level(c) for c in cells}
        if (share > 0.1 and True not in tones) or (share < 0.9 and False not in tones):
            print(char, [book.rhymes.groups[c[0]] for c in cells], f"{share:.2f}", level + deflected)


def report_missing_tones(book, evidence):
    print("\n# characters used in a tone that the book does not give (level share, places)")
    for char, cells in sorted(book.cells.items()):
        level, deflected = evidence.tone.get(char, (0, 0))
        if level + deflected < 40 or not cells:
            continue
        share = level / (level + deflected)
        tones = {book.rhymes.level(c) for c in cells}
        if (tones == {True} and share < 0.85) or (tones == {False} and share > 0.10):
            print(char, [book.rhymes.groups[c[0]][1] for c in cells], f"{share:.2f}", level + deflected)
    print("\n# characters whose level rhymes mostly fall in a group that the book does not give")
    for char, cells in sorted(book.cells.items()):
        uses = evidence.rhyme.get(char)
        if not uses or sum(uses.values()) < 30:
            continue
        listed = {g for g, ci in cells if book.rhymes.level((g, ci))}
        total = sum(uses.values())
        for group, n in uses.most_common(3):
            if group not in listed and n > 0.15 * total:
                print(char, [book.rhymes.groups[g][1] for g in listed],
                      book.rhymes.groups[group][1], f"{n / total:.2f}", total)


def report_agreement(path, book, common, counts):
    """Agreement with an independent table of 平水韻 in simplified characters."""
    with open(path, encoding="utf-8") as f:
        data = json.load(f)
    order = ["上平声部", "下平声部", "上声部", "去声部", "入声部"]
    theirs = collections.defaultdict(set)
    index = 0
    for part in order:
        for chars in data[part].values():
            for char in chars:
                theirs[book.simple(char)].add(index)
            index += 1
    assert index == 105, index
    # That table lacks one deflected group; name ours by position within each tone.
    ours_index, theirs_names = [], []
    for part in order:
        theirs_names += list(data[part])
    print("\n# their groups:", " ".join(theirs_names))
    strip = lambda name: name.replace("入声", "")
    tones = [15, 30, 58, 88, 105]
    name_of = {}
    for i, name in enumerate(theirs_names):
        tone = "平" if i < 30 else "上" if i < 58 else "去" if i < 88 else "入"
        name_of[i] = (tone, strip(name))
    mine = {g: i for i, g in enumerate(book.rhymes.groups)}
    to_mine = {}
    votes = collections.defaultdict(collections.Counter)
    for char, groups in theirs.items():
        for t in groups:
            for c in book.cells.get(char, ()):
                if book.rhymes.groups[c[0]][0] == name_of[t][0]:
                    votes[t][c[0]] += 1 / len(groups)
    for t in range(105):
        to_mine[t] = votes[t].most_common(1)[0][0]
        n = book.rhymes.groups[to_mine[t]]
        if n[1] != name_of[t][1]:
            print("their", name_of[t], "is our", n)
    rows = collections.Counter()
    weighted = collections.Counter()
    worst = []
    for char, groups in theirs.items():
        cells = {c[0] for c in book.cells.get(char, ())}
        w = counts[char]
        rows["theirs"] += 1
        weighted["theirs"] += w
        if not cells:
            rows["ours lacks"] += 1
            weighted["ours lacks"] += w
            continue
        other = {to_mine[t] for t in groups}
        tone = {book.rhymes.groups[g][0] == "平" for g in cells}
        other_tone = {book.rhymes.groups[g][0] == "平" for g in other}
        used = {c[0] for c in common[char]}
        used_tone = {book.rhymes.groups[g][0] == "平" for g in used}
        for key, ok in [("overlap", cells & other), ("equal", cells == other),
                        ("theirs within ours", other <= cells),
                        ("ours within theirs", cells <= other),
                        ("common within theirs", used <= other),
                        ("tone equal", tone == other_tone),
                        ("common tone within theirs", used_tone <= other_tone),
                        ("theirs tone within ours", other_tone <= tone)]:
            if ok:
                rows[key] += 1
                weighted[key] += w
        if not used <= other:
            worst.append((w, char, [book.rhymes.groups[g] for g in sorted(used - other)],
                          [book.rhymes.groups[g] for g in sorted(other)]))
    both = rows["theirs"] - rows["ours lacks"]
    wboth = weighted["theirs"] - weighted["ours lacks"]
    print("\n# agreement with", os.path.basename(path))
    print("characters", rows["theirs"], "not in ours", rows["ours lacks"], "weighted",
          weighted["ours lacks"] / max(1, weighted["theirs"]))
    for key in rows:
        if key not in ("theirs", "ours lacks"):
            print(f"{key}: {rows[key] / both:.4f} of characters, {weighted[key] / wboth:.4f} weighted")
    print("share of running characters in their table:",
          f"{weighted['theirs'] / sum(n for c, n in counts.items() if book.simple(c) == c):.4f}")
    worst.sort(reverse=True)
    print("\n# the most frequent characters with a used reading that they lack")
    for row in worst[:80]:
        print(*row)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--guangyun", required=True)
    parser.add_argument("--opencc", required=True)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--check")
    parser.add_argument("--out", default=os.path.join(HERE, "..", "src", "lang", "data"))
    args = parser.parse_args()

    rhymes = Rhymes()
    heads = read_guangyun(args.guangyun, rhymes)
    simplify = read_simplification(args.opencc)
    raw = {}
    for name, pattern in (("唐诗", "全唐诗/poet.tang.*.json"), ("宋诗", "全唐诗/poet.song.*.json"),
                          ("宋词", "宋词/ci.song.*.json")):
        raw[name] = collections.Counter()
        for poem in read_verse(args.corpus, pattern):
            raw[name].update(HAN.findall("".join(poem["paragraphs"])))
    verse = raw["唐诗"] + raw["宋诗"]
    book = Book(rhymes, heads, simplify, verse)
    evidence = Evidence(book, args.corpus)

    chars = set(heads) | set(book.cells) | set(verse) | set(raw["宋词"]) | set(simplify)
    entries = {c: book.of_form(c) for c in sorted(chars) if book.of_form(c)}
    common = {c: evidence.common(c, cells, rhymes) for c, cells in entries.items()}
    counts = collections.Counter(verse)  # as printed
    pooled = collections.Counter()  # by simplified character
    for counter in raw.values():
        for char, n in counter.items():
            pooled[book.simple(char)] += n
    for char, n in pooled.items():
        counts[char] = max(counts[char], n)

    os.makedirs(args.out, exist_ok=True)
    write_rhyme_book(os.path.join(args.out, "pingshui.tsv"), entries, common, rhymes, counts)
    write_simplification(os.path.join(args.out, "simplify.tsv"), simplify, book, verse)

    print("characters with a reading:", len(entries), "readings:", sum(map(len, entries.values())),
          "rare:", sum(len(entries[c] - common[c]) for c in entries))
    print("regulated poems:", evidence.poems, "fitting:", evidence.fitting)
    for name, counter in raw.items():
        total = sum(counter.values())
        known = sum(n for c, n in counter.items() if entries.get(c))
        direct = sum(n for c, n in counter.items() if c in heads)
        print(f"{name}: {total} characters, {known / total:.5f} with a reading, "
              f"{direct / total:.5f} as 廣韻 prints them")
    missing = collections.Counter(
        {c: n for c, n in pooled.items() if not entries.get(c)}).most_common(60)
    print("most frequent without a reading:", " ".join(f"{c}{n}" for c, n in missing))
    report_supplement(book, evidence)
    report_missing_tones(book, evidence)
    if args.check:
        report_agreement(args.check, book, {c: common.get(c, set()) for c in book.cells}, pooled)


if __name__ == "__main__":
    sys.exit(main())
