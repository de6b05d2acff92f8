//! Token names stay text in HTML mails and chats.

use std::process::Command;

use serde_json::json;

use super::{file, run};
use crate::test_servers::tool;

/// Renders a template as Alertmanager does.
fn render(kind: &str, template: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data.json");
    let firing = json!({
        "status": "firing",
        "labels": {"token_name": "<!channel> & <b>co</b>", "token_kind": "pat", "severity": "critical"},
        "annotations": {
            "description": "<!channel> & <b>co</b> (pat) expires in 1d.",
            "expires": "2027-01-01 00:00 UTC",
            "time_left": "in 6 days",
            "used_in": "Secret <!channel> & <b>co</b>",
            "renewal": "Who: <!channel> & <b>co</b>\nDocumentation: javascript:alert(1)\nDocumentation: https://docs.example.com/?a&b",
            "page_url": "https://tokens.example.com/token?source=a&id=|2>",
            "manage_url": "https://example.com/a?b=1&c=|2>",
            "runbook_url": "https://runbooks.example.com/X",
        },
    });
    let resolved = json!({"status": "resolved", "labels": {"token_name": "<!here>"}, "annotations": {}});
    let content = json!({
        "receiver": "x", "status": "firing", "alerts": [firing, resolved], "groupLabels": {}, "commonLabels": {},
        "commonAnnotations": {}, "externalURL": "",
    });
    std::fs::write(&data, content.to_string()).unwrap();
    let mut amtool = Command::new(tool("amtool"));
    amtool.args(["template", "render"]).arg(format!("--template.glob={}", file("alerts/templates/*.tmpl").display()));
    amtool.arg(format!("--template.data={}", data.display())).arg(format!("--template.type={kind}"));
    amtool.arg(format!("--template.text={{{{ template \"{template}\" . }}}}"));
    run(&mut amtool).unwrap_or_else(|output| panic!("{template}: {output}"))
}

#[test]
fn chat_escapes_channel_mentions() {
    let chat = render("text", "tokens.chat");
    assert_eq!(
        chat.trim(),
        "• &lt;!channel&gt; &amp; &lt;b&gt;co&lt;/b&gt; (pat) expires in 1d. 2027-01-01 00:00 UTC \
         Used in: Secret &lt;!channel&gt; &amp; &lt;b&gt;co&lt;/b&gt;. Who: &lt;!channel&gt; &amp; &lt;b&gt;co&lt;/b&gt;; \
         Documentation: javascript:alert(1); Documentation: https://docs.example.com/?a&amp;b. \
         <https://tokens.example.com/token?source=a&amp;id=2|details> <https://example.com/a?b=1&amp;c=2|renew it> <https://runbooks.example.com/X|what to do>\n✓ &lt;!here&gt;: resolved"
    );
}

#[test]
fn mail_escapes_html() {
    let mail = render("html", "tokens.html");
    assert!(mail.contains("<b>&lt;!channel&gt; &amp; &lt;b&gt;co&lt;/b&gt;</b>"), "{mail}");
    assert!(!mail.contains("<!channel>") && !mail.contains("<b>co"), "{mail}");
    for shown in [
        ">Secret &lt;!channel&gt; &amp; &lt;b&gt;co&lt;/b&gt;<",
        "<li style=\"margin:2px 0\">Who: &lt;!channel&gt; &amp; &lt;b&gt;co&lt;/b&gt;</li>",
        "<li style=\"margin:2px 0\">Documentation: javascript:alert(1)</li>",
        "<a href=\"https://docs.example.com/?a&amp;b\" style=\"color:#0550ae\">The provider's documentation</a>",
        "<a href=\"https://tokens.example.com/token?source=a&amp;id=%7c2%3e\"",
    ] {
        assert!(mail.contains(shown), "{shown}: {mail}");
    }
}
