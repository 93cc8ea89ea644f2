"""Writes vectors.json: a second implementation of FORMAT.md, from the RFCs alone.

    python3 vectors.py > vectors.json

It shares no code with the Go package and needs only Python 3.8 or later.
"""
import base64, hashlib, json

SIZE = 600
ORIGIN = "ledger.example/ev"
SEED = hashlib.sha256(b"test key of ev").digest()

def entry(i):
    return b"entry %d" % i

def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()

def b64(data):
    return base64.b64encode(data).decode()

# RFC 6962 section 2.1, over the entries lo <= i < hi.
memo = {}
def mth(lo, hi):
    if (lo, hi) not in memo:
        if lo == hi:
            memo[lo, hi] = sha()
        elif lo + 1 == hi:
            memo[lo, hi] = sha(b"\0", entry(lo))
        else:
            k = split(hi - lo)
            memo[lo, hi] = sha(b"\1", mth(lo, lo + k), mth(lo + k, hi))
    return memo[lo, hi]

def split(n):
    k = 1
    while 2 * k < n:
        k *= 2
    return k

def path(m, lo, hi):  # section 2.1.1
    if lo + 1 == hi:
        return []
    k = split(hi - lo)
    if m < k:
        return path(m, lo, lo + k) + [mth(lo + k, hi)]
    return path(m - k, lo + k, hi) + [mth(lo, lo + k)]

def proof(m, lo, hi, whole):  # section 2.1.2
    if m == hi - lo:
        return [] if whole else [mth(lo, hi)]
    k = split(hi - lo)
    if m <= k:
        return proof(m, lo, lo + k, whole) + [mth(lo + k, hi)]
    return proof(m - k, lo + k, hi, False) + [mth(lo, lo + k)]

def nodes(size):  # after each leaf, every subtree that it completes
    for i in range(size):
        yield mth(i, i + 1)
        width = 2
        while (i + 1) % width == 0:
            yield mth(i + 1 - width, i + 1)
            width *= 2

def tile_name(n, w):
    name = "%03d" % (n % 1000)
    while n >= 1000:
        n //= 1000
        name = "x%03d/%s" % (n % 1000, name)
    return name if w == 256 else "%s.p/%d" % (name, w)

def tiles(size):
    for n in range(0, size, 256):
        w = min(256, size - n)
        data = b"".join(len(entry(i)).to_bytes(2, "big") + entry(i) for i in range(n, n + w))
        yield "tile/entries/" + tile_name(n // 256, w), data
    level, step = 0, 1
    while size // step:
        for n in range(0, size // step, 256):
            w = min(256, size // step - n)
            data = b"".join(mth(i * step, (i + 1) * step) for i in range(n, n + w))
            yield "tile/%d/%s" % (level, tile_name(n // 256, w)), data
        level, step = level + 1, step * 256

# Ed25519, RFC 8032 section 5.1, in affine coordinates: slow and short.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P

def add(a, b):
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2
    return ((x1 * y2 + x2 * y1) * pow(1 + t, P - 2, P) % P,
            (y1 * y2 + x1 * x2) * pow(1 - t, P - 2, P) % P)

def mul(s, point):
    out = (0, 1)
    while s:
        if s & 1:
            out = add(out, point)
        point, s = add(point, point), s >> 1
    return out

def encode(point):
    x, y = point
    return (y | (x & 1) << 255).to_bytes(32, "little")

def base():
    y = 4 * pow(5, P - 2, P) % P
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    return (P - x if x & 1 else x, y)

def ed25519(seed, message):
    h = hashlib.sha512(seed).digest()
    a = int.from_bytes(h[:32], "little") & (2**254 - 8) | 2**254
    public = encode(mul(a, base()))
    r = int.from_bytes(hashlib.sha512(h[32:] + message).digest(), "little") % L
    R = encode(mul(r, base()))
    k = int.from_bytes(hashlib.sha512(R + public + message).digest(), "little") % L
    return public, R + ((r + k * a) % L).to_bytes(32, "little")

def checkpoint(size):
    text = "%s\n%d\n%s\n" % (ORIGIN, size, b64(mth(0, size)))
    public, sig = ed25519(SEED, text.encode())
    return "%s\n\u2014 %s %s\n" % (text, ORIGIN, b64(key_id(public) + sig))

def key_id(public):
    return sha(ORIGIN.encode(), b"\n\x01", public)[:4]

def tlog_proof(index, size):
    hashes = "".join(b64(h) + "\n" for h in path(index, 0, size))
    return "c2sp.org/tlog-proof@v1\nindex %d\n%s\n%s" % (index, hashes, checkpoint(size))

def main():
    public, _ = ed25519(SEED, b"")
    edges = [0, 1, 2, 3, 4, 5, 7, 8, 9, 127, 128, 255, 256, 257, 511, 512, 513, 600]
    print(json.dumps({
        "entry": "entry i is the ASCII text 'entry ' followed by i in decimal",
        "size": SIZE,
        "roots": {str(n): b64(mth(0, n)) for n in edges},
        "roots_sha256": hashlib.sha256(b"".join(mth(0, n) for n in range(SIZE + 1))).hexdigest(),
        "nodes": len(list(nodes(SIZE))),
        "nodes_sha256": hashlib.sha256(b"".join(nodes(SIZE))).hexdigest(),
        "inclusion": [{"size": n, "index": i, "path": [b64(h) for h in path(i, 0, n)]}
                      for n, i in [(1, 0), (2, 1), (5, 4), (7, 0), (256, 255), (257, 256), (600, 0), (600, 511), (600, 599)]],
        "consistency": [{"old": m, "new": n, "path": [b64(h) for h in (proof(m, 0, n, True) if m else [])]}
                        for m, n in [(0, 5), (1, 2), (3, 7), (4, 7), (5, 5), (255, 257), (256, 600), (257, 600), (599, 600)]],
        "seed": SEED.hex(),
        "origin": ORIGIN,
        "vkey": "%s+%s+%s" % (ORIGIN, key_id(public).hex(), b64(b"\x01" + public)),
        "checkpoint": checkpoint(SIZE),
        "proof_index": 2,
        "proof": tlog_proof(2, 5),
        "tiles": {name: hashlib.sha256(data).hexdigest() for name, data in tiles(SIZE)},
    }, indent=1, ensure_ascii=False))

main()
