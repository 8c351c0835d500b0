"""The round trip through a proxy, over Xet and then over LFS; what came back is one JSON line. See proxy.e2e.ts."""

import hashlib
import json
import sys
import tempfile

import huggingface_hub
from huggingface_hub import HfApi, hf_hub_download

plan = json.loads(sys.argv[1])
repo, odd_name = plan["repo"], plan["oddName"]
api = HfApi()
facts = {}


def fetched(path, revision="main"):
    with open(hf_hub_download(repo, path, revision=revision, cache_dir=tempfile.mkdtemp()), "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


created = api.create_repo(repo)
facts["created"] = created.repo_id

info = api.upload_file(repo_id=repo, path_or_fileobj=plan["xetFile"], path_in_repo="first.bin")
facts["commitUrl"] = info.commit_url
facts["xet"] = fetched("first.bin")

huggingface_hub.constants.HF_HUB_DISABLE_XET = True
api.upload_file(repo_id=repo, path_or_fileobj=plan["lfsFile"], path_in_repo="second.bin")
facts["lfs"] = fetched("second.bin")
facts["bridged"] = fetched("first.bin")

api.create_branch(repo, branch="dev/older")
api.upload_file(repo_id=repo, path_or_fileobj=b"odd\n", path_in_repo=odd_name, revision="dev/older")
facts["names"] = sorted(api.list_repo_files(repo, revision="dev/older"))
facts["odd"] = fetched(odd_name, revision="dev/older")

api.move_repo(from_id=repo, to_id=plan["renamed"])
facts["renamed"] = api.model_info(repo).id
facts["atOldName"] = fetched("first.bin")

api.delete_repo(plan["renamed"])
facts["exists"] = api.repo_exists(plan["renamed"])
print(json.dumps(facts))
