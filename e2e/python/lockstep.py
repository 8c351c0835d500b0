"""One JSON line per step on standard output, then a pause until the test answers with a line on standard input.

The pause is what lets the test say which requests a step made. Judging the facts is the test's business.
"""

import atexit
import functools
import hashlib
import json
import os
import sys
import uuid

import huggingface_hub
from huggingface_hub import HfApi

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


def ancestors(error):
    """The names of an exception's classes: newer versions split some of them further."""
    return [kind.__name__ for kind in type(error).__mro__]


def _note_methods(folder):
    """Notes which methods of HfApi returned; docs/parity-server.md is made of these notes."""
    returned = set()

    def noting(name, method):
        @functools.wraps(method)
        def call(*args, **kwargs):
            result = method(*args, **kwargs)
            returned.add(name)
            return result

        return call

    for name in dir(HfApi):
        method = getattr(HfApi, name)
        if not name.startswith("_") and callable(method):
            setattr(HfApi, name, noting(name, method))

    def write():
        note = {
            "version": huggingface_hub.__version__,
            "engine": os.environ.get("CAIRN_TEST_DATABASE", "sqlite"),
            "program": os.path.basename(sys.argv[0]),
            "methods": sorted(returned),
        }
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, f"{uuid.uuid4()}.json"), "w", encoding="utf-8") as file:
            json.dump(note, file)

    atexit.register(write)


if os.environ.get("CAIRN_PARITY_DIR"):
    _note_methods(os.environ["CAIRN_PARITY_DIR"])
