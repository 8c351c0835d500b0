// The program of docs/clients.md as it stands there.
use hf_hub_1 as hf_hub;
include!("../guide/one.rs");
