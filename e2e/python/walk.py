"""A repository's life through huggingface_hub, with calls that every version from 0.19.4 on has where they can."""

import io
import json
import os
import subprocess
import sys
import tempfile

import huggingface_hub as hub
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    HfApi,
    HfFileSystem,
    hf_hub_download,
    hf_hub_url,
)

from lockstep import ancestors, digests_of, sha256_of, step

# `repo`, `kind`, `private`, `folder`, and paths in that folder: `regular`, `large`, `dropped` (a folder). `many` is a
# public model of more files than one page of a listing has, `renamed` a name that is free.
plan = json.loads(sys.argv[1])
repo = plan["repo"]
at = {"repo_id": repo, "repo_type": plan["kind"]}
api = HfApi()
is_old = hub.__version__.startswith("0.19.")


def listed():
    return sorted(api.list_repo_files(**at))


def tree_entry(entry):
    if is_old:
        lfs = entry.lfs and entry.lfs["sha256"]
        return {"path": entry.rfilename, "size": entry.size, "oid": entry.blob_id, "lfs": lfs}
    if not hasattr(entry, "blob_id"):
        return {"path": entry.path, "folder": True, "oid": entry.tree_id}
    lfs = entry.lfs and entry.lfs.sha256
    xet = getattr(entry, "xet_hash", None)
    return {"path": entry.path, "size": entry.size, "oid": entry.blob_id, "lfs": lfs, "xet": xet}


def text_of(path, **where):
    with open(hf_hub_download(**{**at, **where}, filename=path, cache_dir=tempfile.mkdtemp()), "rb") as file:
        return file.read().decode()


def titles():
    return [commit.title for commit in api.list_repo_commits(**at)]


def refusal(call):
    """The classes of what a call raises; None when it returns."""
    try:
        call()
    except Exception as error:
        return ancestors(error)


def insist(call):
    """Calls again when the first answer is lost. Some versions do that by themselves."""
    try:
        return call()
    except Exception as error:
        print(f"lost: {error!r}", file=sys.stderr)
        return call()


me = api.whoami()
step("whoami", name=me["name"], orgs=[org["name"] for org in me["orgs"]])

create = {**at, "private": plan["private"], **({"space_sdk": "static"} if plan["kind"] == "space" else {})}
url = api.create_repo(**create)
again = api.create_repo(**create, exist_ok=True)
step("create", url=str(url), again=str(again), files=listed())

reader = HfApi(token=os.environ["E2E_TOKEN_READER"])
step("create as reader", id=reader.create_repo(**create, exist_ok=True).repo_id)

api.upload_folder(**at, folder_path=plan["folder"], commit_message="The whole folder")
step("upload", head=api.repo_info(**at).sha)

info = api.repo_info(**at, files_metadata=True)
step(
    "info",
    id=info.id,
    sha=info.sha,
    private=info.private,
    tags=info.tags,
    pipeline_tag=getattr(info, "pipeline_tag", None),
    library=getattr(info, "library_name", None),
    sizes={file.rfilename: file.size for file in info.siblings},
)

step("list", files=listed())
step("pages", files=list(api.list_repo_files(plan["many"])))

if is_old:
    tree = [tree_entry(entry) for entry in api.list_files_info(**at)]
    asked = list(api.list_files_info(**at, paths=[plan["regular"], plan["large"], "no such file"]))
else:
    tree = [tree_entry(entry) for entry in api.list_repo_tree(**at, recursive=True)]
    asked = api.get_paths_info(**at, paths=[plan["regular"], plan["large"], plan["dropped"], "no such file"])
step("tree", entries=tree, asked=[tree_entry(entry) for entry in asked])

step("exists", present=api.file_exists(repo, plan["large"], repo_type=plan["kind"]),
     absent=api.file_exists(repo, "no such file", repo_type=plan["kind"]),
     repo=api.repo_exists(**at))

step("download", sha256=sha256_of(api.hf_hub_download(**at, filename=plan["regular"])))
step("snapshot", digests=digests_of(api.snapshot_download(**at)))
step("snapshot again", digests=digests_of(api.snapshot_download(**at)))

api.upload_folder(**at, folder_path=plan["folder"], commit_message="The same folder")
step("upload again", head=api.repo_info(**at).sha, files=listed())

