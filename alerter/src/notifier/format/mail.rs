//! A delivery as a mail: text and HTML. Its id is that of the news, so a mail that comes twice is one to whoever looks at
//! ids; all mails of a group answer one that never was, so they are one conversation.

use std::fmt::Write as _;
use std::time::SystemTime;

use jiff::Timestamp;
use lettre::Message;
use lettre::address::Envelope;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use ring::digest;
use slipstream_runtime::config::Email;

use super::of;
use super::words::{headline, others, shown, state, summary};
use crate::notifier::dispatch::Delivery;
use crate::notifier::payload::{Alert, Status, ZERO_TIME};

/// Alerts that a mail describes; the others are counted.
const DESCRIBED: usize = 100;
/// Labels that say nothing to a person.
const NOT_SHOWN: [&str; 2] = ["instance", "rule_set"];

/// Who writes to whom.
#[derive(Debug, Clone)]
pub struct Parties {
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Parties {
    /// Reads the addresses.
    ///
    /// # Errors
    /// Which one is none.
    pub fn new(email: &Email) -> Result<Parties, String> {
        let mailbox = |key: &str, text: &str| {
            text.parse::<Mailbox>().map_err(|e| format!("{key}: `{text}` is not an address of mail: {e}"))
        };
        let to = email.to.iter().map(|text| mailbox("to", text)).collect::<Result<_, _>>()?;
        Ok(Parties { from: mailbox("from", &email.from)?, to })
    }

    /// The mail of a delivery that is recognised by `keys`.
    ///
    /// # Errors
    /// When it cannot be written, which the addresses exclude.
    pub fn mail(&self, delivery: &Delivery, keys: &str, now: Timestamp) -> Result<(Envelope, Vec<u8>), String> {
        let domain = self.from.email.domain();
        let id = |of: &str, what: &str| format!("<{what}{}@{domain}>", hash(of));
        let thread = id(&format!("{}/{}", delivery.message.receiver, delivery.message.group_key), "group.");
        let automatic = HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned());
        let mut mail = Message::builder()
            .from(self.from.clone())
            .subject(headline(delivery))
            .date(SystemTime::from(now))
            .message_id(Some(id(keys, "")))
            .in_reply_to(thread.clone())
            .references(thread)
            .raw_header(automatic);
        for to in &self.to {
            mail = mail.to(to.clone());
        }
        let parts = MultiPart::alternative()
            .boundary(format!("slipstream-{}", hash(keys)))
            .singlepart(SinglePart::plain(text(delivery)))
            .singlepart(SinglePart::html(html(delivery)));
        let mail = mail.multipart(parts).map_err(|e| e.to_string())?;
        Ok((mail.envelope().clone(), mail.formatted()))
    }
}

fn hash(text: &str) -> String {
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    hash.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is said of an alert besides its summary and description.
fn facts(alert: &Alert) -> Vec<(&str, &str)> {
    let labels = alert.labels.iter().filter(|(name, _)| !NOT_SHOWN.contains(&name.as_str()));
    let mut facts: Vec<(&str, &str)> = labels.map(|(name, value)| (name.as_str(), value.as_str())).collect();
    facts.push(("since", &alert.starts_at));
    if alert.status == Status::Resolved && alert.ends_at != ZERO_TIME {
        facts.push(("until", &alert.ends_at));
    }
    let annotations = ["trace_ids", "runbook", "runbook_url"];
    facts.extend(annotations.map(|name| (name, of(&alert.annotations, name))));
    facts.push(("link", &alert.generator_url));
    facts.retain(|(_, value)| !value.is_empty());
    facts
}

/// What a mail leaves out.
fn rest(delivery: &Delivery, shown: &[&Alert]) -> Vec<String> {
    let more = shown.len().saturating_sub(DESCRIBED);
    let mut said = Vec::new();
    if more > 0 {
        said.push(format!("{more} more changed at the same time."));
    }
    match others(delivery, shown) {
        0 => {}
        1 => said.push("1 other alert of this group fires.".to_owned()),
        n => said.push(format!("{n} other alerts of this group fire.")),
    }
    said
}

fn text(delivery: &Delivery) -> String {
    let shown = shown(delivery);
    let mut out = String::new();
    for alert in shown.iter().take(DESCRIBED) {
        // Writing to a String does not fail.
        let _ = write!(out, "[{}] {}\n{}\n\n", state(alert), summary(alert), of(&alert.annotations, "description"));
        if let Some(evidence) = alert.annotations.get("evidence") {
            let _ = write!(out, "{evidence}\n\n");
        }
        for (name, value) in facts(alert) {
            let _ = writeln!(out, "  {name}: {value}");
        }
        out.push('\n');
    }
    for line in rest(delivery, &shown) {
        let _ = writeln!(out, "{line}");
    }
    let _ = writeln!(out, "Sent by Slipstream to the receiver {}.", delivery.message.receiver);
    out
}

fn html(delivery: &Delivery) -> String {
    let shown = shown(delivery);
    let mut out = String::from("<!DOCTYPE html>\n<html><body style=\"font-family: sans-serif\">\n");
    for alert in shown.iter().take(DESCRIBED) {
        section(&mut out, alert);
    }
    for line in rest(delivery, &shown) {
        let _ = writeln!(out, "<p>{}</p>", escaped(&line));
    }
    let receiver = escaped(&delivery.message.receiver);
    let _ =
        writeln!(out, "<p style=\"color: #666\">Sent by Slipstream to the receiver {receiver}.</p>\n</body></html>");
    out
}

fn section(out: &mut String, alert: &Alert) {
    let color = if alert.status == Status::Firing { "#b00020" } else { "#1a7f37" };
    let (state, summary) = (escaped(state(alert)), escaped(&summary(alert)));
    let description = escaped(of(&alert.annotations, "description"));
    let _ = writeln!(out, "<h3 style=\"color: {color}\">[{state}] {summary}</h3>\n<p>{description}</p>");
    if let Some(evidence) = alert.annotations.get("evidence") {
        let _ = writeln!(out, "<pre style=\"white-space: pre-wrap\">{}</pre>", escaped(evidence));
    }
    out.push_str("<table>\n");
    for (name, value) in facts(alert) {
        let shown = escaped(value);
        let is_link = value.starts_with("https://") || value.starts_with("http://");
        let cell = if is_link { format!("<a href=\"{shown}\">{shown}</a>") } else { shown };
        let _ = writeln!(out, "<tr><td style=\"color: #666\">{}</td><td>{cell}</td></tr>", escaped(name));
    }
    out.push_str("</table>\n");
}

fn escaped(text: &str) -> String {
    let named = |c| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        c => c.to_string(),
    };
    text.chars().map(named).collect()
}

