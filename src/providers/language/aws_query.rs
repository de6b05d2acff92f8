//! XML of AWS's query protocol (<https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>) as a jq value.
//!
//! An element is a key of the object that contains it; its value is its text, null without content, or an object. Elements named
//! `member` are a list, even a single one. Attributes are omitted.

use std::collections::HashSet;

use jaq_json::Val;
use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::Event;

use super::value::{MAX_VALUES, object, val};

/// No response of AWS is deeper.
const MAX_DEPTH: usize = 64;

/// An element that is still open.
#[derive(Default)]
struct Element {
    name: String,
    text: String,
    children: Vec<(String, Val)>,
}

impl Element {
    fn value(self) -> Option<Val> {
        let Self { text, children, .. } = self;
        if children.is_empty() {
            return Some(if text.trim().is_empty() { Val::Null } else { val(&text) });
        }
        // Mixed content, or a list with other elements, is not of this protocol.
        let members = children.iter().filter(|(name, _)| name == "member").count();
        if !text.trim().is_empty() || (members > 0 && members < children.len()) {
            return None;
        }
        if members > 0 {
            return Some(children.into_iter().map(|(_, value)| value).collect());
        }
        // Of a flattened list only the last element would be left.
        let names: HashSet<&String> = children.iter().map(|(name, _)| name).collect();
        if names.len() < children.len() {
            return None;
        }
        Some(object(children.into_iter().map(|(name, value)| (val(&name), value))))
    }
}

/// Decodes a response. `None` if it is not well-formed, or has too many elements.
pub(crate) fn decode(body: &[u8]) -> Option<Val> {
    let mut reader = Reader::from_reader(body);
    let (mut open, mut count) = (vec![Element::default()], 0);
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                let name = String::from_utf8(start.local_name().as_ref().to_vec()).ok()?;
                count += 1;
                if open.len() > MAX_DEPTH || count > MAX_VALUES {
                    return None;
                }
                open.push(Element { name, ..Element::default() });
            }
            Event::Empty(empty) => {
                let name = String::from_utf8(empty.local_name().as_ref().to_vec()).ok()?;
                open.last_mut()?.children.push((name, Val::Null));
            }
            Event::End(_) => {
                let closed = open.pop()?;
                let name = closed.name.clone();
                open.last_mut()?.children.push((name, closed.value()?));
            }
            Event::Text(text) => open.last_mut()?.text.push_str(&text.xml10_content().ok()?),
            Event::CData(text) => open.last_mut()?.text.push_str(&text.xml10_content().ok()?),
            Event::GeneralRef(reference) => {
                let text = &mut open.last_mut()?.text;
                match reference.resolve_char_ref().ok()? {
                    Some(character) => text.push(character),
                    // Only the five entities of XML itself: AWS defines none.
                    None => text.push_str(resolve_xml_entity(&reference.decode().ok()?)?),
                }
            }
            Event::DocType(_) => return None,
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => break,
        }
    }
    match (open.pop()?, open.is_empty()) {
        (root, true) if root.children.len() == 1 => root.value(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn json(xml: &str) -> Option<String> {
        decode(xml.as_bytes()).map(|value| value.to_string())
    }

    #[test]
    fn elements_are_keys_and_members_are_a_list() {
        for (xml, expected) in [
            ("<A><B>1</B><C/></A>", r#"{"A":{"B":"1","C":null}}"#),
            (
                "<?xml version=\"1.0\"?>\n<A xmlns=\"x\">\n <L>\n  <member><N>a</N></member>\n </L>\n</A>\n",
                r#"{"A":{"L":[{"N":"a"}]}}"#,
            ),
            ("<A><member>1</member><member/></A>", r#"{"A":["1",null]}"#),
            ("<A>\n</A>", r#"{"A":null}"#),
            ("<A>a &amp; b &#x41;&lt;<![CDATA[<c>]]></A>", r#"{"A":"a & b A<<c>"}"#),
            ("<x:A><x:B>ü</x:B></x:A>", r#"{"A":{"B":"ü"}}"#),
        ] {
            assert_eq!(json(xml).as_deref(), Some(expected), "{xml}");
        }
    }

    #[test]
    fn what_is_not_of_the_protocol_is_refused() {
        let deep = format!("{}{}", "<a>".repeat(100), "</a>".repeat(100));
        let bomb = "<!DOCTYPE a [<!ENTITY b \"bbbb\">]><a>&b;</a>";
        for xml in [
            "",
            "{}",
            "<A>",
            "<A></B>",
            "<A/><B/>",
            "<A>text<B/></A>",
            "<A><member/><B/></A>",
            "<A>&b;</A>",
            "<A><B/><B/></A>",
            bomb,
            &deep,
        ] {
            assert_eq!(json(xml), None, "{xml}");
        }
        assert_eq!(decode(b"<A>\xff</A>"), None);
        assert_eq!(json(&"<A>".repeat(1_000_000)), None);
    }
}
