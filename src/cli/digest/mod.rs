//! `digest`: the week's mail to each owner or team, from the API of a running exporter.
//!
//! `settings` checks the flags, `api` reads tokens and sources (`records`), `plan` decides who receives which, `words`, `text` and
//! `html` write the mails, `message` and `smtp` send them. `state` remembers who received one, `metrics` reports the run.

mod api;
mod html;
mod message;
mod metrics;
mod plan;
mod records;
mod replace_file;
mod settings;
mod smtp;
mod state;
mod text;
mod words;

use chrono::Utc;
use tokio::task::block_in_place;
use url::Url;

use super::digest_args::{DigestArgs, Group, MailFormat};
use super::exit::{Exit, Failure};
use super::print;
use crate::pages::humanize::rfc3339;
use api::Exporters;
use message::Content;
use metrics::Outcome;
use plan::Plan;
use settings::{Delivery, Recipients, base_url};
use smtp::{Connection, Refusal};
use state::State;

pub(super) async fn run(args: DigestArgs) -> Result<Exit, Failure> {
    let filter = args.filter.filter(&args.sources)?;
    let recipients = Recipients::new(&args.mail)?;
    let delivery = Delivery::new(&args)?;
    let external = args.mail.external_url.as_deref().map(|url| base_url("--web.external-url", url)).transpose()?;
    let exporters = Exporters::new(&args.exporter)?;
    let mut outcome = Outcome::default();
    let exit = match exporters.read(&filter).await {
        Err(problem) => {
            print::note(problem);
            Exit::Failed
        }
        Ok(report) => {
            let has_tokens_but_no_address = args.mail.by == Group::Owner
                && report.tokens.iter().all(|token| token.owner.as_ref().is_none_or(|owner| owner.email.is_none()));
            let plan = Plan::new(report, &recipients);
            outcome = Outcome::of(&plan);
            warn(&plan, &recipients, has_tokens_but_no_address);
            let sent = match &delivery {
                Some(delivery) => block_in_place(|| send(&plan, delivery, external.as_ref(), &mut outcome)),
                None => print_mails(&plan, &args, external.as_ref())?,
            };
            exit(sent, &plan, &recipients)
        }
    };
    outcome.succeeded = exit != Exit::Failed;
    if let Some(path) = args.textfile.as_deref().filter(|_| delivery.is_some())
        && let Err(error) = outcome.write(path, Utc::now().timestamp())
    {
        print::note(format!("--textfile: {}: cannot write: {error}", path.display()));
        return Ok(Exit::Failed);
    }
    Ok(exit)
}

/// Whether every mail was accepted, and whether the mails are everything.
fn exit(every_mail_was_accepted: bool, plan: &Plan, recipients: &Recipients) -> Exit {
    let reached_nobody = !plan.unaddressed.is_empty() && recipients.fallback.is_none();
    match every_mail_was_accepted {
        false => Exit::Failed,
        true if reached_nobody || !plan.problems.is_empty() => Exit::Incomplete,
        true => Exit::Success,
    }
}

/// Says which tokens have no recipient of their own, and which sources are incomplete.
fn warn(plan: &Plan, recipients: &Recipients, has_tokens_but_no_address: bool) {
    for problem in &plan.problems {
        print::note(format!("source {}; mails may lack tokens", words::describe(problem, plan.now)));
    }
    let goes_to = match &recipients.fallback {
        Some(address) => format!("in the mail to {address}"),
        None => "in no mail; set --mail.fallback".to_owned(),
    };
    for (item, why) in &plan.unaddressed {
        print::note(format!("{}/{}: {why}: {goes_to}", item.token.source, item.token.id));
    }
    if has_tokens_but_no_address && !plan.unaddressed.is_empty() {
        print::note(
            "no token has an owner with an address; set `labels: {owner_email: true}` in the exporter's configuration",
        );
    }
}

fn content(plan: &Plan, mail: &plan::Mail, external: Option<&Url>) -> Content {
    Content {
        subject: words::subject(mail, plan),
        text: text::render(mail, plan, external),
        html: html::render(mail, plan, external),
    }
}

/// Prints the mails that would be sent.
fn print_mails(plan: &Plan, args: &DigestArgs, external: Option<&Url>) -> Result<bool, Failure> {
    let sent = match &args.state {
        Some(path) => match state::recipients(path, &plan.week()) {
            Ok(sent) => sent,
            Err(problem) => {
                print::note(problem);
                return Ok(false);
            }
        },
        None => Vec::new(),
    };
    for (address, mail) in &plan.mails {
        if sent.contains(address) {
            print::note(format!("{address}: already received the mail of {}", plan.week()));
            continue;
        }
        let content = content(plan, mail, external);
        match args.format {
            MailFormat::Text => {
                print::output(&format!("To: {address}\nSubject: {}\n\n{}\n", content.subject, content.text))?;
            }
            MailFormat::Html => print::output(&format!("{}\n", content.html))?,
        }
    }
    // Otherwise the notes say why there is none.
    if plan.mails.is_empty() && plan.problems.is_empty() && plan.unaddressed.is_empty() {
        print::note("no mails: no token is due this week");
    }
    Ok(true)
}

/// Sends the mails that were not sent this week. Returns whether every mail was accepted.
fn send(plan: &Plan, delivery: &Delivery, external: Option<&Url>, outcome: &mut Outcome) -> bool {
    let week = plan.week();
    let result = State::open(&delivery.state, &week).and_then(|mut state| {
        let (done, open): (Vec<_>, Vec<_>) = plan.mails.iter().partition(|(address, _)| state.has(address));
        outcome.already_sent = done.len();
        if open.is_empty() {
            return Ok(());
        }
        outcome.failed = open.len();
        // A file that cannot be written must be known before the first mail.
        state.save()?;
        let mut connection = Connection::open(&delivery.server)?;
        for (address, mail) in open {
            let message = message::build(&delivery.from, address, &week, content(plan, mail, external));
            let sent = message.map_err(Refusal::Mail).and_then(|message| connection.send(&message));
            match sent {
                Ok(()) => {
                    outcome.sent += 1;
                    outcome.failed -= 1;
                    state.add(address, rfc3339(Utc::now()));
                    state.save().map_err(|problem| format!("{problem}; {address} would receive this mail again"))?;
                }
                Err(Refusal::Mail(problem)) => {
                    print::note(format!("{address}: the mail server refuses the mail: {problem}"))
                }
                Err(Refusal::Server(problem)) => return Err(problem),
            }
        }
        Ok(())
    });
    if let Err(problem) = &result {
        print::note(problem);
    }
    print::note(format!(
        "{week}: {} mails sent, {} already sent before, {} failed",
        outcome.sent, outcome.already_sent, outcome.failed
    ));
    result.is_ok() && outcome.failed == 0
}
