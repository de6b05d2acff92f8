//! What the mail to an owner says of each token.

use serde_json::Value;

use super::delivery::{Demo, Token, last_mail};
use super::sink::{Mail, Mailbox};
use crate::test_servers::client;

/// Checks what a mail says of each token: kind, owner, expiry in words and as a date, last use, locations, renewal steps and the
/// token's page.
pub(super) async fn check_facts(demo: &Demo, mail: &Mail, tokens: &[&Token]) {
    let reply = client().get(format!("{}/api/v1/tokens", demo.server.url)).send().await.unwrap();
    let listed: Value = serde_json::from_str(&reply.text().await.unwrap()).unwrap();
    let blocks: Vec<_> = mail.text.split("\n* ").skip(1).collect();
    assert_eq!(blocks.len(), tokens.len(), "{}", mail.text);
    for token in tokens {
        let row = listed["tokens"].as_array().unwrap().iter().find(|row| row["id"] == token.id.as_str()).unwrap();
        let day = |field: &str| row[field].as_str().unwrap()[..10].to_owned();
        let block = blocks.iter().find(|block| block.starts_with(&format!("{}: ", token.name))).unwrap();
        let (owner, page) =
            (token.owner.as_deref().unwrap(), format!("{}/token/atlassian/{}", demo.server.url, token.id));
        let places =
            if token.name.ends_with("-reports") { "CI job nightly-reports, report server" } else { "not known" };
        for fact in [
            format!("{}: expires in 2 hours, on {} ", token.name, day("expires_at")),
            "\n  Kind:      api-token at atlassian-cloud (atlassian)\n".to_owned(),
            format!("\n  Owner:     {owner}\n"),
            format!("\n  Last used: {}\n", day("last_used")),
            format!("\n  Used in:   {places}\n"),
            "\n  How to renew it:\n    Who: only the owner; ".to_owned(),
            "\n    Where: the owner signs in at https://id.atlassian.com/".to_owned(),
            "\n    Documentation: https://support.atlassian.com/".to_owned(),
            format!("\n  Details:   {page}\n"),
        ] {
            assert!(block.contains(&fact), "{fact}: {block}");
        }
        let html = client().get(&page).send().await.unwrap();
        assert!(html.status().is_success() && html.text().await.unwrap().contains(&token.name), "{page}");
        assert!(mail.html.contains(&format!("<a href=\"{page}\"")) && mail.html.contains(&format!("<td>{owner}</td>")));
    }
    // Atlassian's page shows every reader his own tokens: the steps name it, but no link leads there.
    assert!(
        mail.html.contains("id.atlassian.com") && !mail.html.contains("href=\"https://id.atlassian.com"),
        "{}",
        mail.html
    );
}

/// A page at the provider that is the same for every reader is a link. The mail of this owner is the picture in the documentation.
pub(super) async fn check_link_to_renew(mailbox: &Mailbox) {
    let mail = last_mail(mailbox, "a mail to Ulla Berg", |mail| mail.to == ["ulla.berg@example.com"]).await;
    assert!(mail.text.starts_with("Hello Ulla Berg,"), "{}", mail.text);
    for line in [
        "\n  Renew it:  https://bitbucket.org/meridian/fleet-firmware/admin/access-tokens\n",
        "\n  Used in:   build server of the repository\n",
    ] {
        assert!(mail.text.contains(line), "{line}: {}", mail.text);
    }
    // The most urgent token first.
    let bands: Vec<_> = mail.text.lines().filter(|line| line.starts_with("* ")).collect();
    let rank =
        |line: &&str| if line.contains(": expired ") { 0 } else { 1 + u8::from(line.contains("booking-mirror")) };
    assert!(bands.len() > 2 && bands.is_sorted_by_key(rank), "{bands:?}");
    let button = "<a href=\"https://bitbucket.org/meridian/fleet-firmware/admin/access-tokens\"";
    assert!(mail.html.contains(button), "{}", mail.html);
    if let Some(file) = std::env::var_os("MAIL_TO_PHOTOGRAPH") {
        std::fs::write(file, &mail.html).unwrap();
    }
}
