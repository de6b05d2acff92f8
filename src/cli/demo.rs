//! `demo`: the exporter on an invented organisation.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use super::args::DemoArgs;
use super::exit::{Exit, Failure};
use super::print;
use super::serve::shutdown_requested;
use crate::demo::{Demo, Options};

pub(super) async fn run(args: DemoArgs, lost_log_lines: Arc<AtomicU64>) -> Result<Exit, Failure> {
    let mut options = Options {
        listen: args.listen,
        control: args.control,
        tokens: args.tokens.map(|tokens| tokens as usize),
        interval: Duration::from_secs(args.interval.into()),
    };
    if args.print_config || args.expect {
        // Another demo may be running.
        options.listen.set_port(0);
        options.control.set_port(0);
    }
    let demo = Demo::prepare(options).await?;
    if args.print_config {
        print::output(&demo.config)?;
    } else if args.expect {
        print::output(&format!("{:#}\n", serde_json::json!(demo.expected())))?;
    } else {
        print::output(&welcome(&demo))?;
        demo.run(lost_log_lines, shutdown_requested()).await?;
    }
    Ok(Exit::Success)
}

fn welcome(demo: &Demo) -> String {
    let (exporter, control, expected) = (demo.exporter, demo.control, demo.expected());
    format!(
        "\
Meridian Ferries, an invented organisation, has {tokens} tokens in {sources} sources.

  http://{exporter}/               status page
  http://{exporter}/metrics        metrics
  http://{exporter}/api/v1/tokens  tokens as JSON
  http://{exporter}/calendar.ics   expiries as a calendar
  http://{control}/               control endpoint: rotate a token, stop a provider

The configuration is {file}; changes are reloaded. Press Ctrl-C to stop.

",
        tokens = expected.tokens,
        sources = expected.sources.len(),
        file = demo.config_file().display(),
    )
}
