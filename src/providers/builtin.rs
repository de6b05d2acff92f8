//! The definitions that are built into the program: one row for each file `src/providers/definitions/*.yaml`.

/// File names and contents. A test holds that every file has its row.
pub(super) const DEFINITIONS: &[(&str, &str)] = &[
    ("atlassian-cloud.yaml", include_str!("definitions/atlassian-cloud.yaml")),
    ("atlassian-data-center.yaml", include_str!("definitions/atlassian-data-center.yaml")),
    ("bitbucket-data-center.yaml", include_str!("definitions/bitbucket-data-center.yaml")),
    ("github.yaml", include_str!("definitions/github.yaml")),
    ("gitlab.yaml", include_str!("definitions/gitlab.yaml")),
    ("vault.yaml", include_str!("definitions/vault.yaml")),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn every_definition_in_the_folder_is_built_in() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/providers/definitions");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .expect("the folder of providers")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name in UTF-8"))
            .filter(|name| name.ends_with(".yaml"))
            .collect();
        files.sort();
        let rows: Vec<&str> = DEFINITIONS.iter().map(|(file, _)| *file).collect();
        assert_eq!(rows, files, "each file src/providers/definitions/*.yaml needs a row here, in alphabetical order");
    }
}
