"""A dataset's life through `datasets`: shards, configurations, streaming, and pushes that meet each other."""

import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import datasets
from datasets import Dataset, DatasetDict, get_dataset_config_names, get_dataset_split_names, load_dataset
from huggingface_hub import DatasetCard, HfApi
from huggingface_hub.utils import HfHubHTTPError

from lockstep import step

# `repo`, and `other`: a private one that does not exist yet.
plan = json.loads(sys.argv[1])
repo = plan["repo"]
api = HfApi()
datasets.disable_progress_bars()


def rows(first, count):
    ids = list(range(first, first + count))
    return Dataset.from_dict({"id": ids, "text": [f"row {id}" for id in ids]})


def facts_of(loaded):
    return {"rows": len(loaded), "ids": sum(loaded["id"]), "last": loaded[-1]["text"]}


def listed(of=repo):
    return sorted(api.list_repo_files(of, repo_type="dataset"))


def blobs():
    tree = api.list_repo_tree(repo, repo_type="dataset", recursive=True)
    return {entry.path: entry.blob_id for entry in tree if hasattr(entry, "blob_id")}


def head():
    return api.dataset_info(repo).sha


def fresh():
    """A cache that nothing was loaded into, so that rows come from the hub and not from the last step."""
    return tempfile.mkdtemp()


rows(0, 1000).push_to_hub(repo, num_shards=5)
rows(5000, 100).push_to_hub(repo, split="test")
first = head()
step("push", files=listed(), splits=sorted(get_dataset_split_names(repo)))

loaded = load_dataset(repo, cache_dir=fresh())
step("load", splits={name: facts_of(loaded[name]) for name in loaded})

stream = load_dataset(repo, split="train", streaming=True)
step(
    "stream",
    shards=stream.num_shards if hasattr(stream, "num_shards") else stream.n_shards,
    ids=sum(row["id"] for row in stream),
    skipped=next(iter(stream.skip(700)))["text"],
)

rows(20_000, 30).push_to_hub(repo, num_shards=3)
step(
    "push again",
    files=listed(),
    now=facts_of(load_dataset(repo, split="train", cache_dir=fresh())),
    earlier=facts_of(load_dataset(repo, split="train", revision=first, cache_dir=fresh())),
    short=facts_of(load_dataset(repo, split="train", revision=first[:7], cache_dir=fresh())),
)

before = blobs()
rows(20_000, 30).push_to_hub(repo, num_shards=3)
after = blobs()
step("push the same", changed=[path for path in before | after if before.get(path) != after.get(path)])

rows(0, 60).push_to_hub(repo, config_name="short", max_shard_size="1KB")
# 4.1 misses the splits that are in the card and not among these files.
globbed = load_dataset(
    repo, data_files="data/test-*.parquet", split="train", cache_dir=fresh(), verification_mode="no_checks"
)
step(
    "configuration",
    names=get_dataset_config_names(repo),
    short=facts_of(load_dataset(repo, "short", split="train", cache_dir=fresh())),
    default=facts_of(load_dataset(repo, "default", split="train", cache_dir=fresh())),
    globbed=facts_of(globbed),
)

DatasetDict({"train": rows(0, 9), "validation": rows(9, 3)}).push_to_hub(
    plan["other"], revision="dev", private=True
)
other = load_dataset(plan["other"], revision="dev", cache_dir=fresh())
step(
    "private branch",
    splits={name: facts_of(other[name]) for name in other},
    private=api.dataset_info(plan["other"]).private,
    main=listed(plan["other"]),
)

# Somebody else commits between the moment that the library reads the head and its own commit.
own_commit = HfApi.create_commit
refusals = []


def overtaken(self, *args, **kwargs):
    if kwargs.get("parent_commit") and not refusals:
        refusals.append("pending")
        self.upload_file(path_or_fileobj=b"1", path_in_repo="elsewhere.txt", repo_id=repo, repo_type="dataset")
    return own_commit(self, *args, **kwargs)


HfApi.create_commit = overtaken
try:
    rows(0, 70).push_to_hub(repo, config_name="overtaken")
    refusals = []
except HfHubHTTPError as error:
    refusals = [error.response.status_code]
HfApi.create_commit = own_commit
left = listed()
step(
    "overtaken",
    refusals=refusals,
    other="elsewhere.txt" in left,
    pushed=any(path.startswith("overtaken/") for path in left),
    named="overtaken" in get_dataset_config_names(repo),
)


def push_until_done(number):
    """What a person does with the versions of the library that do not retry."""
    for attempt in range(1, 50):
        try:
            rows(number * 100, 10).push_to_hub(plan["other"], config_name=f"c{number}", num_shards=2)
            return attempt
        except HfHubHTTPError as error:
            if error.response.status_code != 412:
                raise


with ThreadPoolExecutor(4) as pool:
    attempts = list(pool.map(push_until_done, range(4)))
names = get_dataset_config_names(plan["other"])
step(
    "at once",
    attempts=attempts,
    names=sorted(names),
    card=sorted(config["config_name"] for config in DatasetCard.load(plan["other"], repo_type="dataset").data.configs),
    ids=[sum(load_dataset(plan["other"], name, split="train", cache_dir=fresh())["id"]) for name in sorted(names)],
)
