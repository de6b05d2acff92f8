//! `check`: whether the configuration holds, and, where asked, whether the providers agree.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use super::args::CheckArgs;
use super::print::{self, Progress};
use crate::app::{RunError, Shard};
use crate::collector::SourceJob;
use crate::core::clock::Clock;
use crate::providers::{Probe, ProbeResult};

/// Sources that are asked at once.
const AT_ONCE: usize = 16;

pub(super) async fn run(args: CheckArgs) -> Result<u8, RunError> {
    let file = args.files.config.display().to_string();
    let clock: Clock = Arc::new(Utc::now);
    let setup = super::load(args.files, Shard::WHOLE, &clock).await?;
    let sources = setup.orders.len();
    let plural = if sources == 1 { "" } else { "s" };
    if !args.online {
        print::output(&format!("{file}: {sources} source{plural}, no mistakes\n"));
        return Ok(0);
    }
    let answers = ask(&setup.orders, clock()).await;
    let refused = answers.iter().filter(|(_, probe)| probe.result.is_err()).count();
    let rows = answers.iter().map(|(source, probe)| row(source, probe));
    print::output(&print::table(&["SOURCE", "LISTING", "RESULT", "NEEDS", "SAYS"], rows));
    if refused > 0 {
        let plural = if refused == 1 { "listing" } else { "listings" };
        print::note(format!("{refused} {plural} of {} cannot be had", answers.len()));
        return Ok(1);
    }
    Ok(0)
}

/// Asks every source, several at once, and gives the answers in the order of the configuration.
async fn ask(orders: &[SourceJob], now: DateTime<Utc>) -> Vec<(String, Probe)> {
    let progress = Progress::new();
    let mut answers: Vec<(usize, Vec<Probe>)> = Vec::new();
    let mut waiting = orders.iter().enumerate().map(|(number, order)| async move {
        let deadline = Instant::now() + order.timeout;
        (number, order.source.probe(now, deadline).await)
    });
    let mut asked: FuturesUnordered<_> = waiting.by_ref().take(AT_ONCE).collect();
    progress.say(&format!("asking {} sources", orders.len()));
    while let Some(answer) = asked.next().await {
        answers.push(answer);
        progress.say(&format!("{} of {} sources have answered", answers.len(), orders.len()));
        asked.extend(waiting.next());
    }
    progress.done();
    answers.sort_by_key(|(number, _)| *number);
    let named = |(number, probes): (usize, Vec<Probe>)| {
        let name = orders[number].name.clone();
        probes.into_iter().map(move |probe| (name.clone(), probe))
    };
    answers.into_iter().flat_map(named).collect()
}

fn row(source: &str, probe: &Probe) -> Vec<String> {
    let (result, needs, says) = match &probe.result {
        Ok(ProbeResult::Rows(1)) => ("ok: 1 token on the first page".to_owned(), String::new(), String::new()),
        Ok(ProbeResult::Rows(rows)) => (format!("ok: {rows} tokens on the first page"), String::new(), String::new()),
        Ok(ProbeResult::Empty) => ("ok: nothing is listed".to_owned(), String::new(), String::new()),
        Err(gap) => {
            let says = gap.failure.provider_message.clone().unwrap_or_else(|| gap.failure.what.clone());
            (
                gap.failure.reason.to_string(),
                gap.required_permission.clone().unwrap_or_default().trim_end().to_owned(),
                says,
            )
        }
    };
    vec![source.to_owned(), probe.listing.clone(), result, needs, says]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::failure::{Failure, Reason};
    use crate::core::outcome::{Gap, Path};

    #[test]
    fn rows() {
        let failure = Failure {
            provider_message: Some("no".into()),
            ..Failure::new(Reason::Forbidden, "GET …: 403 after 1 attempt")
        };
        let gap = Gap {
            path: Path::root(),
            scope: "all".into(),
            failure,
            required_permission: Some("read:keys:admin\n".into()),
        };
        for (result, expected) in [
            (Ok(ProbeResult::Rows(3)), ["ok: 3 tokens on the first page", "", ""]),
            (Ok(ProbeResult::Empty), ["ok: nothing is listed", "", ""]),
            (Err(gap), ["forbidden", "read:keys:admin", "no"]),
        ] {
            let row = row("a", &Probe { listing: "keys".into(), result });
            assert_eq!(row[2..], expected);
        }
    }
}
