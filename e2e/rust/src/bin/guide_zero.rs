// The program of docs/clients.md as it stands there.
use hf_hub_05 as hf_hub;
include!("../guide/zero.rs");
