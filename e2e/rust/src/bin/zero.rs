//! What hf-hub before 1.0 can do, which is reading: `zero <version> <sync|tokio> <step> <repository> [<file>]`. The address
//! comes from HF_ENDPOINT. Prints one line of JSON: what came, or `{"error": …}`.
use serde_json::{Value, json};

type Outcome = Result<Value, Box<dyn std::error::Error>>;

macro_rules! generation {
    ($sync:ident, $tokio:ident, $hub:ident) => {
        fn $sync(step: &str, repo: &str, file: &str) -> Outcome {
            let builder = $hub::api::sync::ApiBuilder::from_env().with_progress(false);
            let api = builder.with_token(std::env::var("HF_TOKEN").ok()).build()?;
            let repo = api.model(repo.to_string());
            Ok(match step {
                "info" => {
                    let info = repo.info()?;
                    let files: Vec<_> = info.siblings.iter().map(|file| &file.rfilename).collect();
                    json!({ "sha": info.sha, "files": files })
                }
                "get" => json!({ "path": repo.get(file)? }),
                _ => return Err("there is no such step".into()),
            })
        }

        async fn $tokio(step: &str, repo: &str, file: &str) -> Outcome {
            let builder = $hub::api::tokio::ApiBuilder::from_env().with_progress(false);
            // Small enough that a file of the test comes in several ranges.
            let builder = builder.with_chunk_size(Some(100_000));
            let api = builder.with_token(std::env::var("HF_TOKEN").ok()).build()?;
            let repo = api.model(repo.to_string());
            Ok(match step {
                "info" => {
                    let info = repo.info().await?;
                    let files: Vec<_> = info.siblings.iter().map(|file| &file.rfilename).collect();
                    json!({ "sha": info.sha, "files": files })
                }
                "get" => json!({ "path": repo.get(file).await? }),
                _ => return Err("there is no such step".into()),
            })
        }
    };
}
generation!(sync_04, tokio_04, hf_hub_04);
generation!(sync_05, tokio_05, hf_hub_05);

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let arg = |index: usize| args.get(index).map_or("", String::as_str);
    let (step, repo, file) = (arg(2), arg(3), arg(4));
    let outcome = match (arg(0), arg(1)) {
        ("0.4.3", "sync") => tokio::task::block_in_place(|| sync_04(step, repo, file)),
        ("0.5.0", "sync") => tokio::task::block_in_place(|| sync_05(step, repo, file)),
        ("0.4.3", "tokio") => tokio_04(step, repo, file).await,
        ("0.5.0", "tokio") => tokio_05(step, repo, file).await,
        _ => Err("there is no such generation".into()),
    };
    println!("{}", outcome.unwrap_or_else(|error| json!({ "error": error.to_string() })));
}
