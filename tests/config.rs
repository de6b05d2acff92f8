//! The configuration as a person meets it: what is wrong with a file, said so that it can be put right.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs, io};

use token_expiry_exporter::config::{self, Surroundings};
use token_expiry_exporter::core::mistake::{Mistakes, Text};

/// No message may hold this: it stands wherever a golden file has a secret.
const SECRET: &str = "DO-NOT-LEAK";

/// A machine with a few files.
struct Machine;

impl Surroundings for Machine {
    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        match path.to_str().unwrap() {
            "/run/secrets/gitlab" => Ok(b"DO-NOT-LEAK\n".to_vec()),
            "/run/secrets/empty" => Ok(b"\n".to_vec()),
            "/run/secrets/forbidden" => Err(io::Error::from_raw_os_error(13)),
            "certificate.pem" => Ok(b"-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n".to_vec()),
            "locked-key.pem" => Ok(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nDO-NOT-LEAK\n".to_vec()),
            "certificate.der" => Ok(vec![0x30, 0x82, 0xff]),
            _ => Err(io::Error::from_raw_os_error(2)),
        }
    }

    fn env(&self, name: &str) -> Option<String> {
        match name {
            "BOT" => Some(SECRET.into()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }
}

/// The own names of the providers that the golden files use.
fn own_name(provider: &str) -> Option<String> {
    match provider {
        "vault" | "openbao" => Some("vault".into()),
        "gitlab" | "github" | "harbor" => Some(provider.into()),
        _ => None,
    }
}

/// What `check` says of a file.
fn check(text: Text) -> Result<(), Mistakes> {
    let mut config = config::parse(text, Arc::new(Machine))?;
    let mut mistakes = Mistakes::default();
    mistakes.extend(config.resolve_providers(own_name).err().unwrap_or_default());
    mistakes.extend(config.check_credentials().err().unwrap_or_default());
    mistakes.into_result()
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/config")
}

/// Each `NAME.yaml` has mistakes, and `NAME.txt` says how they are told. `UPDATE_GOLDEN=1` writes these anew.
#[test]
fn every_mistake_is_told_as_the_golden_file_says() {
    let update = env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(golden()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        names.insert(name.clone());
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let content = fs::read_to_string(&path).unwrap();
        let mistakes = check(Text::new(format!("{name}.yaml"), content)).expect_err(&name);
        let found = format!("{mistakes}\n");
        assert!(
            !found.contains(SECRET) && !format!("{mistakes:?}").contains(SECRET),
            "{name} shows a secret:\n{found}"
        );
        let expected = path.with_extension("txt");
        if update {
            fs::write(&expected, &found).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != found {
            wrong.push(format!("{}:\n{found}", expected.display()));
        }
    }
    assert!(wrong.is_empty(), "not as expected (UPDATE_GOLDEN=1 writes anew):\n\n{}", wrong.join("\n"));
    for name in names {
        assert!(golden().join(&name).with_extension("yaml").exists(), "{name}.txt has no {name}.yaml");
    }
}
