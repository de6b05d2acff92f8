//! A mail as HTML: one column of cards, readable on a phone, in the theme of the mail program, without anything to load.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use url::Url;

use super::plan::{Item, Mail, Plan, Urgency};
use super::words::{self, MAX_TOKENS};

const STYLE: &str = include_str!("mail.css");

pub(super) fn render(mail: &Mail, plan: &Plan, external: Option<&Url>) -> String {
    let problems = words::problems(&plan.problems, plan.now);
    let shown = &mail.items[..mail.items.len().min(MAX_TOKENS)];
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="supported-color-schemes" content="light dark";
                title { (words::subject(mail, plan)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main .page {
                    h1 { (words::greeting(mail)) }
                    p .soft { (words::INTRODUCTION) }
                    @if !problems.is_empty() {
                        div .notice {
                            h2 { (words::PROBLEMS_TITLE) }
                            p { (words::PROBLEMS_HINT) }
                            ul { @for problem in &problems { li { (problem) } } }
                        }
                    }
                    @for urgency in Urgency::ALL { (section(mail, shown, urgency, plan, external)) }
                    (more(mail.items.len()))
                    @if !mail.unaddressed.is_empty() {
                        h2 { (words::UNADDRESSED_TITLE) }
                        p .soft { (words::UNADDRESSED_HINT) }
                        @for (item, why) in mail.unaddressed.iter().take(MAX_TOKENS) {
                            (card(item, Some(&words::why(why)), true, plan, external))
                        }
                        (more(mail.unaddressed.len()))
                    }
                    p .soft { (words::FOOTER) }
                }
            }
        }
    };
    page.into_string()
}

fn section(mail: &Mail, shown: &[Item], urgency: Urgency, plan: &Plan, external: Option<&Url>) -> Markup {
    let items: Vec<&Item> = shown.iter().filter(|item| item.urgency == urgency).collect();
    let (title, hint) = words::section(urgency);
    html! {
        @if !items.is_empty() {
            h2 { (title) }
            p .soft { (hint) }
            @for item in items { (card(item, None, !mail.teams.is_empty(), plan, external)) }
        }
    }
}

fn more(count: usize) -> Markup {
    html! { @if count > MAX_TOKENS { p { "… and " (count - MAX_TOKENS) " more" } } }
}

const fn class(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Expired => "expired",
        Urgency::Now => "now",
        Urgency::Soon => "soon",
        Urgency::Upcoming => "upcoming",
    }
}

fn card(item: &Item, why: Option<&str>, shows_owner: bool, plan: &Plan, external: Option<&Url>) -> Markup {
    let token = &item.token;
    let (steps, links) = (words::steps(token), words::links(token, external));
    html! {
        div .card .(class(item.urgency)) {
            h3 { (token.name.as_str()) }
            p .when { (words::expiry(token, plan.now)) }
            p .soft { (words::kind(token)) }
            @if let Some(why) = why { p { "No recipient: " (why) } }
            @for (name, value) in words::facts(item, shows_owner, plan.now) { p { (name) ": " (value) } }
            @if !steps.is_empty() {
                div .steps {
                    p { "How to renew it:" }
                    ul { @for step in steps { li { (step) } } }
                }
            }
            @if !links.is_empty() {
                p .links { @for (text, url) in links { a href=(url) { (text) } } }
            }
        }
    }
}
