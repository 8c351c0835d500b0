//! What hf-hub 1.0 can do: `one <step> <repository> [<file> [<local path>]]`. The address comes from HF_ENDPOINT, the
//! token from HF_TOKEN. Prints one line of JSON: what came, or `{"error": …}`.
use std::path::PathBuf;

use hf_hub_1::HFClientSync;
use hf_hub_1::repository::{AddSource, RepoTypeModel};
use serde_json::{Value, json};

fn run(step: &str, repo: &str, file: &str, local: &str) -> Result<Value, Box<dyn std::error::Error>> {
    let client = HFClientSync::new()?;
    let (owner, name) = repo.split_once('/').ok_or("owner/name is wanted")?;
    let model = client.model(owner, name);
    Ok(match step {
        "create" => {
            let made = client.create_repository().repo_id(repo).repo_type(RepoTypeModel).exist_ok(true).send()?;
            json!({ "url": made.url })
        }
        "upload" => {
            let source = AddSource::File(PathBuf::from(local));
            let commit = model.upload_file().source(source).path_in_repo(file).commit_message("From Rust").send()?;
            json!({ "commit": commit.commit_oid, "url": commit.commit_url })
        }
        "info" => {
            let info = model.info().send()?;
            let files: Vec<_> = info.siblings.unwrap_or_default().into_iter().map(|file| file.rfilename).collect();
            json!({ "sha": info.sha, "files": files })
        }
        "exists" => json!({ "exists": model.file_exists().filename(file).send()? }),
        "get" => json!({ "path": model.download_file().filename(file).send()? }),
        "range" => {
            let bytes = model.download_file_to_bytes().filename(file).range(1000..1010).send()?;
            json!({ "bytes": bytes.to_vec() })
        }
        "snapshot" => json!({ "path": model.snapshot_download().send()? }),
        "tree" => json!({ "count": model.list_tree().recursive(true).send()?.len() }),
        "delete" => {
            client.delete_repository().repo_id(repo).repo_type(RepoTypeModel).send()?;
            json!({})
        }
        _ => return Err("there is no such step".into()),
    })
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let arg = |index: usize| args.get(index).map_or("", String::as_str);
    let outcome = run(arg(0), arg(1), arg(2), arg(3));
    println!("{}", outcome.unwrap_or_else(|error| json!({ "error": format!("{error:?}") })));
}
