"""History through huggingface_hub: commits, refs, squashes, LFS files, HfFileSystem; 0.19.4 and the newest."""

import json
import os
import sys
import tempfile

import huggingface_hub as hub
from huggingface_hub import HfApi, HfFileSystem
from huggingface_hub.utils import HfHubHTTPError

from lockstep import step

# `repo`, `kind`, and for the newest client `other`, a repository of another owner.
plan = json.loads(sys.argv[1])
repo = plan["repo"]
at = {"repo_id": repo, "repo_type": plan["kind"]}
prefix = {"model": "", "dataset": "datasets/", "space": "spaces/"}[plan["kind"]]
api = HfApi()
is_old = hub.__version__.startswith("0.19.")


def outcome(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except HfHubHTTPError as error:
        kinds = [kind.__name__ for kind in type(error).__mro__]
        return [error.response.status_code, "BadRequestError" in kinds, "RevisionNotFoundError" in kinds]
    return "ok"


def titles(**more):
    return [commit.title for commit in api.list_repo_commits(**at, **more)]


def put(path, content, **more):
    api.upload_file(**at, path_in_repo=path, path_or_fileobj=content, commit_message=f"put {path}", **more)


api.create_repo(**at, **({"space_sdk": "static"} if plan["kind"] == "space" else {}))
first_lfs = b"\x00first" * 5000
second_lfs = b"\x00second" * 5000
put("readme.txt", b"hello\n")
put("data/one.bin", first_lfs)
put("data/two.bin", second_lfs)
put("data/deep/note.txt", b"0123456789")
commits = api.list_repo_commits(**at, formatted=True)
step(
    "commits",
    titles=[commit.title for commit in commits],
    authors=[commit.authors for commit in commits],
    formatted=[commit.formatted_title for commit in commits],
    dates=[commit.created_at.isoformat() for commit in commits],
)

head = commits[0].commit_id
first = commits[-1].commit_id
refused = {}
api.create_branch(**at, branch="from-main")
refused["branch again"] = outcome(api.create_branch, **at, branch="from-main")
api.create_branch(**at, branch="from-main", exist_ok=True)
api.create_branch(**at, branch="from/first", revision=first)
api.create_branch(**at, branch="from-short", revision=head[:8])
api.create_branch(**at, branch="refs/convert/parquet", revision=first)
for name in ["refs/pr/5", "refs/something", "a..b"]:
    refused[f"branch {name}"] = outcome(api.create_branch, **at, branch=name)
refused["branch from nowhere"] = outcome(api.create_branch, **at, branch="x", revision="nowhere")
api.create_tag(**at, tag="v1", revision=head, tag_message="Annotated")
api.create_tag(**at, tag="from-main")
api.create_tag(**at, tag="of-parquet", revision="refs/convert/parquet")
refused["tag again"] = outcome(api.create_tag, **at, tag="v1")
api.create_tag(**at, tag="v1", exist_ok=True)
refused["tag a b"] = outcome(api.create_tag, **at, tag="a b")
refused["tag of nowhere"] = outcome(api.create_tag, **at, tag="x", revision="nowhere")
more = {} if is_old else {"include_pull_requests": True}
refs = api.list_repo_refs(**at, **more)
step(
    "refs",
    head=head,
    first=first,
    refused=refused,
    branches={ref.name: ref.target_commit for ref in refs.branches},
    converts={ref.name: [ref.ref, ref.target_commit] for ref in refs.converts},
    tags={ref.name: ref.target_commit for ref in refs.tags},
    pulls=None if is_old else refs.pull_requests,
)

put("converted.txt", b"1\n", revision="refs/convert/parquet")
put("branch.txt", b"1\n", revision="from/first")
step("special revisions", convert=titles(revision="refs/convert/parquet"), branch=titles(revision="from/first"),
     full=titles(revision="refs/heads/from/first"), short=titles(revision=head[:7]), tag=titles(revision="v1"))

exists = {
    "file": api.file_exists(repo, "data/one.bin", repo_type=plan["kind"]),
    "file at tag": api.file_exists(repo, "converted.txt", repo_type=plan["kind"], revision="v1"),
    "file at convert": api.file_exists(repo, "converted.txt", repo_type=plan["kind"], revision="refs/convert/parquet"),
}
if not is_old:
    for revision in ["main", "v1", "from/first", "refs/convert/parquet", head, head[:6], "nowhere", "0" * 40]:
        exists[revision] = api.revision_exists(**at, revision=revision)
step("exists", head=head, short=head[:6], **exists)

if not is_old:
    tree = api.list_repo_tree(**at, recursive=True, expand=True)
    asked = api.get_paths_info(**at, paths=["data", "data/one.bin", "none"], expand=True)
    step("expanded", tree={entry.path: entry.last_commit.title for entry in tree},
         asked={entry.path: [entry.last_commit.oid, entry.last_commit.date.isoformat()] for entry in asked})

root = prefix + repo
fs = HfFileSystem(skip_instance_cache=True)
names = lambda found: sorted(name[len(root) + 1:] for name in found)
with fs.open(f"{root}/data/deep/note.txt", "rb", block_size=4) as file:
    file.seek(3)
    ranged = file.read(4).decode()
with fs.open(f"{root}/data/two.bin", "rb") as file:
    file.seek(7000)
    middle = file.read(14) == second_lfs[7000:7014]
with fs.open(f"{root}@from/first/branch.txt".replace("from/first", "from%2Ffirst"), "rb") as file:
    on_branch = file.read().decode()
info = fs.info(f"{root}/data/one.bin")
step(
    "filesystem",
    ls=names(fs.ls(root, detail=False)),
    find=names(fs.find(root)),
    glob=names(fs.glob(f"{root}/**/*.bin")),
    convert=[name.split("/")[-1] for name in fs.ls(f"{root}@refs/convert/parquet", detail=False)],
    size=info["size"],
    kind=info["type"],
    du=fs.du(root),
    isdir=[fs.isdir(f"{root}/data"), fs.isdir(f"{root}/readme.txt"), fs.isdir(f"{root}/none")],
    exists=[fs.exists(f"{root}/readme.txt"), fs.exists(f"{root}/none"), fs.exists(f"{root}@nowhere/readme.txt")],
    modified=fs.modified(f"{root}/data/one.bin").isoformat(),
    ranged=ranged,
    middle=middle,
    on_branch=on_branch,
)

api.super_squash_history(**at, branch="refs/convert/parquet", commit_message="Squashed")
api.super_squash_history(**at, branch="from/first")
refused = {
    "tag": outcome(api.super_squash_history, **at, branch="v1"),
    "nowhere": outcome(api.super_squash_history, **at, branch="nowhere"),
}
step("squash", convert=titles(revision="refs/convert/parquet"), branch=titles(revision="from/first"),
     main=titles(), refused=refused)

if not is_old:
    folder = api.snapshot_download(**at, local_dir=tempfile.mkdtemp())
    sound = api.verify_repo_checksums(**at, local_dir=folder)
    with open(os.path.join(folder, "readme.txt"), "ab") as file:
        file.write(b"changed")
    damaged = api.verify_repo_checksums(**at, local_dir=folder)
    step("checksums", checked=sound.checked_count, sound=[str(m) for m in sound.mismatches],
         damaged=[mismatch["path"] for mismatch in damaged.mismatches])

    if plan["copies"]:
        api.create_repo(plan["other"], repo_type=plan["kind"])
        api.copy_files(f"hf://{root}/data/", f"hf://{prefix}{plan['other']}/copied/")
        api.copy_files(f"hf://{root}/readme.txt", f"hf://{prefix}{plan['other']}/readme.txt")
        copied = HfFileSystem(skip_instance_cache=True)
        step("copies", files=sorted(api.list_repo_files(plan["other"], repo_type=plan["kind"])),
             same=copied.cat_file(f"{prefix}{plan['other']}/copied/one.bin") == first_lfs,
             small=copied.cat_file(f"{prefix}{plan['other']}/readme.txt").decode())

    files = list(api.list_lfs_files(**at))
    api.permanently_delete_lfs_files(**at, lfs_files=[file for file in files if file.filename == "data/one.bin"])
    left = list(api.list_lfs_files(**at))
    step("lfs files", files=sorted([file.filename, file.size, file.ref] for file in files),
         years=[file.pushed_at.year > 2000 for file in files],
         left=[file.filename for file in left], listed=sorted(api.list_repo_files(**at)), titles=titles(),
         tagged=sorted(api.list_repo_files(**at, revision="v1")),
         old=api.file_exists(repo, "data/one.bin", repo_type=plan["kind"], revision=head))

api.delete_tag(**at, tag="from-main")
api.delete_branch(**at, branch="refs/convert/parquet")
api.delete_branch(**at, branch="from/first")
refused = {
    "tag again": outcome(api.delete_tag, **at, tag="from-main"),
    "tag by a branch's name": outcome(api.delete_tag, **at, tag="from-short"),
    "branch again": outcome(api.delete_branch, **at, branch="from/first"),
    "main": outcome(api.delete_branch, **at, branch="main"),
}
refs = api.list_repo_refs(**at)
step("deleted", refused=refused, branches=[ref.name for ref in refs.branches], tags=[ref.name for ref in refs.tags],
     converts=len(refs.converts))
