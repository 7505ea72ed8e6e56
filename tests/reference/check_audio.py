"""Labels sounds with the program and has others judge them: mpg123 and ffmpeg must decode the sound that was there to the
samples they decoded before, hear "AI" in Morse code beside it and agree on the length, and seek in it; mutagen and exiftool
must read the length and the metadata label; checksums and tables of Xing are made again by a reckoning of this script.

    python tests/reference/check_audio.py build/inkstone

Prints a line for each file; exits 1 when something does not hold.
"""

import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import wave

import mutagen.apev2
import mutagen.id3
import mutagen.mp3
import numpy as np

import make_audio
from make_audio import frames_of, head, melody, tag_size, write_wav

# name: (command, seconds, rate, channels)
CODED = {
    "cbr-128-joint": ("lame --quiet -b 128 -m j IN OUT", 4, 44100, 2),
    "cbr-320-stereo": ("lame --quiet -b 320 -m s IN OUT", 4, 48000, 2),
    "cbr-no-header": ("lame --quiet -t -b 96 IN OUT", 4, 44100, 2),
    "cbr-no-reservoir": ("lame --quiet --nores -b 64 -m m IN OUT", 4, 32000, 1),
    "vbr-0": ("lame --quiet -V 0 IN OUT", 4, 44100, 2),
    "vbr-9-mono": ("lame --quiet -V 9 -m m IN OUT", 4, 44100, 1),
    "vbr-no-header": ("lame --quiet -t -V 4 IN OUT", 4, 44100, 2),
    "abr": ("lame --quiet --abr 112 IN OUT", 4, 44100, 2),
    "checksums": ("lame --quiet -p -b 128 IN OUT", 4, 44100, 2),
    "mpeg-2": ("lame --quiet -V 4 --resample 24 IN OUT", 4, 24000, 2),
    "mpeg-2-8-kbit": ("lame --quiet -b 8 -m m --resample 16 IN OUT", 4, 16000, 1),
    "mpeg-2.5": ("lame --quiet -V 4 --resample 11.025 IN OUT", 4, 11025, 2),
    "mpeg-2.5-cbr": ("lame --quiet -b 24 --resample 8 IN OUT", 4, 8000, 2),
    "ffmpeg": ("ffmpeg -v error -i IN -q:a 3 OUT", 4, 44100, 2),
    "ffmpeg-tags": ("ffmpeg -v error -i IN -b:a 160k -id3v2_version 3 -write_id3v1 1 -metadata title=Night OUT", 4, 44100, 2),
    "ffmpeg-bare": ("ffmpeg -v error -i IN -b:a 64k -write_xing 0 -id3v2_version 0 OUT", 4, 22050, 1),
    "copyright-emphasis": ("lame --quiet -b 128 -c -o -e 5 IN OUT", 4, 44100, 2),
}
FIXTURES = ("variable", "constant", "vbri", "cut", "chapters", "low")
AT_END = ("cut", "chapters")  # whatever is asked for


def dressed(data, folder):
    """A file with a picture in its ID3 tag, and an APE tag with another that holds whole frames."""
    path = folder / "dressed.mp3"
    path.write_bytes(data)
    tags = mutagen.id3.ID3()
    tags.add(mutagen.id3.APIC(encoding=0, mime="image/png", type=3, desc="cover", data=bytes(range(256)) * 300))
    tags.save(path)
    more = mutagen.apev2.APEv2()
    more["Cover Art (Front)"] = mutagen.apev2.APEValue(b"cover.jpg\0" + data[-5000:], mutagen.apev2.BINARY)
    more.save(path)
    return path.read_bytes()


def run(*command):
    return subprocess.run([str(c) for c in command], check=True, capture_output=True).stdout


def read_wav(path):
    """Samples (frames, channels) of a WAV, by ffmpeg's reckoning as floating point where it is not of 16 bits."""
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels()), file.getframerate()


def by_mpg123(path, folder):
    run("mpg123", "-q", "-e", "s16", "-w", folder / "out.wav", path)
    return read_wav(folder / "out.wav")


def by_ffmpeg(path, folder):
    run("ffmpeg", "-v", "error", "-y", "-i", path, "-c:a", "pcm_s16le", folder / "out.wav")
    return read_wav(folder / "out.wav")


def heard(samples, rate):
    """Signs of a tone of 880 Hz among silence, by its loudness in hundredths of a second."""
    step = rate // 100
    n = len(samples) // step
    parts = samples[:n * step, 0].reshape(n, step) / 32768
    tone = np.exp(-2j * np.pi * 880 * np.arange(step) / rate)
    loud = np.abs(parts @ tone) * 2 / step > 0.1
    signs, run_length = "", 0
    for on in [*loud, False]:
        if on:
            run_length += 1
        elif run_length:
            signs += "-" if run_length > 20 else "."
            run_length = 0
    return signs


