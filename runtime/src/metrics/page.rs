//! A page of metrics, as Prometheus reads it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::http::HeaderMap;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabel, EncodeLabelSet, EncodeMetric, LabelSetEncoder, NoLabelSet, prometheus_text, text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::CounterWithExemplar;
use prometheus_client::registry::Registry;

use super::family::{Exemplar, Family, Kind, Sample, Source, Value};
use crate::http::accept;

/// How a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format, 0.0.4.
    Text,
    /// OpenMetrics 1.0: with exemplars.
    OpenMetrics,
}

impl Format {
    const ALL: [Format; 2] = [Format::Text, Format::OpenMetrics];

    /// The one that the client likes best; plain text if it says nothing, or takes neither.
    pub fn for_client(headers: &HeaderMap) -> Format {
        accept::best(headers, &["text/plain", "application/openmetrics-text"]).map_or(Format::Text, |i| Self::ALL[i])
    }

    /// The media type.
    pub fn media(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Names that metrics are to be told by besides their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(BTreeSet<String>);

/// The registry's metrics, and those of sources.
#[derive(Clone, Default)]
pub struct Page {
    sources: Vec<Arc<dyn Source>>,
}

impl Page {
    /// With one more source.
    #[must_use]
    pub fn with(mut self, source: Arc<dyn Source>) -> Page {
        self.sources.push(source);
        self
    }

    /// The names in a list, separated by commas.
    ///
    /// # Errors
    /// When no source has such a name; says which are known.
    pub fn names(&self, list: &str) -> Result<Names, String> {
        let known: BTreeSet<&str> = self.sources.iter().flat_map(|source| source.names()).copied().collect();
        let asked: BTreeSet<String> =
            list.split(',').map(str::trim).filter(|n| !n.is_empty()).map(str::to_owned).collect();
        match asked.iter().find(|name| !known.contains(name.as_str())) {
            None => Ok(Names(asked)),
            Some(unknown) if known.is_empty() => {
                Err(format!("names={unknown}: this process knows no other names; one with the role api does"))
            }
            Some(unknown) => {
                let known: Vec<&str> = known.into_iter().collect();
                Err(format!("names={unknown}: expected {}", known.join(", ")))
            }
        }
    }

    /// All metrics as of now, by name.
    pub fn families(&self, names: &Names) -> Vec<Family> {
        let mut families: Vec<Family> = prometheus::gather().iter().filter_map(Family::of_registry).collect();
        for source in &self.sources {
            let also: Vec<&str> = source.names().iter().copied().filter(|name| names.0.contains(*name)).collect();
            families.extend(source.families(&also));
        }
        families.retain(|family| !family.samples.is_empty());
        families.sort_by(|a, b| a.name.cmp(&b.name));
        families
    }

    /// The page as text.
    pub fn render(&self, format: Format, names: &Names) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Gathered(self.families(names))));
        let mut page = String::new();
        let written = match format {
            Format::Text => prometheus_text::encode(&mut page, &registry),
            Format::OpenMetrics => text::encode(&mut page, &registry),
        };
        match written {
            Ok(()) => page,
            Err(fmt::Error) => "# the metrics could not be written\n".to_owned(),
        }
    }
}

#[derive(Debug)]
struct Gathered(Vec<Family>);

impl Collector for Gathered {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for Family { name, help, kind, samples } in &self.0 {
            let (name, kind) = match kind {
                // The encoder adds it again.
                Kind::Counter => (name.strip_suffix("_total").unwrap_or(name), MetricType::Counter),
                Kind::Gauge => (name.as_str(), MetricType::Gauge),
                Kind::Histogram => (name.as_str(), MetricType::Histogram),
            };
            let mut family = encoder.encode_descriptor(name, help, None, kind)?;
            for sample in samples {
                let labels = Of(sample);
                let mut metric = family.encode_family(&labels)?;
                match (&sample.value, kind) {
                    (Value::Number(value, None), MetricType::Counter) => match whole(*value) {
                        Some(value) => metric.encode_counter::<NoLabelSet, u64, f64>(&value.unsigned_abs(), None)?,
                        None => metric.encode_counter::<NoLabelSet, f64, f64>(value, None)?,
                    },
                    (Value::Number(value, Some(exemplar)), MetricType::Counter) => {
                        counted(*value, exemplar).encode(metric)?;
                    }
                    (Value::Number(value, _), _) => match whole(*value) {
                        Some(value) => metric.encode_gauge(&value)?,
                        None => metric.encode_gauge(value)?,
                    },
                    (Value::Spread { sum, count, buckets }, _) => {
                        metric.encode_histogram::<NoLabelSet>(*sum, *count, buckets, None)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// A number that people read without a fraction.
fn whole(value: f64) -> Option<i64> {
    const EXACT: f64 = (1_u64 << 53) as f64;
    (value.fract() == 0.0 && value.abs() < EXACT).then_some(value as i64)
}

/// A counter that has come so far, its last step being the exemplar.
fn counted(value: f64, exemplar: &Exemplar) -> CounterWithExemplar<Vec<(String, String)>, u64, AtomicU64> {
    let counter = CounterWithExemplar::default();
    counter.inc_by((value as u64).saturating_sub(1), None, None);
    counter.inc_by(1, Some(exemplar.labels.clone()), Some(exemplar.time));
    counter
}

struct Of<'a>(&'a Sample);

impl EncodeLabelSet for Of<'_> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        for (name, value) in self.0.labels.iter() {
            (name.as_str(), value.as_str()).encode(encoder.encode_label())?;
        }
        if let Some((name, value)) = &self.0.own {
            (*name, value.as_str()).encode(encoder.encode_label())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    struct Shop;

    impl Source for Shop {
        fn families(&self, also: &[&str]) -> Vec<Family> {
            let labels = [("slo".to_owned(), "a \"b\"\\\n".to_owned())].into();
            let mut left = Family::gauge("page_test_left_ratio", "What is left.");
            left.push(&labels, 0.25);
            left.push_own(&labels, ("window", "5m".to_owned()), f64::INFINITY);
            let mut events = Family::counter("page_test_events_total", "Events.");
            let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_500);
            let exemplar = Exemplar::of([("trace_id", "4bf9".to_owned())], time);
            events.samples.push(Sample { labels, own: None, value: Value::Number(7.0, exemplar) });
            let mut families = vec![left, events, Family::gauge("page_test_nothing", "Nothing.")];
            for name in also {
                let mut family = Family::gauge(&format!("{name}:page:test"), "By that name.");
                family.push(&Labels::default(), 1.0);
                families.push(family);
            }
            families
        }

        fn names(&self) -> &'static [&'static str] {
            &["sloth", "sli"]
        }
    }

