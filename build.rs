//! Compiles `proto/` with protox, so that building ostler needs no protoc.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    // No other file imports output_topic.proto; it belongs to the published API all the same.
    let files = [
        "littlehorse/service.proto",
        "littlehorse/output_topic.proto",
        "ostler/v1/ostler.proto",
        "ostler/store/v1/store.proto",
    ];
    let files = files.map(|file| Path::new("proto").join(file));
    let descriptors = protox::compile(&files, ["proto"])?;
    // The wire test compares what we declare with the published API; it reads this set.
    let set = Path::new(&std::env::var("OUT_DIR")?).join("descriptors.bin");
    std::fs::write(set, prost::Message::encode_to_vec(&descriptors))?;
    let mut config = prost_build::Config::new();
    // Hash maps would make the bytes of one message differ from run to run; replay and comparison need them equal.
    config.btree_map(["."]);
    tonic_prost_build::configure()
        // RPCs not built yet answer UNIMPLEMENTED by themselves.
        .generate_default_stubs(true)
        .emit_rerun_if_changed(false)
        .compile_fds_with_config(descriptors, config)?;
    Ok(())
}
