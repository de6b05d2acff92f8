//! Runs docs/adding-a-provider.md in a copy of the definitions and scenarios. Nothing is compiled for it: the tests of scenarios read
//! both at run time, and the program reads the definition from a directory.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::doc_blocks::repository;
use crate::doc_blocks::sandbox::write_script;
use crate::walk_throughs::Walk;

/// The parts of the checkout that the page changes or runs.
const COPIED: [&str; 5] =
    ["src/providers/definitions", "tests/providers", "tests/definitions", "tests/tools/new-provider.sh", "Makefile"];

/// The program with the tests of the library, which `make test` has built before.
fn library_tests() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--locked", "--lib", "--no-run", "--message-format=json"]).current_dir(repository());
    let output = cargo.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let built = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let program = built.filter_map(|message| Some(PathBuf::from(message["executable"].as_str()?))).next_back();
    program.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }
}

/// The vendor of the page: two pages of tokens.
async fn vendor() -> String {
    async fn respond(uri: Uri) -> Response {
        let day = |days| (chrono::Utc::now() + chrono::TimeDelta::days(days)).to_rfc3339();
        let token = |id: u8, expires: Value| json!({"id": id, "label": "ci", "user": "ada", "created": day(-30), "expires": expires});
        match uri.path_and_query().map(|target| target.as_str()) {
            Some("/v1/tokens?limit=100") => {
                Json(json!({"tokens": [token(1, day(60).into())], "next": "abc"})).into_response()
            }
            Some("/v1/tokens?limit=100&cursor=abc") => {
                Json(json!({"tokens": [token(2, Value::Null)], "next": null})).into_response()
            }
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(respond)).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn page_leads_from_nothing_to_a_passing_conformance_test() {
    let mut walk = Walk::new("docs/adding-a-provider.md");
    let (work, bin) = (walk.work(), walk.dir.path().join("bin"));
    for path in COPIED {
        copy(&repository().join(path), &work.join(path));
    }
    // The program embeds its definitions; here it reads the new one from a directory.
    let own = walk.dir.path().join("own");
    fs::create_dir(&own).unwrap();
    symlink(work.join("src/providers/definitions/acme.yaml"), own.join("acme.yaml")).unwrap();
    write_script(
        &bin.join("cargo"),
        &format!(
            "#!/bin/bash\ncase \"$*\" in\n\
             'run -- '*) shift 2; exec '{}' \"$@\" --providers.dir='{}' ;;\n\
             'test --lib -- '*) shift 3; CARGO_MANIFEST_DIR='{}' exec '{}' \"$@\" ;;\n\
             *) echo \"cargo $*: not a command of the test\" >&2; exit 2 ;;\nesac\n",
            env!("CARGO_BIN_EXE_token-expiry-exporter"),
            own.display(),
            work.display(),
            library_tests().display(),
        ),
    );
    // The golden files of the checkout must not change.
    write_script(
        &bin.join("make"),
        "#!/bin/bash\nif [ \"$1\" = golden ]; then exec /usr/bin/make --dry-run golden; fi\nexec /usr/bin/make \"$@\"\n",
    );
    walk.replace.push(("https://api.acme.example".to_owned(), vendor().await));
    walk.run().await;
}