    use super::super::family::Labels;

    fn lines(format: Format, names: &str) -> Vec<String> {
        let page = Page::default().with(Arc::new(Shop));
        let text = page.render(format, &page.names(names).unwrap());
        // Others of this process are in the same registry.
        text.lines().filter(|line| line.contains("page") || line.contains("EOF")).map(str::to_owned).collect()
    }

    #[test]
    fn a_page_is_written_in_both_formats() {
        super::super::histogram("page_test_seconds", "How long.", &["kind"], &[0.5, 1.0]);
        let histogram = super::super::histogram("page_test_more_seconds", "How long.", &["kind"], &[0.5, 1.0]);
        for value in [0.25, 0.75, 2.0] {
            histogram.with_label_values(&["a"]).observe(value);
        }
        let labels = r#"slo="a \"b\"\\\n""#;
        let text_spread = [
            "# TYPE page_test_more_seconds histogram",
            r#"page_test_more_seconds_bucket{kind="a",le="0.5"} 1"#,
            r#"page_test_more_seconds_bucket{kind="a",le="1"} 2"#,
            r#"page_test_more_seconds_bucket{kind="a",le="+Inf"} 3"#,
            r#"page_test_more_seconds_sum{kind="a"} 3.0"#,
            r#"page_test_more_seconds_count{kind="a"} 3"#,
        ];
        let open_spread = [
            "# HELP page_test_more_seconds How long.",
            r#"page_test_more_seconds_bucket{le="0.5",kind="a"} 1"#,
            r#"page_test_more_seconds_bucket{le="1.0",kind="a"} 2"#,
            r#"page_test_more_seconds_bucket{le="+Inf",kind="a"} 3"#,
            r#"page_test_more_seconds_sum{kind="a"} 3.0"#,
            r#"page_test_more_seconds_count{kind="a"} 3"#,
        ];
        let left = [
            "# HELP page_test_left_ratio What is left.".to_owned(),
            "# TYPE page_test_left_ratio gauge".to_owned(),
            format!("page_test_left_ratio{{{labels}}} 0.25"),
        ];
        let text = lines(Format::Text, "");
        for line in left.iter().map(String::as_str).chain([
            "# TYPE page_test_events_total counter",
            &format!("page_test_events_total{{{labels}}} 7"),
            &format!("page_test_left_ratio{{{labels},window=\"5m\"}} +Inf"),
        ]) {
            assert!(text.iter().any(|l| l == line), "{line}: {text:#?}");
        }
        let open = lines(Format::OpenMetrics, "sloth, sli");
        for line in left.iter().map(String::as_str).chain([
            "# TYPE page_test_events counter",
            &format!("page_test_events_total{{{labels}}} 7 # {{trace_id=\"4bf9\"}} 1.0 1.5"),
            "sloth:page:test 1",
            "sli:page:test 1",
            "# EOF",
        ]) {
            assert!(open.iter().any(|l| l == line), "{line}: {open:#?}");
        }
        for (page, spread) in [(&text, text_spread), (&open, open_spread)] {
            for line in spread {
                assert!(page.iter().any(|l| l == line), "{line}: {page:#?}");
            }
        }
        let all: Vec<&String> = text.iter().chain(&open).collect();
        assert!(!all.iter().any(|line| line.contains("page_test_nothing") || line.contains("page_test_seconds")));
        assert!(!text.iter().any(|line| line.contains(":page:")), "only where it is asked for");
    }

    #[test]
    fn names_that_nobody_has_are_refused() {
        let page = Page::default().with(Arc::new(Shop));
        assert_eq!(page.names("sloth,pyrra").unwrap_err(), "names=pyrra: expected sli, sloth");
        let none = Page::default().names("sloth").unwrap_err();
        assert_eq!(none, "names=sloth: this process knows no other names; one with the role api does");
        assert_eq!(page.names(" , "), Ok(Names::default()));
    }

    #[test]
    fn a_client_gets_the_format_that_it_asks_for() {
        // As Prometheus 3 asks, and curl.
        let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
            application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
            text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (accept, expected) in [
            (Some(prometheus), Format::OpenMetrics),
            (Some("*/*"), Format::Text),
            (Some("text/plain"), Format::Text),
            (Some("image/png"), Format::Text),
            (None, Format::Text),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(axum::http::header::ACCEPT, accept.parse().unwrap());
            }
            assert_eq!(Format::for_client(&headers), expected, "{accept:?}");
        }
    }
}
