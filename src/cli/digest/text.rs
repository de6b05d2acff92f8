//! A mail as plain text.

use std::fmt::Write as _;

use url::Url;

use super::plan::{Item, Mail, Plan, Urgency};
use super::words::{self, MAX_TOKENS};

pub(super) fn render(mail: &Mail, plan: &Plan, external: Option<&Url>) -> String {
    let mut text = format!("{}\n\n{}\n", words::greeting(mail), words::INTRODUCTION);
    let problems = words::problems(&plan.problems, plan.now);
    if !problems.is_empty() {
        let _ = writeln!(text, "\n{}\n{}", heading(words::PROBLEMS_TITLE), words::PROBLEMS_HINT);
        for problem in problems {
            let _ = writeln!(text, "- {problem}");
        }
    }
    let shows_owner = !mail.teams.is_empty();
    let shown = &mail.items[..mail.items.len().min(MAX_TOKENS)];
    for urgency in Urgency::ALL {
        let mut items = shown.iter().filter(|item| item.urgency == urgency).peekable();
        if items.peek().is_some() {
            let (title, hint) = words::section(urgency);
            let _ = writeln!(text, "\n{}\n{hint}", heading(title));
        }
        for item in items {
            token(&mut text, item, None, shows_owner, plan, external);
        }
    }
    more(&mut text, mail.items.len());
    if !mail.unaddressed.is_empty() {
        let _ = writeln!(text, "\n{}\n{}", heading(words::UNADDRESSED_TITLE), words::UNADDRESSED_HINT);
        for (item, why) in mail.unaddressed.iter().take(MAX_TOKENS) {
            token(&mut text, item, Some(words::why(why)), true, plan, external);
        }
        more(&mut text, mail.unaddressed.len());
    }
    // The mark that mail programs recognise as the beginning of a signature.
    let _ = writeln!(text, "\n-- \n{}", words::FOOTER);
    text
}

fn heading(title: &str) -> String {
    format!("{}\n{}", title.to_uppercase(), "=".repeat(title.len()))
}

fn more(text: &mut String, count: usize) {
    if count > MAX_TOKENS {
        let _ = writeln!(text, "\n… and {} more", count - MAX_TOKENS);
    }
}

fn token(text: &mut String, item: &Item, why: Option<String>, shows_owner: bool, plan: &Plan, external: Option<&Url>) {
    let token = &item.token;
    let _ = writeln!(text, "\n* {}\n  {}", token.name.as_str(), words::expiry(token, plan.now));
    let _ = writeln!(text, "  {}", words::kind(token));
    if let Some(why) = why {
        let _ = writeln!(text, "  No recipient: {why}");
    }
    for (name, value) in words::facts(item, shows_owner, plan.now) {
        let _ = writeln!(text, "  {name}: {value}");
    }
    let steps = words::steps(token);
    if !steps.is_empty() {
        let _ = writeln!(text, "  How to renew it:");
        for step in steps {
            let _ = writeln!(text, "  - {step}");
        }
    }
    for (name, url) in words::links(token, external) {
        let _ = writeln!(text, "  {name}: {url}");
    }
}
