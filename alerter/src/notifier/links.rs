//! Links of a notification: only configured ones, because the program cannot know which addresses respond.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use slipstream_schemas::records::AlertTransition;

/// Written as they are in a link; everything else is escaped.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The links of an installation; empty where none was configured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Links {
    /// `externalURL`: where people reach this installation.
    pub external: String,
    /// `generatorURL` of an alert, with `{slo}`, `{objective}`, `{service}` and `{alert_id}` for what it is about. Empty:
    /// [`Links::external`].
    pub alert: String,
}

impl Links {
    /// The link of an alert.
    pub fn of(&self, t: &AlertTransition) -> String {
        let template = if self.alert.is_empty() { &self.external } else { &self.alert };
        let fields =
            [("{slo}", &t.slo), ("{objective}", &t.objective), ("{service}", &t.service), ("{alert_id}", &t.alert_id)];
        fields.iter().fold(template.clone(), |link, (name, value)| {
            link.replace(name, &utf8_percent_encode(value, UNRESERVED).to_string())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notifier::words::tests::transition;

    #[test]
    fn an_alert_has_the_link_that_was_asked_for_and_no_other() {
        let t = AlertTransition { objective: "p95 & more".to_owned(), ..transition() };
        let link =
            |external: &str, alert: &str| Links { external: external.to_owned(), alert: alert.to_owned() }.of(&t);
        assert_eq!(link("", ""), "");
        assert_eq!(link("https://grafana.test", ""), "https://grafana.test");
        assert_eq!(
            link(
                "https://grafana.test",
                "https://grafana.test/d/slo?var-slo={slo}&o={objective}&s={service}#{alert_id}"
            ),
            "https://grafana.test/d/slo?var-slo=checkout&o=p95%20%26%20more&s=payments#00c0ffee00c0ffee"
        );
    }
}
