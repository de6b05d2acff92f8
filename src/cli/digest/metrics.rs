//! The result of a run as metrics, for the textfile collector of node_exporter.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use super::plan::{Plan, Unaddressed};
use super::replace_file::replace_file;

/// What a run did.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) succeeded: bool,
    pub(super) sent: usize,
    pub(super) already_sent: usize,
    pub(super) failed: usize,
    /// Tokens by the reason for which they have no recipient of their own.
    pub(super) unaddressed: BTreeMap<&'static str, usize>,
    pub(super) incomplete_sources: usize,
}

/// All reasons, so that a series exists before its first token.
const REASONS: [&str; 5] = ["no_address", "invalid_address", "domain_not_allowed", "no_team", "team_without_address"];

impl Outcome {
    pub(super) fn of(plan: &Plan) -> Self {
        let mut unaddressed = BTreeMap::new();
        for reason in plan.unaddressed.iter().map(|(_, why)| Unaddressed::reason(why)) {
            *unaddressed.entry(reason).or_insert(0) += 1;
        }
        Self { unaddressed, incomplete_sources: plan.problems.len(), ..Self::default() }
    }

    fn exposition(&self, now: i64) -> String {
        let mut text = String::new();
        let mut family = |name: &str, help: &str, samples: &[(String, String)]| {
            let _ = writeln!(text, "# HELP token_expiry_digest_{name} {help}\n# TYPE token_expiry_digest_{name} gauge");
            for (labels, value) in samples {
                let _ = writeln!(text, "token_expiry_digest_{name}{labels} {value}");
            }
        };
        let plain = |value: String| [(String::new(), value)];
        family("last_run_timestamp_seconds", "Unix timestamp at which the last run finished.", &plain(now.to_string()));
        family(
            "last_run_successful",
            "1 if every mail of the last run was accepted, 0 if not.",
            &plain(u8::from(self.succeeded).to_string()),
        );
        let mails = [("sent", self.sent), ("already_sent", self.already_sent), ("failed", self.failed)];
        let mails = mails.map(|(result, count)| (format!("{{result=\"{result}\"}}"), count.to_string()));
        family("mails", "Mails of the last run, by result.", &mails);
        let reasons = REASONS.map(|reason| {
            let count = self.unaddressed.get(reason).copied().unwrap_or_default();
            (format!("{{reason=\"{reason}\"}}"), count.to_string())
        });
        family(
            "unaddressed_tokens",
            "Due tokens without a recipient of their own in the last run, by reason.",
            &reasons,
        );
        family(
            "incomplete_sources",
            "Sources that were incomplete at the last run, so mails may lack tokens.",
            &plain(self.incomplete_sources.to_string()),
        );
        text
    }

    /// Replaces the file, since node_exporter may read it at any time.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn write(&self, path: &Path, now: i64) -> io::Result<()> {
        // node_exporter is another user.
        replace_file(path, self.exposition(now).as_bytes(), 0o644)
    }
}
