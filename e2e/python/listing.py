"""Lists, searches and info, with the calls of 0.19.4 and of the newest huggingface_hub."""

import json
import struct

import huggingface_hub as hub
from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.utils import HfHubHTTPError

from lockstep import step

api = HfApi()
is_old = hub.__version__.startswith("0.19.")
descending = {"direction": -1} if is_old else {}


def safetensors(**shapes):
    header, end = {}, 0
    for name, shape in shapes.items():
        size = 4
        for dimension in shape:
            size *= dimension
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    head = json.dumps(header).encode()
    return struct.pack("<Q", len(head)) + head + bytes(end)


def gguf():
    def text(value):
        return struct.pack("<Q", len(value)) + value.encode()

    metadata = text("general.architecture") + struct.pack("<I", 8) + text("llama")
    metadata += text("llama.context_length") + struct.pack("<II", 4, 4096)
    tensor = text("t") + struct.pack("<IQQIQ", 2, 3, 5, 0, 0)
    return b"GGUF" + struct.pack("<IQQ", 3, 1, 2) + metadata + tensor + bytes(64)


def fill(repo, files, **options):
    api.create_repo(repo, **options)
    operations = [CommitOperationAdd(path_in_repo=path, path_or_fileobj=content) for path, content in files.items()]
    api.create_commit(repo, operations=operations, commit_message="Fill", repo_type=options.get("repo_type"))


def card(text):
    return f"---\n{text}\n---\n# A card\nSome prose about an ornithopter.\n".encode()


fill("alice/tiny-bert", {
    "README.md": card("license: mit\npipeline_tag: fill-mask\nlibrary_name: transformers\ndatasets: [alice/words]"),
    "config.json": b'{"architectures": ["BertForMaskedLM"], "model_type": "bert"}',
    "tokenizer_config.json": b'{"mask_token": "[MASK]"}',
    "model.safetensors": safetensors(a=[2, 3], b=[4]),
})
index = {"metadata": {}, "weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
fill("alice/sharded", {
    "README.md": card("base_model: alice/tiny-bert"),
    "model.safetensors.index.json": json.dumps(index).encode(),
    "model-00001-of-00002.safetensors": safetensors(a=[100]),
    "model-00002-of-00002.safetensors": safetensors(b=[10, 10]),
})
fill("acme/llama.gguf", {"model.gguf": gguf()}, private=True)
fill("alice/words", {"README.md": card("language: en\nsize_categories: n<1K")}, repo_type="dataset")
fill("alice/demo", {"README.md": card("sdk: static\nmodels: [alice/tiny-bert]\ndatasets: [alice/words]")},
     repo_type="space", space_sdk="static")
step("filled")


def ids(found):
    return sorted(item.id for item in found)


step(
    "models",
    all=ids(api.list_models()),
    anonymous=ids(api.list_models(token=False)),
    author=ids(api.list_models(author="acme")),
    search=ids(api.list_models(search="TINY")),
    text=ids(api.list_models(search="ornithopter")),
    filter=ids(api.list_models(filter=["fill-mask", "license:mit"])),
    dataset=ids(api.list_models(filter="dataset:alice/words")),
    limited=len(list(api.list_models(limit=2))),
    newest=[item.id for item in api.list_models(sort="lastModified" if is_old else "last_modified", **descending)],
)

full = next(iter(api.list_models(search="tiny-bert", full=True, cardData=True, fetch_config=True)))
step(
    "full",
    files=sorted(file.rfilename for file in full.siblings),
    sha=full.sha == api.model_info("alice/tiny-bert").sha,
    config=full.config,
    license=(full.cardData if is_old else full.card_data)["license"],
)

step(
    "datasets",
    all=ids(api.list_datasets()),
    filter=ids(api.list_datasets(filter="language:en")),
    none=ids(api.list_datasets(filter="language:fr")),
    search=ids(api.list_datasets(search="words", author="alice")),
    description=next(iter(api.list_datasets(full=True))).description,
)
step(
    "spaces",
    all=ids(api.list_spaces()),
    models=ids(api.list_spaces(models="alice/tiny-bert")),
    datasets=ids(api.list_spaces(datasets=["alice/words"])),
    none=ids(api.list_spaces(models="alice/other")),
    linked=ids(api.list_spaces(linked=True, full=True)),
)

info = api.model_info("ALICE/Tiny-Bert")
step(
    "info",
    id=info.id,
    pipeline_tag=info.pipeline_tag,
    library=info.library_name,
    mask_token=info.mask_token,
    config=info.config,
    spaces=info.spaces,
    safetensors=getattr(info, "safetensors", None) and dict(info.safetensors),
    transformers=dict(info.transformersInfo if is_old else info.transformers_info),
)
tags = api.get_model_tags()
step("tags", pipelines=[tag["id"] for tag in tags["pipeline_tag"]] if not is_old else True,
     datasets=isinstance(api.get_dataset_tags(), dict) or is_old)

if not is_old:
    step(
        "newest filters",
        parameters=ids(api.list_models(num_parameters="min:100,max:1K")),
        pipeline=ids(api.list_models(pipeline_tag="fill-mask")),
        apps=ids(api.list_models(apps="llama.cpp")),
        gated=ids(api.list_models(gated=True)),
        warm=ids(api.list_models(inference="warm")),
    )
    expanded = api.model_info("alice/tiny-bert", expand=[
        "baseModels", "childrenModelCount", "downloadsAllTime", "trendingScore", "usedStorage", "safetensors", "spaces"])
    listed = next(iter(api.list_models(search="tiny-bert", expand=["childrenModelCount", "downloadsAllTime"])))
    quantized = api.model_info("acme/llama.gguf", expand=["gguf"])
    step(
        "expand",
        children=[expanded.children_model_count, listed.children_model_count],
        downloads=[expanded.downloads_all_time, listed.downloads_all_time],
        trending=expanded.trending_score,
        storage=expanded.used_storage,
        base=api.model_info("alice/sharded", expand="baseModels").base_models,
        gguf=quantized.gguf,
        total=api.model_info("alice/sharded", expand="safetensors").safetensors.total,
    )
    single = api.get_safetensors_metadata("alice/tiny-bert")
    sharded = api.get_safetensors_metadata("alice/sharded")
    step("safetensors", counts=[single.parameter_count, sharded.parameter_count], sharded=sharded.sharded)

if is_old:
    from huggingface_hub import DatasetFilter, ModelFilter

    step(
        "old filters",
        model=ids(api.list_models(filter=ModelFilter(
            author="alice", model_name="tiny", task="fill-mask", library="safetensors", trained_dataset="alice/words"))),
        none=ids(api.list_models(filter=ModelFilter(author="alice", task="text-generation"))),
        dataset=ids(api.list_datasets(filter=DatasetFilter(author="alice", language="en", size_categories="n<1K"))),
        metrics=api.list_metrics(),
    )

refused = {}
for name, call in {
    "sort": lambda: list(api.list_models(sort="stars")),
    "without a namespace": lambda: api.model_info("gpt2"),
    "file without a namespace": lambda: api.hf_hub_download("gpt2", "config.json"),
    **({} if is_old else {"expand": lambda: api.model_info("alice/tiny-bert", expand=["password"])}),
}.items():
    try:
        call()
        refused[name] = None
    except (HfHubHTTPError, ValueError) as error:
        refused[name] = type(error).__name__
step("refused", **{"by": refused})
