"""Renames, transfers, settings, duplicates, likes and deletions by huggingface_hub, 0.19.4 and the newest."""

import json
import os
import sys
import urllib.request

import huggingface_hub as hub
from huggingface_hub import CommitOperationAdd, HfApi, hf_hub_download, snapshot_download
from huggingface_hub.utils import RepositoryNotFoundError

from lockstep import digests_of, sha256_of, step

# `kind`, `ns` (own name), `org`, `folder` with a large file `large` and a small one `regular`, `cache` for downloads.
plan = json.loads(sys.argv[1])
kind, org, folder = plan["kind"], plan["org"], plan["folder"]
api = HfApi()
bob = HfApi(token=os.environ["E2E_TOKEN_BOB"])
reader = HfApi(token=os.environ["E2E_TOKEN_READER"])
is_old = hub.__version__.startswith("0.19.")
sdk = {"space_sdk": "static"} if kind == "space" else {}
of_kind = {"repo_type": kind}


def name(word, owner="alice"):
    return f"{owner}/{kind}-{word}"


def outcome(call):
    try:
        return {"value": call()}
    except Exception as error:
        response = getattr(error, "response", None)
        return {
            "classes": [k.__name__ for k in type(error).__mro__],
            "status": None if response is None else response.status_code,
            "text": str(error),
        }


def fetched(repo, path, word):
    cache = os.path.join(plan["cache"], word)
    return sha256_of(hf_hub_download(repo, path, cache_dir=cache, **of_kind))


def snapshot(repo, word):
    found = digests_of(snapshot_download(repo, cache_dir=os.path.join(plan["cache"], word), **of_kind))
    return {path: digest for path, digest in found.items() if path != ".gitattributes"}


# Creating, in every way the client has.
short = api.create_repo(f"{kind}-short", **of_kind, **sdk)
again = api.create_repo(f"{kind}-short", exist_ok=True, **of_kind, **sdk)
taken = outcome(lambda: str(api.create_repo(f"{kind}-short".upper(), **of_kind, **sdk)))
private = api.create_repo(name("hidden"), private=True, **of_kind, **sdk)
foreign = outcome(lambda: str(api.create_repo(name("x", "bob"), **of_kind, **sdk)))
step("create", short=str(short), again=str(again), private=str(private), taken=taken, foreign=foreign)

api.create_repo(name("a"), **of_kind, **sdk)
for repo in (name("a"), name("hidden")):
    api.upload_folder(repo_id=repo, folder_path=folder, **of_kind)

# Renaming, and everything under the old name.
api.move_repo(name("a"), name("b"), **of_kind)
api.move_repo(name("hidden"), name("hidden2"), **of_kind)
step(
    "rename",
    id=api.repo_info(name("a"), **of_kind).id,
    files=sorted(api.list_repo_files(name("a"), **of_kind)),
    small=fetched(name("a"), plan["regular"], "small"),
    large=fetched(name("a"), plan["large"], "large"),
    snapshot=snapshot(name("a"), "snapshot"),
)
step(
    "rename private",
    id=api.repo_info(name("hidden"), **of_kind).id,
    small=fetched(name("hidden"), plan["regular"], "hidden-small"),
    large=fetched(name("hidden"), plan["large"], "hidden-large"),
    snapshot=snapshot(name("hidden"), "hidden-snapshot"),
    stranger=outcome(lambda: bob.repo_info(name("hidden"), **of_kind).id),
)
api.upload_folder(repo_id=name("a"), folder_path=folder, path_in_repo="more", **of_kind)
api.create_commit(
    repo_id=name("a"),
    operations=[CommitOperationAdd(path_in_repo="by-old-name.txt", path_or_fileobj=b"by the old name")],
    commit_message="By the old name",
    **of_kind,
)
step("commit by the old name", files=sorted(api.list_repo_files(name("b"), **of_kind)))

api.create_repo(name("other"), **of_kind, **sdk)
step(
    "move refused",
    existing=outcome(lambda: api.move_repo(name("b"), name("other"), **of_kind)),
    case=outcome(lambda: api.move_repo(name("b"), name("OTHER"), **of_kind)),
    foreign=outcome(lambda: api.move_repo(name("b"), name("b", "bob"), **of_kind)),
    stolen=outcome(lambda: bob.move_repo(name("b"), name("b", "bob"), **of_kind)),
)

