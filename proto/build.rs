//! Turns `protos/**` into Rust: prost's types, the descriptors that `proto::DESCRIPTORS` holds,
//! and the tables that `src/initialized.rs` walks. Needs no installed protoc.

use std::path::{Path, PathBuf};
use std::{env, fs};

use prost::Message;

#[path = "build/tables.rs"]
mod tables;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=protos");
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=build.rs");

    let root = Path::new("protos");
    let mut files = Vec::new();
    collect(root, &mut files)?;
    files.sort();
    let mut compiler = protox::Compiler::new([root])?;
    compiler.include_source_info(true).include_imports(true).open_files(&files)?;
    let mut descriptors = compiler.file_descriptor_set();

    prost_build::Config::new()
        .enable_type_names()
        .bytes(["."])
        .btree_map(["."])
        .compile_fds(descriptors.clone())?;

    // Comments have reached the generated code by now; at run time nobody reads them.
    for file in &mut descriptors.file {
        file.source_code_info = None;
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    fs::write(out.join("tables.rs"), tables::generate(&descriptors))?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    Ok(())
}
