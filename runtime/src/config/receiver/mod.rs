//! Receivers of alerts.

use std::collections::BTreeMap;
use std::time::Duration;

use url::Url;

use super::found;
use super::oddities;
use super::problem::Place;
use super::secret::{Secret, long_secret, secret};
use super::section::{Problems, Section, complain, expected, expected_unseen, plain, text};
use super::tree::{Key, Node};
use super::units::{POSITIVE, positive};

mod format;
mod way;

pub use format::{Body, Email, Encryption, ReceiverFormat, Remediation};
pub use way::{Auth, ClientTls, OAuth2, Way};

/// A receiver of notifications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// Its name, unique; part of consumer group names and idempotency keys: letters, digits, `-`, `_`, `.`.
    pub name: String,
    /// Where to POST, or the mail server; may hold a token, so it is not shown in full.
    pub url: Secret,
    /// In what form.
    pub format: ReceiverFormat,
    /// Whether to send the end of an alert.
    pub send_resolved: bool,
    /// Labels by which alerts are put into one notification; empty: all together.
    pub group_by: Vec<String>,
    /// How long further changes of a group wait after a notification.
    pub group_interval: Duration,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// Further headers, `Authorization` among them if there is one.
    pub headers: Vec<(String, Secret)>,
    /// What the receiver calls our severities, in any case; those that are not in it keep their names.
    pub severities: BTreeMap<String, String>,
    /// With what notifications are signed: secrets in base64, one a line; the role that signs checks them.
    pub signing: Option<Secret>,
    /// How it is reached.
    pub way: Way,
    /// Where it was configured; `None` of one that was not.
    pub place: Option<Place>,
}

impl Receiver {
    /// A receiver with defaults, as `--webhook URL` makes it.
    pub fn webhook(name: impl Into<String>, url: impl Into<String>) -> Self {
        Receiver {
            name: name.into(),
            url: Secret::new(url),
            format: ReceiverFormat::AlertmanagerWebhook,
            send_resolved: true,
            group_by: vec!["alertname".to_owned(), "slo".to_owned()],
            group_interval: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
            headers: Vec::new(),
            severities: BTreeMap::new(),
            signing: None,
            way: Way::default(),
            place: None,
        }
    }
}

pub(super) const URL: &str = "an address like `https://host/path`";
/// Where PagerDuty takes events, but for those of its region in Europe.
const PAGERDUTY_URL: &str = "https://events.pagerduty.com/v2/enqueue";
const NAME: &str = "a name of letters, digits, `-`, `_` and `.`";
const HEADER: &str = "text without control characters";

/// All receivers: those with a name, then those given by URL only.
pub(super) fn receivers(top: &Section<'_>, problems: &Problems) -> Vec<Receiver> {
    let mut receivers: Vec<Receiver> = Vec::new();
    for node in top.list("receivers").unwrap_or_default() {
        add(&mut receivers, receiver(node, problems), &node.place, problems);
    }
    for node in top.list("webhooks").unwrap_or_default() {
        match text(node).and_then(url) {
            Some(url) => {
                let name = format!("webhook-{:08x}", fingerprint(&url));
                let receiver = Receiver { place: Some(node.place.clone()), ..Receiver::webhook(name, url) };
                add(&mut receivers, Some(receiver), &node.place, problems);
            }
            None => expected(problems, node, "webhooks", URL),
        }
    }
    receivers
}

fn add(receivers: &mut Vec<Receiver>, new: Option<Receiver>, place: &Place, problems: &Problems) {
    let Some(new) = new else { return };
    if receivers.iter().any(|r| r.name == new.name) {
        complain(problems, place, format!("`receivers`: a second receiver `{}`; each needs its own name", new.name));
    } else {
        receivers.push(new);
    }
}

