"""Calls that must fail, each with the exception class that users catch; then proof that nothing changed."""

import json
import os
import sys

from huggingface_hub import CommitOperationAdd, HfApi

from lockstep import step

plan = json.loads(sys.argv[1])
alice = HfApi()
reader = HfApi(token=os.environ["E2E_TOKEN_READER"])
bob = HfApi(token=os.environ["E2E_TOKEN_BOB"])
stranger = HfApi(token="hf_" + "x" * 37)

repo, private, missing = plan["repo"], plan["private"], plan["missing"]
unknown_sha = "0123456789" * 4


def state():
    refs = alice.list_repo_refs(repo)
    return {
        "branches": {ref.name: ref.target_commit for ref in refs.branches},
        "tags": {ref.name: ref.target_commit for ref in refs.tags},
        "files": sorted(alice.list_repo_files(repo)),
        "commits": [commit.commit_id for commit in alice.list_repo_commits(repo)],
    }


def add(api, **options):
    operations = [CommitOperationAdd(path_in_repo="refused.txt", path_or_fileobj=b"refused")]
    return api.create_commit(repo, operations=operations, commit_message="Refused", **options)


alice.create_repo(repo)
alice.upload_file(repo_id=repo, path_or_fileobj=b"first\n", path_in_repo="first.txt")
stale = alice.repo_info(repo).sha
alice.upload_file(repo_id=repo, path_or_fileobj=b"second\n", path_in_repo="second.txt")
alice.create_branch(repo, branch="taken")
alice.create_tag(repo, tag="v1")
bob.create_repo(private, private=True)
bob.upload_file(repo_id=private, path_or_fileobj=b"secret\n", path_in_repo="secret.txt")
before = state()
step("prepared", **before)

for name, call in {
    "info of a missing repository": lambda: alice.repo_info(missing),
    "info of a missing repository, anonymous": lambda: alice.repo_info(missing, token=False),
    "info of a private repository": lambda: alice.repo_info(private),
    "info of a private repository, anonymous": lambda: alice.repo_info(private, token=False),
    "download from a private repository": lambda: alice.hf_hub_download(private, "secret.txt"),
    "upload to a private repository": lambda: alice.upload_file(
        repo_id=private, path_or_fileobj=b"x", path_in_repo="x.txt"),
    "download from a missing repository": lambda: alice.hf_hub_download(missing, "first.txt"),
    "download of a missing file": lambda: alice.hf_hub_download(repo, "no such file"),
    "download of a missing revision": lambda: alice.hf_hub_download(repo, "first.txt", revision="nowhere"),
    "info of a missing revision": lambda: alice.repo_info(repo, revision="nowhere"),
    "info of an unknown commit": lambda: alice.repo_info(repo, revision=unknown_sha),
    "commits of a missing revision": lambda: list(alice.list_repo_commits(repo, revision="nowhere")),
    "refs of a missing repository": lambda: alice.list_repo_refs(missing),
    "creating what exists": lambda: alice.create_repo(repo),
    "creating in another's namespace": lambda: alice.create_repo("bob/mine-now"),
    "creating with a read token": lambda: reader.create_repo("alice/not-by-reader"),
    "deleting a missing repository": lambda: alice.delete_repo(missing),
    "deleting with a read token": lambda: reader.delete_repo(repo),
    "deleting another's repository": lambda: bob.delete_repo(repo),
    "commit on a stale parent": lambda: add(alice, parent_commit=stale),
    "commit on an unknown parent": lambda: add(alice, parent_commit=unknown_sha),
    "commit to a missing branch": lambda: add(alice, revision="nowhere"),
    "commit with a read token": lambda: add(reader),
    "commit to another's repository": lambda: add(bob),
    "commit without a token": lambda: add(alice, token=False),
    "commit as a pull request": lambda: add(alice, create_pr=True),
    "delete of a missing file": lambda: alice.delete_file("no such file", repo),
    "branch that exists": lambda: alice.create_branch(repo, branch="taken"),
    "branch from a missing revision": lambda: alice.create_branch(repo, branch="new", revision="nowhere"),
    "branch with a read token": lambda: reader.create_branch(repo, branch="new"),
    "deleting a missing branch": lambda: alice.delete_branch(repo, branch="nowhere"),
    "deleting the main branch": lambda: alice.delete_branch(repo, branch="main"),
    "tag that exists": lambda: alice.create_tag(repo, tag="v1"),
    "tag on a missing revision": lambda: alice.create_tag(repo, tag="v2", revision="nowhere"),
    "deleting a missing tag": lambda: alice.delete_tag(repo, tag="nowhere"),
    "whoami with a wrong token": lambda: stranger.whoami(),
    "info with a wrong token": lambda: stranger.repo_info(repo),
}.items():
    try:
        call()
        step(name, classes=[], status=None, text="nothing was raised")
    except Exception as error:
        response = getattr(error, "response", None)
        step(
            name,
            classes=[kind.__name__ for kind in type(error).__mro__],
            # A requests.Response is falsy when its status is an error.
            status=None if response is None else response.status_code,
            text=str(error),
        )

step("after", **state())