def crc16(data):
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def holds(frame, at):
    """The checksum at a place of the first frame: of what is before it, or as ffmpeg reckons it, where they differ."""
    by_ffmpeg = (frame[:at] + b"\0\0" + frame[at + 2:]).ljust(190, b"\0")[:190]
    return struct.unpack(">H", frame[at:at + 2])[0] in (crc16(frame[:at]), crc16(by_ffmpeg))


def told(data):
    """What the first frame tells: {frames, bytes, table, music, tag}, or None."""
    frames = frames_of(data)
    begin, size = frames[0]
    at = begin + 4 + head(data, begin)[5]
    if data[at:at + 4] not in (b"Xing", b"Info"):
        return None
    flags, frame_count, byte_count = struct.unpack(">III", data[at + 4:at + 16])
    assert flags & 7 == 7
    lame = at + 116 + 4 * (flags >> 3 & 1)
    music, music_check = struct.unpack(">IH", data[lame + 28:lame + 34])
    return {"frames": frame_count, "bytes": byte_count, "table": data[at + 16:at + 116], "music": music,
            "music holds": crc16(data[begin + size:begin + music]) == music_check,
            "tag holds": holds(data[begin:begin + size], lame + 34 - begin), "begin": begin, "places": frames[1:]}


def judge_header(before, after, faults):
    old, new = told(before), told(after)
    if not old:
        return
    added = len(new["places"]) - len(old["places"])
    size = len(after[tag_size(after):]) - len(before[tag_size(before):])
    if new["frames"] != old["frames"] + added or new["bytes"] != old["bytes"] + size or new["music"] != old["music"] + size:
        faults.append("counts")
    if old["music holds"] != new["music holds"] or old["tag holds"] != new["tag holds"] or not new["tag holds"]:
        faults.append(f"checksums {old['music holds']} {old['tag holds']} {new['music holds']} {new['tag holds']}")
    # A table of a file that was cut is one of all that the header tells of.
    for percent in range(0, 100, 7) if len(new["places"]) == new["frames"] else ():
        at = new["places"][percent * len(new["places"]) // 100][0] - new["begin"]
        if abs(new["table"][percent] - min(255, at * 256 // new["bytes"])) > 1:
            faults.append(f"table at {percent} %")


def judge_sound(decode, before, after, folder, end, added, faults):
    name = decode.__name__[3:]
    (was, rate), (now, _) = decode(before, folder), decode(after, folder)
    if len(now) - len(was) != added:
        faults.append(f"{name}: {len(now) - len(was)} samples more, not {added}")
        return now, rate
    same = now[:len(was)] if end else now[added:]
    # mpg123 sums in another order where frames fall on other places of its buffer.
    off = np.abs(same.astype(int) - was).max(axis=1)
    if off.max() > 1 or (off > 0).mean() > 1e-3:
        off = off.nonzero()[0]
        faults.append(f"{name}: {len(off)} samples differ, from {off[0]} to {off[-1]} of {len(was)}")
    signs = heard(now[len(was):] if end else now[:added], rate)
    if signs != ".-..":
        faults.append(f"{name} hears {signs}")
    return now, rate


def judge_seeking(path, now, rate, faults):
    """ffmpeg goes to a second by the table; what it decodes there must be what lies there."""
    if not told(path.read_bytes()):
        return
    wanted = len(now) / rate * 0.6
    raw = run("ffmpeg", "-v", "error", "-usetoc", "1", "-ss", wanted, "-i", path, "-t", "1", "-f", "s16le", "-")
    got = np.frombuffer(raw, "<i2").reshape(-1, now.shape[1])[:, 0].astype(float)
    # Not at once: frames there may need others before them.
    got = got[rate // 2:][:rate // 8]
    whole = now[:, 0].astype(float)
    # Where it is most like the whole; a table of hundredths in 256ths tells places that well.
    power = np.convolve(whole**2, np.ones(len(got)), "valid")
    score = np.correlate(whole, got, "valid") / np.sqrt(power + 1)
    place = int(score.argmax()) / rate - 0.5
    if abs(place - wanted) > 0.15 + len(now) / rate / 50:
        faults.append(f"seeking to {wanted:.2f} s gives {place:.2f} s")


def lengths(path):
    return {"mutagen": mutagen.mp3.MP3(path).info.length,
            "ffprobe": float(run("ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", path))}


def judge_length(before, after, seconds, faults):
    was, now = lengths(before), lengths(after)
    for name, length in now.items():
        if abs(length - was[name] - seconds) > 0.03:
            faults.append(f"{name}: {length - was[name]:.2f} s more, not {seconds:.2f} s")


def judge_label(path, faults):
    (text,) = [f.text[0] for f in mutagen.mp3.MP3(path).tags.getall("TXXX") if f.desc == "AIGC"]
    if json.loads(text)["Label"] != "1":
        faults.append("mutagen: the label")
    (shown,) = json.loads(run("exiftool", "-j", "-G1", "-ee", path))
    if not any("AIGC" in str(value) or "AIGC" in key for key, value in shown.items()):
        faults.append("exiftool: the label")


def check(name, data, program, folder, end, environment):
    faults = []
    before, after = folder / f"{name}.mp3", folder / f"{name}-labelled.mp3"
    before.write_bytes(data)
    command = [program, "label", before, "--law", "cn,eu", "--place", "end" if end else "start", "--out", after, "--json"]
    told_us = json.loads(subprocess.run([str(c) for c in command], check=True, capture_output=True, env=environment).stdout)
    end = end or name in AT_END
    if (", end," if end else ", start,") not in (told_us["visible"] or ""):
        return [f"label: {told_us['visible']}"]
    labelled = after.read_bytes()
    mine, theirs = frames_of(data), frames_of(labelled)
    first = 1 if told(data) or b"VBRI" in data[:3000] else 0
    bodies = [labelled[a:a + s] for a, s in theirs]
    kept = [data[a:a + s] for a, s in mine[first:]]
    n = len(theirs) - len(mine)
    if (bodies[first:first + len(kept)] if end else bodies[first + n:]) != kept:
        faults.append("frames that were there changed")
    if not labelled.endswith(data[mine[-1][0] + mine[-1][1]:]):
        faults.append("what follows the frames changed")
    version, rate, *_ = head(data, mine[0][0])
    added = n * (1152 if version == 3 else 576)
    judge_header(data, labelled, faults)
    # ffmpeg takes the frames within an APE tag for sound, and ends with them.
    for decode in (by_mpg123,) if end and name == "dressed" else (by_mpg123, by_ffmpeg):
        now, rate = judge_sound(decode, before, after, folder, end, added, faults)
    # Without a frame that tells of others, and with bit rates that differ, lengths are guesses.
    if first or "vbr" not in name and name != "cut":
        judge_length(before, after, added / rate, faults)
    judge_seeking(after, now, rate, faults)
    judge_label(after, faults)
    return faults


WAVS = {"u8": "pcm_u8", "s16": "pcm_s16le", "s24": "pcm_s24le", "s32": "pcm_s32le", "f32": "pcm_f32le", "f64": "pcm_f64le"}


def check_wav(coding, channels, program, folder, end, environment):
    faults = []
    name = f"{coding}-{channels}"
    source, before, after = folder / "source.wav", folder / f"{name}.wav", folder / f"{name}-labelled.wav"
    samples = melody(1.0003, 44100, channels)  # an odd number of samples
    write_wav(source, samples, 44100)
    run("ffmpeg", "-v", "error", "-y", "-i", source, "-c:a", WAVS[coding], "-metadata", "title=Odd", before)
    command = [program, "label", before, "--law", "cn,eu", "--place", "end" if end else "start", "--out", after]
    subprocess.run([str(c) for c in command], check=True, capture_output=True, env=environment)
    raw = ["-f", WAVS[coding][4:], "-"]
    was, now = (run("ffmpeg", "-v", "error", "-i", p, "-c:a", WAVS[coding], *raw) for p in (before, after))
    if (now[:len(was)] if end else now[-len(was):]) != was:
        faults.append("samples changed")
    more, rate = by_ffmpeg(after, folder)
    part = more[-66150:] if end else more[:66150]
    if heard(part, rate) != ".-.." or len(more) != len(samples) + 66150:
        faults.append(f"ffmpeg hears {heard(part, rate)} in {len(more)} samples")
    (shown,) = json.loads(run("exiftool", "-j", "-G1", after))
    if shown.get("RIFF:Title") != "Odd" or "Warning" in str(shown):
        faults.append(f"exiftool: {shown.get('ExifTool:Warning')}")
    return faults


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    failed = count = 0
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        environment = {**os.environ, "HOME": place, "XDG_DATA_HOME": place, "XDG_CONFIG_HOME": place}
        files = {name: make_audio.coded(*how) for name, how in CODED.items()}
        files |= {name: (make_audio.OUT / f"{name}.mp3").read_bytes() for name in FIXTURES}
        files["dressed"] = dressed(files["vbr-0"], folder)
        files["truncated"] = files["vbr-0"][:len(files["vbr-0"]) * 2 // 3]
        jobs = [(name, end, lambda e, n=name, d=data: check(n, d, program, folder, e, environment))
                for name, data in files.items() for end in (False, True)
                if not (end and name == "truncated")]  # the frame that is cut, decoded by some, stays the last
        jobs += [(f"{coding}, {channels}", end, lambda e, c=coding, n=channels: check_wav(c, n, program, folder, e, environment))
                 for coding in WAVS for channels in (1, 2) for end in (False, True)]
        for name, end, job in jobs:
            try:
                faults = job(end)
            except subprocess.CalledProcessError as fault:
                faults = [fault.stderr.decode(errors="replace").strip()]
            print(f"{name}, {'end' if end else 'start'}: {'; '.join(faults) or 'holds'}", flush=True)
            failed += bool(faults)
            count += 1
    print(f"{count - failed} of {count} hold")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
