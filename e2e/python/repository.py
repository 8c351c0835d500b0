"""A working copy through `huggingface_hub.Repository`, which drives git and git-lfs. Gone from 1.0 on."""

import json
import os
import sys

from huggingface_hub import HfApi, Repository, hf_hub_download

from lockstep import sha256_of, step

# `repo`, `work`: a folder to work in.
plan = json.loads(sys.argv[1])
repo_id = plan["repo"]
work = plan["work"]
token = os.environ["HF_TOKEN"]
api = HfApi()
LARGE_BYTES = 11_000_000
IN_PARTS_BYTES = 13_000_000


def open_clone(name):
    return Repository(
        os.path.join(work, name),
        clone_from=repo_id,
        token=token,
        git_user="alice",
        git_email="alice@example.org",
    )


def write(clone, path, content):
    with open(os.path.join(clone.local_dir, path), "wb") as file:
        file.write(content)


def listed(**where):
    return sorted(api.list_repo_files(repo_id, **where))


def downloaded(path):
    return sha256_of(hf_hub_download(repo_id, path))


api.create_repo(repo_id)
first = open_clone("first")
step("clone_from", files=sorted(name for name in os.listdir(first.local_dir) if name != ".git"))

large = os.urandom(LARGE_BYTES)
with first.commit("A small and a large file"):
    # The context manager works in the folder itself.
    with open("small.txt", "w") as file:
        file.write("small")
    with open("large.bin", "wb") as file:
        file.write(large)
step(
    "commit",
    files=listed(),
    head=first.git_head_hash() == api.repo_info(repo_id).sha,
    same=downloaded("large.bin") == sha256_of(os.path.join(first.local_dir, "large.bin")),
)

write(first, "later.txt", b"later")
url, command = first.push_to_hub(commit_message="Later", blocking=False)
first.wait_for_commands()
step("push_to_hub", done=command.is_done, status=command.status, url=url, files=listed())

second = open_clone("second")
same = sha256_of(os.path.join(second.local_dir, "large.bin")) == downloaded("large.bin")
write(second, "second.txt", b"second")
second.push_to_hub(commit_message="From elsewhere")
write(first, "first.txt", b"first")
first.git_add(".")
first.git_commit("In the meantime")
first.git_pull(rebase=True)
first.git_push()
step("git_pull", same=same, files=listed(), titles=[commit.title for commit in api.list_repo_commits(repo_id)][:2])

first.git_checkout("experiments", create_branch_ok=True)
write(first, "tried.txt", b"tried")
first.git_add(".")
first.git_commit("An experiment")
first.git_push(upstream="origin experiments")
first.git_checkout("main")
step(
    "git_checkout",
    branches=sorted(branch.name for branch in api.list_repo_refs(repo_id).branches),
    main="tried.txt" in listed(),
    experiments="tried.txt" in listed(revision="experiments"),
)

first.add_tag("v1", message="The first one", remote="origin")
there = first.tag_exists("v1", remote="origin"), [tag.name for tag in api.list_repo_refs(repo_id).tags]
first.delete_tag("v1", remote="origin")
step("tags", there=there, gone=[tag.name for tag in api.list_repo_refs(repo_id).tags])

# Large enough for the hub to want the agent of `lfs_enable_largefiles`, which sends parts.
with first.commit("In parts"):
    with open("parts.bin", "wb") as file:
        file.write(os.urandom(IN_PARTS_BYTES))
step("lfs_enable_largefiles", same=downloaded("parts.bin") == sha256_of(os.path.join(first.local_dir, "parts.bin")))
