//! Flags that select and order tokens, with the names and values of the API's parameters.

use clap::Args;

use super::exit::{Failure, invalid};
use crate::pages::filter::{Filter, Parameters, Sort, Window};

#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Filters, each repeatable")]
pub(super) struct FilterArgs {
    /// Only this provider
    #[arg(long = "provider", value_name = "NAME")]
    provider: Vec<String>,
    /// Only this kind, such as api-token
    #[arg(long = "kind", value_name = "KIND")]
    kind: Vec<String>,
    /// Only this owner: name, id or address, as far as `labels` expose them
    #[arg(long = "owner", value_name = "OWNER")]
    owner: Vec<String>,
    /// Only this team: the label `team`
    #[arg(long = "team", value_name = "TEAM")]
    team: Vec<String>,
    /// Only this state: active, expired, replaced or disabled
    #[arg(long = "state", value_name = "STATE")]
    state: Vec<String>,
    /// Only this alert band: warning, critical or expired
    #[arg(long = "band", value_name = "BAND")]
    band: Vec<String>,
    /// Only tokens with this finding, such as no_owner
    #[arg(long = "finding", value_name = "FINDING")]
    finding: Vec<String>,
    /// Only tokens that have expired or expire within this duration, such as 30d
    #[arg(long = "within", value_name = "TIME")]
    within: Vec<String>,
    /// Only tokens with all of these words in any field
    #[arg(short = 'q', long = "search", value_name = "WORDS")]
    search: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Order")]
pub(super) struct OrderArgs {
    /// expiry, name, owner, source, kind or last_used; with - in front: descending, such as --sort=-expiry
    #[arg(long = "sort", value_name = "KEY", allow_hyphen_values = true)]
    sort: Option<String>,
    /// Skip the first tokens
    #[arg(long = "offset", value_name = "N")]
    offset: Option<String>,
    /// Print at most this many tokens
    #[arg(long = "limit", value_name = "N")]
    limit: Option<String>,
}

impl FilterArgs {
    pub(super) fn is_set(&self) -> bool {
        *self != Self::default()
    }

    /// # Errors
    /// If a value is invalid.
    pub(super) fn filter(&self, sources: &[String]) -> Result<Filter, Failure> {
        let mut filter = Filter::default();
        for (flag, name, values) in [
            ("--source", "source", sources),
            ("--provider", "provider", &self.provider),
            ("--kind", "kind", &self.kind),
            ("--owner", "owner", &self.owner),
            ("--team", "team", &self.team),
            ("--state", "state", &self.state),
            ("--band", "band", &self.band),
            ("--finding", "finding", &self.finding),
            ("--within", "within", &self.within),
            ("--search", "q", &self.search),
        ] {
            set_all(flag, name, values, &mut filter)?;
        }
        Ok(filter)
    }
}

impl OrderArgs {
    pub(super) fn is_set(&self) -> bool {
        *self != Self::default()
    }

    /// # Errors
    /// If a value is invalid.
    pub(super) fn order(&self) -> Result<(Sort, Window), Failure> {
        let (mut sort, mut window) = (Sort::default(), Window::new(usize::MAX, usize::MAX));
        set_all("--sort", "sort", self.sort.as_slice(), &mut sort)?;
        set_all("--offset", "offset", self.offset.as_slice(), &mut window)?;
        set_all("--limit", "limit", self.limit.as_slice(), &mut window)?;
        Ok((sort, window))
    }
}

fn set_all(flag: &str, name: &str, values: &[String], part: &mut dyn Parameters) -> Result<(), Failure> {
    for value in values {
        if value.is_empty() {
            return Err(invalid(flag, "is empty; omit it to select all"));
        }
        part.set(name, value).map_err(|why| invalid(flag, why))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::pages::filter;

    #[test]
    fn flags_mean_what_the_parameters_of_the_api_mean() {
        let text = |text: &str| vec![text.to_owned()];
        let args = FilterArgs {
            provider: text("gitlab"),
            kind: text("api-token"),
            owner: text("Jane"),
            team: text("Platform"),
            state: text("active"),
            band: text("critical"),
            finding: text("no_owner"),
            within: text("7d"),
            search: text("ci deploy"),
        };
        let query = "source=a&provider=gitlab&kind=api-token&owner=jane&team=platform&state=active&band=critical\
                     &finding=no_owner&within=7d&q=ci+deploy";
        let mut expected = Filter::default();
        filter::parse(query, &mut [&mut expected]).unwrap();
        assert_eq!(args.filter(&text("a")).unwrap(), expected);
        assert_eq!(filter::query_string(&[&expected]), query);
    }

    #[test]
    fn invalid_value_names_its_flag() {
        let args = FilterArgs { band: vec!["critcal".to_owned()], ..FilterArgs::default() };
        let error = args.filter(&[]).unwrap_err().to_string();
        assert_eq!(error, "--band: unknown value `critcal`; did you mean `critical`?");
        let args = OrderArgs { sort: Some("-nam".to_owned()), ..OrderArgs::default() };
        assert_eq!(args.order().unwrap_err().to_string(), "--sort: unknown value `nam`; did you mean `name`?");
        let args = FilterArgs { team: vec![String::new()], ..FilterArgs::default() };
        assert_eq!(args.filter(&[]).unwrap_err().to_string(), "--team: is empty; omit it to select all");
    }
}
