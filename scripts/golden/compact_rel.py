"""Tokens of the layout compact-rel from another program, for test/tokens/compactRel/golden.test.ts.

    python3 scripts/golden/compact_rel.py PROGRAM.py > test/golden/compact-rel.json

PROGRAM.py is an implementation of docs/formats.md, "Layout compact-rel", with
    kept(frame: bytes, link_type: int) -> bytes       the header bytes that the layout keeps
    Rel(link_type, checksum="keep" | "drop").encode(kept) -> (tokens, ...)
The committed file comes from the Python prototype of the study in which the layout was designed.
Packets: the beginnings of bundled captures (read again by the test; without UDP packets that were cut behind their
header), and made-up ones that hold what those do not:
IPv6, VLAN tags, SACK, wrap-around, IP options, bytes that must be written verbatim (in the file, as hex).
"""
import importlib.util
import json
import random
import struct
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKETS = 40


def load(path):
    spec = importlib.util.spec_from_file_location("program", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_pcap(path):
    data = path.read_bytes()
    assert data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1"), path
    at = 24
    while at + 16 <= len(data):
        captured = struct.unpack_from("<I", data, at + 8)[0]
        yield data[at + 16 : at + 16 + captured]
        at += 16 + captured


def payload_absent(f):
    """Cut behind the UDP header: the study's program writes such packets verbatim, the layout has a mask code for them."""
    ip = 14
    udp = ip + 4 * (f[ip] & 15)
    return f[ip + 9] == 17 and len(f) == udp + 8 and struct.unpack_from(">H", f, udp + 4)[0] > 8


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def made_up(rng):
    """Random packets of a few flows: what happens in them is unlikely, but each field takes every path."""
    flows = []
    for k in range(6):
        version = 6 if k % 3 == 2 else 4
        address = lambda: rng.randbytes(16 if version == 6 else 4)
        flows.append((version, 17 if k % 2 else 6, address(), address(), 1024 + k, (80, 443, 53)[k % 3]))
    seqs = {}
    for _ in range(150):
        version, protocol, a, b, ap, bp = flows[rng.randrange(len(flows))]
        up = rng.random() < 0.5
        src, dst, sp, dp = (a, b, ap, bp) if up else (b, a, bp, ap)
        length = rng.choice((0, 0, 3, 12, 600, 1460, 5000))
        if protocol == 6:
            own, peer = seqs.get((src, sp), 0xFFFFFC00), seqs.get((dst, dp), 0xFFFFFC00)
            flags = rng.choice((16, 16, 16, 24, 2, 18, 17, 4))
            seq = own if rng.random() < 0.8 else rng.getrandbits(32)
            ack = 0 if not flags & 16 else peer if rng.random() < 0.7 else (peer - 600) % 2**32
            options = rng.choice(
                (
                    b"",
                    b"\1\1\x08\x0a" + struct.pack(">II", rng.randrange(2000), rng.randrange(2000)),
                    b"\1\1\5\x0a" + struct.pack(">II", (peer + 600) % 2**32, (peer + 1200) % 2**32),
                    b"\1\1\5\x12" + struct.pack(">IIII", *(rng.randrange(2000) for _ in range(4))),
                    b"\2\4\5\xb4\1\3\3\7",
                    b"\3\1\0\0",  # malformed: a length of 1
                )
            )
            seqs[(src, sp)] = (seq + length + bool(flags & 2) + (flags & 1)) % 2**32
            urgent = 7 if rng.random() < 0.05 else 0
            header = struct.pack(
                ">HHIIBBHHH", sp, dp, seq, ack, (5 + len(options) // 4) << 4, flags, rng.choice((500, 501)),
                rng.choice((0, rng.getrandbits(16))), urgent,
            ) + options
        else:
            payload = bytes([1, rng.randrange(256), 0, rng.randrange(2)] + [9] * 8)[:length]
            header = struct.pack(">HHHH", sp, dp, length + 8, rng.choice((0, rng.getrandbits(16)))) + payload
            length -= len(payload)
        total = len(header) + length
        if version == 4:
            ip_options = b"\x94\4\0\0" if rng.random() < 0.1 else b""
            ip = bytearray(struct.pack(
                ">BBHHHBBH", 0x45 + len(ip_options) // 4, rng.choice((0, 0, 8)), 20 + len(ip_options) + total,
                rng.choice((0, rng.getrandbits(16))), 0x4000, rng.choice((64, 64, 63)), protocol, 0,
            ) + src + dst + ip_options)
            ip[10:12] = struct.pack(">H", checksum(bytes(ip)))
        else:
            ip = struct.pack(">IHBB", 0x60000000 + rng.randrange(2), total, protocol, 64) + src + dst
        tag = b"\x81\0\0\5" if rng.random() < 0.1 else b""
        macs = b"\x0a" + dst[-5:].rjust(5, b"\1") + b"\x0a" + src[-5:].rjust(5, b"\1")
        yield macs + tag + (b"\x08\0" if version == 4 else b"\x86\xdd") + bytes(ip) + header


def encode(program, frames):
    out = {}
    for checksums in ("keep", "drop"):
        codec = program.Rel(1, checksum=checksums)
        out[checksums] = [bytes(codec.encode(program.kept(f, 1))[0]).hex() for f in frames]
    return out


def main():
    program = load(sys.argv[1])
    captures = {}
    for label in ("dns", "mqtt", "ssh", "stream", "voip", "web"):
        path = sorted((ROOT / "data" / "captures" / label).glob("*.pcap"))[0]
        frames = [f for f in read_pcap(path) if not payload_absent(f)]
        captures[str(path.relative_to(ROOT))] = encode(program, frames[:PACKETS])
    frames = list(made_up(random.Random(7)))
    made = {"frames": [f.hex() for f in frames], **encode(program, frames)}
    json.dump({"captures": captures, "madeUp": made}, sys.stdout, indent=0)
    print()


main()
