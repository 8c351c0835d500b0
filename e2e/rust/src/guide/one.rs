use hf_hub::HFClientSync;
use hf_hub::repository::{AddSource, RepoTypeModel};

fn main() -> hf_hub::HFResult<()> {
    let client = HFClientSync::new()?; // HF_ENDPOINT and HF_TOKEN
    client.create_repository().repo_id("admin/from-rust").repo_type(RepoTypeModel).exist_ok(true).send()?;
    let repo = client.model("admin", "from-rust");
    repo.upload_file().source(AddSource::Bytes("hello".into())).path_in_repo("notes.txt").send()?;
    println!("{}", repo.download_file().filename("notes.txt").send()?.display());
    Ok(())
}
