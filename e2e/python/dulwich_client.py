"""Dulwich as a git client: one verb a run. See git-others.e2e.ts."""

import io
import sys

from dulwich import porcelain

verb, *args = sys.argv[1:]
who = b"Ana <ana@example.com>"

if verb == "clone":
    url, folder, depth = args
    porcelain.clone(url, folder, depth=int(depth) or None, errstream=sys.stderr.buffer)
elif verb == "fetch":
    porcelain.fetch(args[0], "origin", errstream=sys.stderr.buffer)
elif verb == "commit":
    folder, path, message = args
    porcelain.add(folder, [f"{folder}/{path}"])
    porcelain.commit(folder, message.encode(), author=who, committer=who)
elif verb == "push":
    folder, refspec = args
    said = io.BytesIO()
    porcelain.push(folder, "origin", [refspec], outstream=said, errstream=said)
    # It raises nothing when a ref was refused.
    if b"Push of ref" in said.getvalue():
        sys.exit(said.getvalue().decode())
else:
    sys.exit(f"no such verb: {verb}")