base = api.repo_info(**at).sha
api.create_tag(**at, tag="v1.0", tag_message="First")
api.create_branch(**at, branch="dev/one")
refs = api.list_repo_refs(**at)
step("refs", base=base, branches={ref.name: ref.target_commit for ref in refs.branches},
     tags={ref.name: [ref.ref, ref.target_commit] for ref in refs.tags})

api.upload_file(**at, path_or_fileobj=b"from bytes\n", path_in_repo="added/bytes.txt")
api.upload_file(**at, path_or_fileobj=io.BytesIO(b"\x00\x01binary object"), path_in_repo="added/object.bin")
api.upload_file(**at, path_or_fileobj=b"on a branch\n", path_in_repo="added/branch.txt", revision="dev/one",
                commit_message="On the branch", commit_description="With a body.")
with open(api.hf_hub_download(**at, filename="added/bytes.txt"), "rb") as file:
    from_bytes = file.read().decode()
with open(api.hf_hub_download(**at, filename="added/object.bin"), "rb") as file:
    from_object = file.read().hex()
with open(api.hf_hub_download(**at, filename="added/branch.txt", revision="dev/one"), "rb") as file:
    from_branch = file.read().decode()
step("upload file", bytes=from_bytes, object=from_object, branch=from_branch, files=listed())

operations = [
    CommitOperationCopy(src_path_in_repo=plan["large"], path_in_repo="copies/large file"),
    CommitOperationDelete(path_in_repo="added/bytes.txt"),
    CommitOperationAdd(path_in_repo="added/third.txt", path_or_fileobj=b"third\n"),
]
# 0.19 refuses to copy a file that is not LFS before it sends anything.
if not is_old:
    operations.append(CommitOperationCopy(src_path_in_repo=plan["regular"], path_in_repo="copies/small file"))
made = api.create_commit(**at, operations=operations, commit_message="Copy, delete, add", commit_description="Together.")
step("commit", oid=made.oid, head=api.repo_info(**at).sha, files=listed(),
     copy=sha256_of(api.hf_hub_download(**at, filename="copies/large file")),
     small_copy=None if is_old else sha256_of(api.hf_hub_download(**at, filename="copies/small file")))

# The second one is made from what the branch was before the first.
parent = api.repo_info(**at).sha


def write_on_parent(path):
    operations = [CommitOperationAdd(path_in_repo=path, path_or_fileobj=b"on its parent\n")]
    return api.create_commit(**at, operations=operations, commit_message=f"Add {path}", parent_commit=parent)


first = write_on_parent("parents/first.txt")
stale = refusal(lambda: write_on_parent("parents/second.txt"))
step("parent", oid=first.oid, head=api.repo_info(**at).sha, stale=stale, files=listed())

# The recorder cuts these two off when the hub has done what they ask for.
other = {"repo_id": f"{repo}-lost", "repo_type": plan["kind"]}
created = str(insist(lambda: api.create_repo(**{**create, **other}, exist_ok=True)))
before, parent = titles(), api.repo_info(**at).sha
lost = insist(
    lambda: api.create_commit(
        **at,
        operations=[CommitOperationAdd(path_in_repo="lost/answer.txt", path_or_fileobj=b"once\n")],
        commit_message="Sent twice",
        parent_commit=parent,
    )
)
step("lost answers", created=created, oid=lost.oid, head=api.repo_info(**at).sha, before=before, after=titles())
api.delete_repo(**other)

