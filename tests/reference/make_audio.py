"""Makes tests/fixtures/mark/*.mp3 that tell of their frames, with the programs lame (3.100) and ffmpeg (5.1):

    variable.mp3  MPEG 2, joint stereo, variable bit rate, "Xing" with LAME's part, bit reservoir
    constant.mp3  MPEG 1, mono, one bit rate, "Info" with the part that ffmpeg writes, ID3v2.4 and ID3v1
    vbri.mp3      the frames of variable.mp3 behind a frame "VBRI", put together here: its only writer is not free
    cut.mp3       variable.mp3 from its middle on: its first frame needs bytes of another
    chapters.mp3  constant.mp3 with a chapter, which is told by time
    low.mp3       MPEG 2.5, mono, without a frame that tells of others

    python tests/reference/make_audio.py
"""

import pathlib
import struct
import subprocess
import tempfile
import wave

import numpy as np

OUT = pathlib.Path(__file__).parent.parent / "fixtures" / "mark"


def melody(seconds, rate, channels):
    """A falling tone with noise in bursts, as samples of 16 bits."""
    at = np.arange(int(seconds * rate)) / rate
    bursts = np.random.default_rng(7).normal(size=at.size) * 0.1 * (np.sin(9 * at) > 0.6)
    sides = [np.sin(2 * np.pi * (f - 60 * at) * at) * 0.3 + bursts for f in (500, 660)[:channels]]
    return (np.stack(sides, axis=1) * 32767).astype("<i2")


def write_wav(path, samples, rate):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())


def coded(command, seconds, rate, channels):
    """What a command makes of the melody; it names IN and OUT."""
    with tempfile.TemporaryDirectory() as folder:
        wav, mp3 = pathlib.Path(folder) / "in.wav", pathlib.Path(folder) / "out.mp3"
        write_wav(wav, melody(seconds, rate, channels), rate)
        names = {"IN": str(wav), "OUT": str(mp3)}
        subprocess.run([names.get(word, word) for word in command.split()], check=True, capture_output=True)
        return mp3.read_bytes()


RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
BITS = {3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
        2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)}


def head(data, at):
    """(version, rate, kbit/s, channels, bytes, bytes of side information) of the frame there, else None."""
    b = data[at:at + 4]
    if len(b) < 4 or b[0] != 0xFF or b[1] & 0xE6 != 0xE2:
        return None
    version = b[1] >> 3 & 3
    if b[2] >> 4 in (0, 15) or b[2] >> 2 & 3 == 3 or version == 1:
        return None
    rate, bits = RATES[version][b[2] >> 2 & 3], BITS[3 if version == 3 else 2][b[2] >> 4]
    mono = b[3] >> 6 == 3
    side = (17 if mono else 32) if version == 3 else (9 if mono else 17)
    return version, rate, bits, 1 if mono else 2, (144000 if version == 3 else 72000) * bits // rate + (b[2] >> 1 & 1), side


def tag_size(data):
    return 10 + sum((b & 127) << 7 * (3 - i) for i, b in enumerate(data[6:10])) if data[:3] == b"ID3" else 0


def frames_of(data):
    """[(at, size)] of the frames that follow the tag one upon another."""
    at, found = tag_size(data), []
    while (f := head(data, at)) and at + f[4] <= len(data):
        found.append((at, f[4]))
        at += f[4]
    return found


def vbri(data):
    """The frames of a file with Xing behind a VBRI of ours, with a table of 4 entries."""
    frames = frames_of(data)
    begin, sound = frames[0][0], frames[1:]
    f = bytearray(struct.pack(">4s", data[begin:begin + 4]))
    size = next(s for bits in range(1, 15) if (s := head(f[:2] + bytes([bits << 4 | f[2] & 0x0C]) + f[3:], 0)[4]) > 36 + 26 + 8)
    f[2] = next(bits << 4 | f[2] & 0x0C for bits in range(1, 15)
                if head(f[:2] + bytes([bits << 4 | f[2] & 0x0C]) + f[3:], 0)[4] == size)
    each = -(-len(sound) // 4)
    sizes = [sum(s for _, s in sound[i * each:(i + 1) * each]) for i in range(4)]
    told = size + sum(s for _, s in sound)
    told = b"VBRI" + struct.pack(">HHHIIHHHH4H", 1, 0, 75, told, len(sound), 4, 1, 2, each, *sizes)
    return bytes(f) + (bytes(32) + told).ljust(size - 4, b"\0") + b"".join(data[a:a + s] for a, s in sound)


def chapter(data):
    """A file with a frame CHAP in its tag (ID3v2.4)."""
    frame = b"one\0" + struct.pack(">IIII", 0, 300, 0xFFFFFFFF, 0xFFFFFFFF)
    frame = b"CHAP" + struct.pack(">I", len(frame)) + b"\0\0" + frame
    size = tag_size(data) - 10 + len(frame)
    return data[:6] + bytes(size >> 7 * (3 - i) & 127 for i in range(4)) + frame + data[10:]


LOW = "lame --quiet -t -b 16 -m m --resample 8 IN OUT"


def main():
    variable = coded("lame --quiet -V 5 -m j --resample 22.05 IN OUT", 0.9, 22050, 2)
    constant = coded("ffmpeg -v error -i IN -b:a 40k -ac 1 -write_id3v1 1 -metadata title=Night OUT", 0.9, 32000, 1)
    frames = frames_of(variable)
    cut = next(at for at, _ in frames[len(frames) // 2:] if variable[at + 4])
    for name, data in (("variable", variable), ("constant", constant), ("vbri", vbri(variable)), ("cut", variable[cut:]),
                       ("chapters", chapter(constant)), ("low", coded(LOW, 0.9, 8000, 1))):
        (OUT / f"{name}.mp3").write_bytes(data)


if __name__ == "__main__":
    main()
