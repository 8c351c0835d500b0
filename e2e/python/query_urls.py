"""DuckDB with httpfs, which here comes from a package: addresses of files, and a secret for those that are private."""

import glob
import json
import os
import sys
import sysconfig

import duckdb

endpoint = os.environ["HF_ENDPOINT"]
found = glob.glob(f"{sysconfig.get_paths()['purelib']}/duckdb_extension_httpfs/**/httpfs.duckdb_extension", recursive=True)
duckdb.sql(f"load '{found[0]}'")
plain = f"{endpoint}/datasets/alice/tables/resolve/main"
secret = f"{endpoint}/datasets/alice/hidden/resolve/main/ten.parquet"


def ask(query):
    return duckdb.sql(query).fetchall()


try:
    anonymous = ask(f"select count(*) from '{secret}'")
except Exception as error:
    anonymous = type(error).__name__
duckdb.sql(f"create secret (type http, bearer_token '{os.environ['HF_TOKEN']}', scope '{endpoint}')")
facts = {
    "one": ask(f"select count(*), max(id) from '{plain}/frames/one.parquet'"),
    "csv": ask(f"select sum(id)::bigint from read_csv('{plain}/texts/one%20two.csv')"),
    "hidden": ask(f"select count(*) from '{secret}'"),
    "anonymous": anonymous,
}
print(json.dumps({"step": "httpfs", **facts}))
