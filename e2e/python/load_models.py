"""Models through transformers and what stands on it: a published one by name, and what the libraries push."""

import json
import sys
from tempfile import mkdtemp

import torch
import transformers
from diffusers import DDPMPipeline, DDPMScheduler, DiffusionPipeline, UNet2DModel
from huggingface_hub import HfApi, PyTorchModelHubMixin
from peft import LoraConfig, PeftModel, get_peft_model
from sentence_transformers import SentenceTransformer
from transformers import AutoConfig, AutoModel, AutoTokenizer

from lockstep import step

# `repo`, and `folder` with the model; the others do not exist yet: `pushed`, `sharded`, `own`, `sentences`, `adapter`
# and `pipeline`.
plan = json.loads(sys.argv[1])
repo = plan["repo"]
api = HfApi()
transformers.utils.logging.disable_progress_bar()


def same_weights(one, other):
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


def outcome(call):
    try:
        call()
    except OSError as error:
        return str(error).split("\n")[0]
    return "ok"


api.create_repo(repo)
api.upload_folder(repo_id=repo, folder_path=plan["folder"])
first = api.model_info(repo).sha
step("upload", files=sorted(api.list_repo_files(repo)))

model = AutoModel.from_pretrained(repo)
tokenizer = AutoTokenizer.from_pretrained(repo)
with torch.no_grad():
    hidden = model(**tokenizer(["the hub speaks"], return_tensors="pt")).last_hidden_state
step(
    "load",
    kind=type(model).__name__,
    tokens=tokenizer("the hub speaks")["input_ids"],
    shape=list(hidden.shape),
    parameters=model.num_parameters(),
    same=same_weights(model, AutoModel.from_pretrained(plan["folder"])),
)

api.upload_file(path_or_fileobj=b'{"model_type":"bert","hidden_size":12}', path_in_repo="config.json", repo_id=repo)
step(
    "revisions",
    now=AutoConfig.from_pretrained(repo).hidden_size,
    full=AutoConfig.from_pretrained(repo, revision=first).hidden_size,
    short=AutoConfig.from_pretrained(repo, revision=first[:7]).hidden_size,
    loaded=same_weights(model, AutoModel.from_pretrained(repo, revision=first[:7])),
)

model.push_to_hub(plan["pushed"])
tokenizer.push_to_hub(plan["pushed"])
step(
    "push_to_hub",
    files=sorted(api.list_repo_files(plan["pushed"])),
    same=same_weights(model, AutoModel.from_pretrained(plan["pushed"])),
    tokens=AutoTokenizer.from_pretrained(plan["pushed"])("the hub speaks")["input_ids"],
)

model.push_to_hub(plan["sharded"], private=True, max_shard_size="30MB")
heads = api.get_safetensors_metadata(plan["sharded"])
step(
    "sharded and private",
    private=api.model_info(plan["sharded"]).private,
    shards=len(heads.files_metadata),
    parameters=heads.parameter_count,
    same=same_weights(model, AutoModel.from_pretrained(plan["sharded"])),
    anonymous=outcome(lambda: AutoConfig.from_pretrained(plan["sharded"], token=False, cache_dir=mkdtemp())),
)



class Doubling(torch.nn.Module, PyTorchModelHubMixin, library_name="doubling", tags=["odd"]):
    def __init__(self, width: int):
        super().__init__()
        self.layer = torch.nn.Linear(width, width * 2)


own = Doubling(5)
own.push_to_hub(plan["own"])
step(
    "mixin",
    same=same_weights(own, Doubling.from_pretrained(plan["own"])),
    library=api.model_info(plan["own"]).library_name,
    tags=api.model_info(plan["own"]).tags,
    found=[model.id for model in api.list_models(filter="doubling")],
)

step(
    "absent",
    bare=outcome(lambda: AutoConfig.from_pretrained("gpt2")),
    named=outcome(lambda: AutoConfig.from_pretrained("alice/nothing")),
    revision=outcome(lambda: AutoConfig.from_pretrained(repo, revision="nowhere")),
)

sentences = ["a cat sleeps", "a kitten naps", "stocks fell today"]
encoder = SentenceTransformer(repo, revision=first)
near, far = encoder.similarity(*[encoder.encode(sentences)] * 2)[0][1:].tolist()
step("sentence-transformers", near=near, far=far)

encoder.push_to_hub(plan["sentences"])
again = SentenceTransformer(plan["sentences"])
step(
    "sentence-transformers pushes",
    files=sorted(api.list_repo_files(plan["sentences"])),
    same=bool((encoder.encode(sentences) == again.encode(sentences)).all()),
)

adapted = get_peft_model(AutoModel.from_pretrained(repo, revision=first), LoraConfig(r=2, target_modules=["query"]))
adapted.push_to_hub(plan["adapter"], private=True)
loaded = PeftModel.from_pretrained(AutoModel.from_pretrained(repo, revision=first), plan["adapter"])
step(
    "peft",
    files=sorted(api.list_repo_files(plan["adapter"])),
    same=same_weights(adapted, loaded),
)

unet = UNet2DModel(
    sample_size=8,
    layers_per_block=1,
    block_out_channels=(8, 8),
    norm_num_groups=4,
    down_block_types=("DownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "UpBlock2D"),
)
DDPMPipeline(unet, DDPMScheduler()).push_to_hub(plan["pipeline"])
step(
    "diffusers",
    kind=type(DiffusionPipeline.from_pretrained(plan["pipeline"])).__name__,
    same=same_weights(unet, UNet2DModel.from_pretrained(plan["pipeline"], subfolder="unet")),
    library=api.model_info(plan["pipeline"]).library_name,
)
