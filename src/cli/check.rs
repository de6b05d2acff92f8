//! `check`: validates the configuration and, with `--online`, queries the providers.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use super::args::CheckArgs;
use super::exit::{Exit, Failure};
use super::print::{self, Progress};
use crate::app::{self, Shard};
use crate::collector::SourceJob;
use crate::core::clock::Clock;
use crate::providers::{Probe, ProbeResult};

/// Sources that are queried concurrently.
const CONCURRENCY: usize = 16;

pub(super) async fn run(args: CheckArgs) -> Result<Exit, Failure> {
    let clock: Clock = Arc::new(Utc::now);
    let paths = args.files.into();
    let setup = app::load(&paths, Shard::WHOLE, &clock).await?;
    if !args.online {
        let sources = setup.jobs.len();
        let plural = if sources == 1 { "" } else { "s" };
        print::output(&format!("{}: valid, {sources} source{plural}\n", paths.config.display()))?;
        return Ok(Exit::Success);
    }
    let probes = query(&setup.jobs, clock()).await;
    let failed = probes.iter().filter(|(_, probe)| probe.result.is_err()).count();
    let rows = probes.iter().map(|(source, probe)| row(source, probe));
    print::output(&print::table(&["SOURCE", "LISTING", "RESULT", "PERMISSION", "PROVIDER MESSAGE"], rows))?;
    if failed > 0 {
        print::note(format!("{failed} of {} listings failed", probes.len()));
        return Ok(Exit::Failed);
    }
    Ok(Exit::Success)
}

/// The result of each listing, in the order of the configuration.
async fn query(sources: &[SourceJob], now: DateTime<Utc>) -> Vec<(&str, Probe)> {
    let progress = Progress::start("checked", sources.len());
    let queries = sources.iter().map(|job| async {
        let probes = job.source.probe(now, Instant::now() + job.timeout).await;
        progress.step();
        probes.into_iter().map(|probe| (job.name.as_str(), probe)).collect::<Vec<_>>()
    });
    stream::iter(queries).buffered(CONCURRENCY).concat().await
}

fn row(source: &str, probe: &Probe) -> Vec<String> {
    let (result, permission, message) = match &probe.result {
        Ok(ProbeResult::Rows(1)) => ("ok: 1 token on the first page".to_owned(), "", ""),
        Ok(ProbeResult::Rows(rows)) => (format!("ok: {rows} tokens on the first page"), "", ""),
        Ok(ProbeResult::Empty) => ("ok: no tokens".to_owned(), "", ""),
        Err(gap) => {
            let message = gap.failure.provider_message.as_deref().unwrap_or(&gap.failure.what);
            (gap.failure.reason.to_string(), gap.required_permission.as_deref().unwrap_or_default().trim_end(), message)
        }
    };
    vec![source.to_owned(), probe.listing.clone(), result, permission.to_owned(), message.to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::failure::{Failure, Reason};
    use crate::core::outcome::{Gap, Path};

    #[test]
    fn row_shows_tokens_or_the_failure() {
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
            (Ok(ProbeResult::Empty), ["ok: no tokens", "", ""]),
            (Err(gap), ["forbidden", "read:keys:admin", "no"]),
        ] {
            let row = row("a", &Probe { listing: "keys".into(), result });
            assert_eq!(row[2..], expected);
        }
    }
}