# To an organization and on.
api.move_repo(name("hidden2"), name("hidden", org), **of_kind)
api.upload_folder(repo_id=name("hidden", org), folder_path=folder, path_in_repo="again", **of_kind)
step(
    "transfer",
    id=api.repo_info(name("hidden2"), **of_kind).id,
    large=fetched(name("hidden"), plan["large"], "transferred"),
    snapshot=snapshot(name("hidden", org), "transferred-snapshot"),
)

# Settings.
if is_old:
    answers = [api.update_repo_visibility(name("b"), private=p, **of_kind) for p in (True, False)]
    refused = outcome(lambda: bob.update_repo_visibility(name("b"), private=True, **of_kind))
    gated = None
else:
    answers = []
    for option in ({"private": True}, {"visibility": "public", "gated": False}):
        api.update_repo_settings(name("b"), **option, **of_kind)
        answers.append({"private": api.repo_info(name("b"), **of_kind).private})
    refused = outcome(lambda: bob.update_repo_settings(name("b"), private=True, **of_kind))
    gated = outcome(lambda: api.update_repo_settings(name("b"), gated="auto", **of_kind))
step("settings", answers=answers, refused=refused, gated=gated)

# Duplicates: 0.19.4 knows Spaces only.
if not is_old or kind == "space":
    api.create_tag(name("b"), tag="v1", **of_kind)
    if is_old:
        duplicate = lambda who, to, **more: str(who.duplicate_space(name("b"), to, **more))
    else:
        duplicate = lambda who, to, **more: str(who.duplicate_repo(name("b"), to, **of_kind, **more))
    copy = duplicate(bob, name("copy", "bob"))
    near = duplicate(api, name("near"), private=True)
    step(
        "duplicate",
        copy=copy,
        again=duplicate(bob, name("copy", "bob"), exist_ok=True),
        taken=outcome(lambda: duplicate(bob, name("copy", "bob"))),
        near_private=api.repo_info(name("near"), **of_kind).private,
        tags=[tag.name for tag in api.list_repo_refs(name("copy", "bob"), **of_kind).tags],
        same_commits=[c.commit_id for c in api.list_repo_commits(name("copy", "bob"), **of_kind)]
        == [c.commit_id for c in api.list_repo_commits(name("b"), **of_kind)],
        snapshot=snapshot(name("copy", "bob"), "copy"),
    )

# Likes.
path = f"{api.endpoint}/api/{kind}s/{name('b')}/like"
if is_old:
    api.like(name("b"), **of_kind)
else:
    # The newest client has no `like` any more; people press the button.
    authorization = {"authorization": f"Bearer {os.environ['HF_TOKEN']}"}
    urllib.request.urlopen(urllib.request.Request(path, method="POST", headers=authorization)).close()
liked = getattr(bob.list_liked_repos("alice"), f"{kind}s")
mine = api.list_liked_repos()
likers = [user.username for user in api.list_repo_likers(name("b"), **of_kind)]
api.unlike(name("b"), **of_kind)
step(
    "likes",
    liked=liked,
    mine=getattr(mine, f"{kind}s"),
    likers=likers,
    after=[user.username for user in api.list_repo_likers(name("b"), **of_kind)],
)

if not is_old:
    step(
        "auth check",
        own=outcome(lambda: api.auth_check(name("b"), write=True, **of_kind)),
        reading=outcome(lambda: reader.auth_check(name("hidden", org), **of_kind)),
        writing=outcome(lambda: reader.auth_check(name("hidden", org), write=True, **of_kind)),
        hidden=outcome(lambda: bob.auth_check(name("hidden", org), **of_kind)),
    )

# The end.
api.delete_repo(name("b"), **of_kind)
api.delete_repo(name("b"), missing_ok=True, **of_kind)
step(
    "delete",
    missing=outcome(lambda: api.delete_repo(name("b"), **of_kind)),
    foreign=outcome(lambda: bob.delete_repo(name("other"), **of_kind)),
    old_name=outcome(lambda: api.repo_info(name("a"), **of_kind).id),
)