fn receiver(node: &Node, problems: &Problems) -> Option<Receiver> {
    let section = Section::of(node, "receivers", problems);
    let name = section.value("name", NAME, |text| {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        (!text.is_empty() && text.len() <= 64 && text.chars().all(fits)).then(|| text.to_owned())
    });
    if section.get("name").is_none() {
        complain(problems, &node.place, format!("`receivers`: a receiver without `name`; give it {NAME}"));
    }
    let of = format::named(&section);
    format::foreign(&section, of, problems);
    let url = target(&section, node, of, problems);
    let bool = |text: &str| text.parse::<bool>().ok();
    let default = Receiver::webhook("", "");
    let format = format::format(of, &section, node, problems);
    let whole = name.is_some() && url.is_some() && format.is_some();
    no_ends(&section, of, problems);
    let receiver = Receiver {
        format: format.unwrap_or(default.format),
        send_resolved: section.value("send_resolved", "`true` or `false`", bool).unwrap_or(of != format::REMEDIATION),
        group_by: group_by(&section, problems).unwrap_or(default.group_by),
        group_interval: section.value("group_interval", POSITIVE, positive).unwrap_or(default.group_interval),
        timeout: section.value("timeout", POSITIVE, positive).unwrap_or(default.timeout),
        headers: headers(&section, problems),
        severities: severities(&section, problems),
        signing: section
            .get("signing_secret_file")
            .and_then(|node| long_secret(node, "receivers.signing_secret_file", problems)),
        way: way::way(&section, problems),
        place: Some(node.place.clone()),
        name: name.unwrap_or_default(),
        url: url.unwrap_or_else(|| Secret::new("")),
    };
    section.finish();
    whole.then_some(receiver)
}

/// What repairs something is not asked to when it is over.
fn no_ends(section: &Section<'_>, format: &str, problems: &Problems) {
    if let Some(node) = section.get("send_resolved").filter(|_| format == format::REMEDIATION)
        && text(node) == Some("true")
    {
        let message = "`receivers.send_resolved`: `format: remediation` is not told of ends; leave it out";
        complain(problems, &node.place, message.into());
    }
}

/// `url`, or the content of `url_file` where the address itself is a secret.
fn target(section: &Section<'_>, node: &Node, format: &str, problems: &Problems) -> Option<Secret> {
    let address = |text: &str| if format == format::EMAIL { mail_server(text) } else { url(text) };
    let direct = section.value("url", format::url_of(format), address).map(Secret::new);
    let from_file = section.get("url_file");
    match (section.get("url"), from_file) {
        (None, None) if format == format::PAGERDUTY => Some(Secret::new(PAGERDUTY_URL)),
        (None, None) => {
            complain(problems, &node.place, "`receivers`: a receiver without `url` or `url_file`".into());
            None
        }
        (Some(_), Some(file)) => {
            complain(problems, &file.place, "`receivers`: set `url` or `url_file`, not both".into());
            None
        }
        (Some(_), None) => direct,
        (None, Some(file)) => {
            let secret = secret(file, "receivers.url_file", problems)?;
            if url(secret.reveal()).is_none() {
                complain(problems, &file.place, format!("`receivers.url_file`: the file does not hold {URL}"));
                return None;
            }
            Some(secret)
        }
    }
}

/// Labels by which alerts are put into one notification: of a receiver, or of a route.
pub(super) fn group_by(section: &Section<'_>, problems: &Problems) -> Option<Vec<String>> {
    let path = section.path("group_by");
    let mut labels = Vec::new();
    for node in section.list("group_by")? {
        match text(node).and_then(plain) {
            Some(label) if label == "severity" => {
                let message = format!("`{path}`: leave `severity` out, it changes while an alert fires");
                complain(problems, &node.place, message);
            }
            Some(label) => {
                oddities::label(&label, node, &path, problems);
                labels.push(label);
            }
            None => expected(problems, node, &path, "the name of a label"),
        }
    }
    if let Some(node) = section.get("group_by") {
        oddities::every_label(&labels, node, &path, problems);
    }
    Some(labels)
}

/// `severities: {page: critical}`.
fn severities(section: &Section<'_>, problems: &Problems) -> BTreeMap<String, String> {
    let mut severities: BTreeMap<String, String> = BTreeMap::new();
    let Some(node) = section.get("severities") else { return severities };
    for (key, node) in Section::of(node, "receivers.severities", problems).all() {
        if severities.keys().any(|known| known.eq_ignore_ascii_case(&key.name)) {
            let message = format!(
                "`receivers.severities`: `{}` is given twice; names of severities are not case-sensitive",
                key.name
            );
            complain(problems, &key.place, message);
            continue;
        }
        match text(node).and_then(plain) {
            Some(name) => {
                severities.insert(key.name.clone(), name);
            }
            None => expected(problems, node, "receivers.severities", "the receiver's name for this severity"),
        }
    }
    severities
}

