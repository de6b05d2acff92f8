//! Embeds every definition in `src/providers/definitions`: `DEFINITIONS` of the catalogue, by file name and content.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, error, fs};

const DIRECTORY: &str = "src/providers/definitions";

fn main() -> Result<(), Box<dyn error::Error>> {
    println!("cargo::rerun-if-changed={DIRECTORY}");
    let paths = fs::read_dir(DIRECTORY)?.map(|entry| entry?.path().canonicalize());
    let mut paths = paths.collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    let mut table = String::from("&[\n");
    for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "yaml")) {
        writeln!(table, "    ({:?}, include_str!({path:?})),", path.file_name().unwrap_or_default())?;
    }
    table.push(']');
    Ok(fs::write(Path::new(&env::var("OUT_DIR")?).join("definitions.rs"), table)?)
}
