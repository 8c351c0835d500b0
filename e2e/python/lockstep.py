"""One JSON line per step on standard output, then a pause until the test answers with a line on standard input.

The pause is what lets the test say which requests a step made. Judging the facts is the test's business.
"""

import hashlib
import json
import os
import sys

_out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
# Whatever the library prints must not end up between our lines.
os.dup2(sys.stderr.fileno(), sys.stdout.fileno())


def step(name, /, **facts):
    print(json.dumps({"step": name, **facts}), file=_out, flush=True)
    sys.stdin.readline()


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def digests_of(folder):
    """Paths below a snapshot folder, which holds links into a cache, with their sha256."""
    found = {}
    for parent, _, names in os.walk(folder, followlinks=True):
        for name in names:
            path = os.path.join(parent, name)
            found[os.path.relpath(path, folder)] = sha256_of(path)
    return found