#[cfg(test)]
mod tests {
    use slipstream_runtime::config::Encryption;
    use slipstream_schemas::records::Label;

    use super::super::samples::{Say, delivery, page};
    use super::*;

    fn email(from: &str, to: &[&str]) -> Email {
        Email {
            from: from.to_owned(),
            to: to.iter().map(|text| (*text).to_owned()).collect(),
            encryption: Encryption::StartTls,
            allow_plaintext: false,
        }
    }

    fn written(all: &[Say], keys: &str) -> String {
        let parties = Parties::new(&email("Slipstream <slo@example.org>", &["a@x.test", "B <b@x.test>"])).unwrap();
        let (envelope, bytes) = parties.mail(&delivery(all), keys, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(envelope.to().len(), 2);
        String::from_utf8(bytes).unwrap()
    }

    fn header(mail: &str, name: &str) -> String {
        let line = mail.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("{name}: {mail}")).to_owned()
    }

    #[test]
    fn a_mail_has_an_id_of_its_news_and_a_conversation_of_its_group() {
        let all = || [Say::Fires(page("/a")), Say::Still(page("/b"))];
        let mail = written(&all(), "k1");
        assert_eq!(mail, written(&all(), "k1"), "the same delivery, the same bytes");
        let later = written(&[Say::Over(page("/a"))], "k2");
        assert_ne!(header(&mail, "Message-ID"), header(&later, "Message-ID"));
        assert_eq!(header(&mail, "References"), header(&later, "References"));
        assert_eq!(header(&mail, "References"), header(&mail, "In-Reply-To"));
        assert!(header(&mail, "Message-ID").ends_with("@example.org>"), "{mail}");
        assert_eq!(header(&mail, "Auto-Submitted"), "auto-generated");
        assert_eq!(header(&mail, "To"), "a@x.test, B <b@x.test>");
    }

    #[test]
    fn it_says_all_that_a_person_needs_twice() {
        let mut t = page("/a");
        t.annotations = [("summary", "a < b"), ("description", "Do\nit."), ("runbook_url", "http://wiki/pay?a=1&b=2")]
            .map(|(name, value)| Label { name: name.to_owned(), value: value.to_owned() })
            .into();
        let delivery = delivery(&[Say::Fires(t), Say::Still(page("/b"))]);
        let want = "[page] a < b\nDo\nit.\n\n  alertname: SLOBurnRate\n  endpoint: /a\n  objective: availability\n  \
            service: payments\n  severity: page\n  slo: checkout\n  since: 2026-02-01T10:00:00Z\n  \
            runbook_url: http://wiki/pay?a=1&b=2\n  link: http://slo.test/id-of-a\n\n1 other alert of this group fires.\n\
            Sent by Slipstream to the receiver ops.\n";
        assert_eq!(text(&delivery), want);
        let html = html(&delivery);
        assert!(html.contains("<h3 style=\"color: #b00020\">[page] a &lt; b</h3>"), "{html}");
        assert!(html.contains("<a href=\"http://wiki/pay?a=1&amp;b=2\">"), "{html}");
    }

    #[test]
    fn what_is_no_address_is_named() {
        for (from, to, told) in [
            ("nobody", "a@x.test", "from: `nobody` is not an address of mail"),
            ("a@x.test", "b@x.test, c@x.test", "to: `b@x.test, c@x.test` is not an address"),
        ] {
            let error = Parties::new(&email(from, &[to])).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}
