use hf_hub::api::sync::ApiBuilder;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // `Api::new()` does not read HF_ENDPOINT, and nothing here reads HF_TOKEN.
    let api = ApiBuilder::from_env().with_token(std::env::var("HF_TOKEN").ok()).build()?;
    let path = api.model("admin/my-model".to_string()).get("config.json")?;
    println!("{}", path.display());
    Ok(())
}
