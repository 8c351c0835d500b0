"""Users, organizations, tokens and download counts through huggingface_hub: 0.19.4 where it has the method."""

import json
import os
import subprocess
import sys
import time

import huggingface_hub as hub
from huggingface_hub import HfApi

from lockstep import step

# `repo` (of the organization `acme`), `other`, `home` (a HF_HOME of its own for the login).
plan = json.loads(sys.argv[1])
repo, other = plan["repo"], plan["other"]
api = HfApi()
is_old = hub.__version__.startswith("0.19.")


def shown(user):
    return [user.username, user.fullname, user.avatar_url, user.user_type]


def attempt(call):
    try:
        call()
    except Exception as error:
        response = getattr(error, "response", None)
        return {"raises": type(error).__name__, "status": getattr(response, "status_code", None), "text": str(error)}
    return None


me = api.whoami()
step("whoami", avatar=me["avatarUrl"], orgs=[[org["name"], org["avatarUrl"]] for org in me["orgs"]],
     token=me["auth"]["accessToken"]["displayName"],
     permission=api.get_token_permission() if is_old else None)

for name in (repo, other):
    api.create_repo(name, private=True)
    api.upload_file(repo_id=name, path_or_fileobj=b"0123456789", path_in_repo="ten.txt")

if not is_old:
    user = api.get_user_overview("alice")
    org = api.get_organization_overview("acme")
    step(
        "overviews",
        user=[*shown(user), user.num_models, user.num_followers, [o.name for o in user.orgs]],
        org=[org.name, org.fullname, org.avatar_url, org.num_users, org.num_models],
        hidden=HfApi(token=False).get_organization_overview("acme").num_models,
        members=[shown(member) for member in api.list_organization_members("acme")],
        followers=[*api.list_user_followers("alice"), *api.list_user_following("alice"),
                   *api.list_organization_followers("acme")],
        missing=attempt(lambda: api.get_user_overview("nobody")),
    )
    step(
        "storage",
        own=[[info.id, info.type, info.visibility] for info in api.list_user_repos()],
        acme=[[info.id, info.type, info.visibility, info.storage] for info in api.list_user_repos("acme")],
    )

# The test makes the tokens meanwhile.
step("ready for tokens")
tokens = json.loads(sys.stdin.readline())
fine = HfApi(token=tokens["one"])
grants = fine.whoami()["auth"]["accessToken"]
step("grants", role=grants["role"], grants=grants["fineGrained"],
     permission=fine.get_token_permission() if is_old else None)


def upload(client, to):
    return client.upload_file(repo_id=to, path_or_fileobj=b"fine", path_in_repo="fine.txt")


upload(fine, repo)
reader = HfApi(token=tokens["reader"])
step(
    "fine-grained",
    files=fine.list_repo_files(repo),
    # The reader's token may read both; the other one may do nothing in `other`.
    refused=attempt(lambda: upload(reader, repo)),
    hidden=attempt(lambda: upload(fine, other)),
    read=reader.list_repo_files(other),
    created=attempt(lambda: fine.create_repo("acme/not-for-it")),
)

before = api.model_info(repo).downloads
api.hf_hub_download(repo, "ten.txt")
api.hf_hub_download(repo, "ten.txt", force_download=True)
api.snapshot_download(repo)
deadline = time.monotonic() + 20
while api.model_info(repo).downloads == before and time.monotonic() < deadline:
    time.sleep(0.5)
# Whatever else was counted would be there by now too: one batch holds them all.
info = api.model_info(repo) if is_old else api.model_info(repo, expand=["downloads", "downloadsAllTime"])
step("downloads", before=before, after=info.downloads, all_time=getattr(info, "downloads_all_time", None))

env = {**os.environ, "HF_HOME": plan["home"]}
token = env.pop("HF_TOKEN")
if is_old:
    cli = [sys.executable, "-m", "huggingface_hub.commands.huggingface_cli"]
    words = {"login": ["login", "--token", token], "who": ["whoami"], "logout": ["logout"]}
else:
    cli = [sys.executable, os.path.join(os.path.dirname(sys.executable), "hf")]
    words = {"login": ["auth", "login", "--token", token], "who": ["auth", "whoami"], "logout": ["auth", "logout"]}


def said(name):
    done = subprocess.run([*cli, *words[name]], env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return {"code": done.returncode, "text": done.stdout + done.stderr}


step("login", login=said("login"), who=said("who"), logout=said("logout"), after=said("who"))
