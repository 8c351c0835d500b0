"""Tables on the hub as files: pandas, polars, pyarrow, dask and DuckDB through HfFileSystem and plain addresses."""

import json
import os
import sys

import dask.dataframe as dask_frames
import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as parquet
from huggingface_hub import HfApi, HfFileSystem

from lockstep import step

# `repo`, and `hidden`, a private one.
plan = json.loads(sys.argv[1])
repo, hidden = plan["repo"], plan["hidden"]
endpoint = os.environ["HF_ENDPOINT"]
bearer = {"Authorization": f"Bearer {os.environ['HF_TOKEN']}"}
api = HfApi()
fs = HfFileSystem()
root = f"hf://datasets/{repo}"
plain = f"{endpoint}/datasets/{repo}/resolve/main"


def outcome(call):
    try:
        call()
    except Exception as error:
        return type(error).__name__
    return "ok"


api.create_repo(repo, repo_type="dataset")
api.create_repo(hidden, repo_type="dataset", private=True)
frame = pd.DataFrame({"id": range(50_000), "name": [f"name {id}" for id in range(50_000)]})
frame.to_parquet(f"{root}/frames/one.parquet", row_group_size=5_000)
frame.to_csv(f"{root}/texts/one two.csv", index=False)
frame.to_json(f"{root}/texts/one.jsonl", orient="records", lines=True)
frame.head(10).to_parquet(f"hf://datasets/{hidden}/ten.parquet")
api.create_tag(repo, tag="v1", repo_type="dataset")
step(
    "pandas",
    parquet=int(pd.read_parquet(f"{root}/frames/one.parquet")["id"].sum()),
    columns=list(pd.read_parquet(f"{root}/frames/one.parquet", columns=["name"]).columns),
    csv=int(pd.read_csv(f"{root}/texts/one two.csv")["id"].sum()),
    json=int(pd.read_json(f"{root}/texts/one.jsonl", lines=True)["id"].sum()),
    tagged=len(pd.read_csv(f"hf://datasets/{repo}@v1/texts/one two.csv")),
    hidden=len(pd.read_parquet(f"hf://datasets/{hidden}/ten.parquet")),
)

secret = f"{endpoint}/datasets/{hidden}/resolve/main/ten.parquet"
step(
    "pandas by address",
    parquet=len(pd.read_parquet(f"{plain}/frames/one.parquet")),
    csv=len(pd.read_csv(f"{plain}/texts/one%20two.csv")),
    hidden=len(pd.read_parquet(secret, storage_options=bearer)),
    anonymous=outcome(lambda: pd.read_parquet(secret)),
)

with fs.open(f"datasets/{repo}/frames/two.parquet", "wb") as file:
    pl.DataFrame({"id": [1, 2], "name": ["a", "b"]}).write_parquet(file)
with fs.open(f"datasets/{repo}/frames/two.parquet") as file:
    opened = pl.read_parquet(file)
with fs.open(f"datasets/{hidden}/ten.parquet") as file:
    step("polars", rows=opened.rows(), hidden=pl.read_parquet(file).height)

last = pl.scan_parquet(f"{plain}/frames/one.parquet").filter(pl.col("id") >= 49_998).select("id").collect()
step(
    "polars by address",
    scanned=last["id"].to_list(),
    csv=pl.read_csv(f"{plain}/texts/one%20two.csv")["id"].sum(),
)

table = parquet.ParquetFile(fs.open(f"datasets/{repo}/frames/one.parquet", block_size=64 * 1024))
step(
    "pyarrow",
    rows=table.metadata.num_rows,
    groups=table.num_row_groups,
    last=table.read_row_group(9, columns=["id"])["id"][-1].as_py(),
)

parts = dask_frames.from_pandas(frame, npartitions=6)
parts.to_parquet(f"{root}/parts")
back = dask_frames.read_parquet(f"{root}/parts")
step("dask", partitions=back.npartitions, ids=int(back["id"].sum().compute()))

duckdb.register_filesystem(fs)


def ask(query):
    return duckdb.sql(query).fetchall()


duckdb.sql(f"copy (select 42 as answer) to '{root}/out/answer.parquet'")
step(
    "duckdb",
    one=ask(f"select count(*), max(id) from '{root}/frames/one.parquet'"),
    globbed=ask(f"select count(*) from '{root}/parts/*.parquet'"),
    csv=ask(f"select sum(id) from read_csv('{root}/texts/*.csv')"),
    written=ask(f"select answer from '{root}/out/answer.parquet'"),
    hidden=ask(f"select count(*) from 'hf://datasets/{hidden}/ten.parquet'"),
)