/// `headers` in the open, `headers_file` and `authorization_file` from files.
fn headers(section: &Section<'_>, problems: &Problems) -> Vec<(String, Secret)> {
    let mut headers = Vec::new();
    if let Some(node) = section.get("headers") {
        if text(node).is_some() {
            expected_unseen(problems, node, "receivers.headers", "a map of names and values");
            return headers;
        }
        for (key, node) in Section::of(node, "receivers.headers", problems).all() {
            if key.name.eq_ignore_ascii_case("authorization") {
                let message = "`receivers.headers`: secrets do not belong here; use `authorization_file: PATH`";
                complain(problems, &key.place, message.into());
                continue;
            }
            match text(node).and_then(plain) {
                Some(value) => header(&mut headers, key, Secret::new(value), problems),
                None => {
                    expected_unseen(problems, node, &format!("receivers.headers.{}", found::key(&key.name)), HEADER)
                }
            }
        }
    }
    if let Some(node) = section.get("headers_file") {
        for (key, node) in Section::of(node, "receivers.headers_file", problems).all() {
            if let Some(value) = secret(node, "receivers.headers_file", problems) {
                header(&mut headers, key, value, problems);
            }
        }
    }
    if let Some(node) = section.get("authorization_file")
        && let Some(value) = secret(node, "receivers.authorization_file", problems)
    {
        let key = Key { place: node.place.clone(), name: "Authorization".into() };
        header(&mut headers, &key, value, problems);
    }
    headers
}

fn header(headers: &mut Vec<(String, Secret)>, key: &Key, value: Secret, problems: &Problems) {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if key.name.is_empty() || !key.name.chars().all(fits) {
        complain(problems, &key.place, format!("`receivers`: `{}` is not a valid header name", found::key(&key.name)));
    } else if headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(&key.name)) {
        complain(problems, &key.place, format!("`receivers`: the header `{}` is set twice", key.name));
    } else {
        headers.push((key.name.clone(), value));
    }
}

pub(super) const ALERT_URL: &str = "an address like `https://host/path?slo={slo}`, with {slo}, {objective}, {service} and {alert_id} for what the alert is about";

/// An address of the web with names of an alert's fields in braces.
pub(super) fn alert_url(text: &str) -> Option<String> {
    let names = ["{slo}", "{objective}", "{service}", "{alert_id}"];
    let filled = names.iter().fold(text.to_owned(), |filled, name| filled.replace(name, "x"));
    (!filled.contains(['{', '}'])).then(|| url(&filled)).flatten().map(|_| text.to_owned())
}

/// Whether a text is an address such as `https://host/path`, as a receiver's and a gateway's have to be.
#[must_use]
pub fn is_web_address(text: &str) -> bool {
    url(text).is_some()
}

/// `smtp://HOST` or `smtp://HOST:PORT`: no login, which has settings of its own.
fn mail_server(text: &str) -> Option<String> {
    let place = text.strip_prefix("smtp://")?.trim_end_matches('/');
    let parsed = Url::parse(text).ok()?;
    let bare = parsed.has_host() && !place.contains(['@', '/', '?', '#']) && !text.contains(char::is_whitespace);
    bare.then(|| plain(text)).flatten()
}

/// An address of the web.
pub(super) fn url(text: &str) -> Option<String> {
    let parsed = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    // What the parser forgives, a receiver of a link may not: `http:///path`, tabs, blanks.
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"))?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let whole = parsed.has_host() && !host.is_empty() && !text.contains(char::is_whitespace);
    whole.then(|| plain(text)).flatten()
}

/// FNV-1a 32: names a receiver by its URL, so that its place in the log stays its own in whatever order they are given.
fn fingerprint(url: &str) -> u32 {
    url.bytes().fold(0x811C_9DC5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