fs = HfFileSystem(endpoint=api.endpoint)
root = {"model": "", "dataset": "datasets/", "space": "spaces/"}[plan["kind"]] + repo
weights = f"{root}/{plan['large']}"
size = fs.info(weights)["size"]
with fs.open(weights, "rb", block_size=4096) as remote, open(os.path.join(plan["folder"], plan["large"]), "rb") as local:
    remote.seek(size // 2)
    local.seek(size // 2)
    piece, expected = remote.read(1000), local.read(1000)
step(
    "file system",
    names=sorted(name[len(root) + 1:] for name in fs.ls(root, detail=False)),
    size=size,
    piece=piece.hex(),
    expected=expected.hex(),
)

step(
    "missing",
    repo=refusal(lambda: api.repo_info(f"{repo}-nowhere", repo_type=plan["kind"])),
    revision=refusal(lambda: api.repo_info(**at, revision="nowhere")),
    file=refusal(lambda: text_of("nowhere.txt")),
    file_of_repo=refusal(lambda: text_of("nowhere.txt", repo_id=f"{repo}-nowhere")),
    file_of_revision=refusal(lambda: text_of(plan["regular"], revision="nowhere")),
)

api.delete_file(**at, path_in_repo=plan["regular"])
without_file = listed()
api.delete_folder(**at, path_in_repo=plan["dropped"])
step("delete", without_file=without_file, without_folder=listed())

step(
    "commits",
    head=api.repo_info(**at).sha,
    main=[[commit.commit_id, commit.title, commit.message, commit.authors] for commit in api.list_repo_commits(**at)],
    branch=[[commit.commit_id, commit.title, commit.message, commit.authors]
            for commit in api.list_repo_commits(**at, revision="dev/one")],
)

# The file is gone from main: what a tag, a commit and a branch name must still know.
step(
    "revisions",
    tag=sha256_of(api.hf_hub_download(**at, filename=plan["regular"], revision="v1.0")),
    sha=sha256_of(api.hf_hub_download(**at, filename=plan["regular"], revision=base, force_download=True)),
    short=sha256_of(api.hf_hub_download(**at, filename=plan["regular"], revision=base[:8], force_download=True)),
    branch=sha256_of(api.hf_hub_download(**at, filename=plan["regular"], revision="dev/one")),
    tagged=digests_of(api.snapshot_download(**at, revision="v1.0")),
)

api.delete_branch(**at, branch="dev/one")
api.delete_tag(**at, tag="v1.0")
left = api.list_repo_refs(**at)
step("delete refs", branches=[ref.name for ref in left.branches], tags=[ref.name for ref in left.tags])

meta = None
if not is_old:
    meta = api.get_hf_file_metadata(url=hf_hub_url(repo, plan["large"], repo_type=plan["kind"], endpoint=api.endpoint))
if hasattr(api, "delete_files"):
    api.delete_files(**at, delete_patterns=["added/*"])
step(
    "small things",
    full_name=api.get_full_repo_name("some"),
    size=meta and meta.size,
    etag=meta and meta.etag,
    resolved=api.resolve_revision(**at).resolved if hasattr(api, "resolve_revision") else None,
    head=api.repo_info(**at).sha,
    added=[name for name in listed() if name.startswith("added/")] if hasattr(api, "delete_files") else None,
)

other = {"repo_id": f"{repo}-data", "repo_type": "dataset" if plan["kind"] == "model" else "model"}
created = [str(api.create_repo(**other, private=True)), str(api.create_repo(**other, private=True, exist_ok=True))]
api.upload_file(**other, path_or_fileobj=b"of the other kind\n", path_in_repo="one.txt")
content = text_of("one.txt", **other)
api.delete_repo(**other)
step("other kind", created=created, content=content, exists=api.repo_exists(**other))

sloppy = HfApi(endpoint=f"{api.endpoint}/")
sloppy.upload_file(**at, path_or_fileobj=b"slashes\n", path_in_repo="slashes.txt")
# The variable is read when the library is imported.
reading = """
import sys, tempfile
from huggingface_hub import hf_hub_download
repo, kind = sys.argv[1:]
print(open(hf_hub_download(repo, "slashes.txt", repo_type=kind, cache_dir=tempfile.mkdtemp())).read(), end="")
"""
from_environment = plan["kind"] == "model" and subprocess.run(
    [sys.executable, "-c", reading, repo, plan["kind"]],
    env={**os.environ, "HF_ENDPOINT": f"{api.endpoint}/"}, stdout=subprocess.PIPE, text=True, check=True,
).stdout
step("slashes", name=sloppy.whoami()["name"], files=sloppy.list_repo_files(**at), content=text_of("slashes.txt"),
     from_environment=from_environment)

api.move_repo(from_id=repo, to_id=plan["renamed"], repo_type=plan["kind"])
old_id = api.repo_info(**at).id
api.upload_file(**at, path_or_fileobj=b"to the old name\n", path_in_repo="renamed.txt")
content = error = None
try:
    content = text_of("renamed.txt")
except Exception as raised:
    error = {"classes": ancestors(raised), "text": str(raised)}
step("rename", id=old_id, content=content, error=error, by_new_name=text_of("renamed.txt", repo_id=plan["renamed"]))
at["repo_id"] = plan["renamed"]

api.delete_repo(**at)
step("delete repo", exists=api.repo_exists(**at))
