"""The round trip with the first client generation that uploads by Xet; see generations.e2e.ts."""

import json
import sys
import tempfile

from huggingface_hub import HfApi, hf_hub_download, snapshot_download

from lockstep import digests_of, sha256_of, step

plan = json.loads(sys.argv[1])
repo, folder = plan["repo"], plan["folder"]
api = HfApi()

api.create_repo(repo, private=True)
api.upload_folder(repo_id=repo, folder_path=folder)
step("upload", xet=api.model_info(repo, expand=["xetEnabled"]).xet_enabled)

one = hf_hub_download(repo, "model.safetensors", cache_dir=tempfile.mkdtemp())
step("download", sha256=sha256_of(one))

step("snapshot", digests=digests_of(snapshot_download(repo, cache_dir=tempfile.mkdtemp())))

api.delete_repo(repo)
step("delete", exists=api.repo_exists(repo))
