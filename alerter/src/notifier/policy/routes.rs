//! The tree of routes, as one receiver sees it: which alerts are its, and how they are grouped. Walked as Alertmanager walks it
//! (dispatch/route.go): the first child that takes an alert has it, unless it goes on; a route keeps what no child takes.

use std::time::Duration;

use slipstream_definitions::matchers::Matchers;
use slipstream_runtime::config::{ReceiverFormat, Route, Routing};
use slipstream_slo::alerts::{Labels, SEVERITY};

use crate::notifier::identity::group_labels;
use crate::notifier::receiver::ReceiverConfig;

/// How often a receiver is reminded of what fires, unless a route says otherwise. Alertmanager's default.
const REPEAT: Duration = Duration::from_secs(4 * 3_600);

/// The key of the first route.
const ROOT: &str = "{}";

/// All labels, in `group_by`.
const EVERY_LABEL: &str = "...";

/// A route as it applies.
#[derive(Debug, Clone)]
pub struct Applied {
    /// Where it stands in the tree: `{}/{severity="page"}`.
    pub key: String,
    /// Labels by which alerts are put into one notification.
    group_by: Vec<String>,
    /// How long the first notification of a group waits.
    pub group_wait: Duration,
    /// How long further changes of a group wait after a notification.
    pub group_interval: Duration,
    /// How often the receiver is reminded; zero: never.
    pub repeat_interval: Duration,
    /// Names of the intervals in which nothing is told.
    pub mute: Vec<String>,
    /// Names of the intervals in which alone something is told.
    pub active: Vec<String>,
}

impl Applied {
    /// The labels of the group that an alert belongs to.
    pub fn group(&self, labels: &Labels) -> Labels {
        if self.group_by.iter().any(|label| label == EVERY_LABEL) {
            return labels.iter().filter(|(name, _)| *name != SEVERITY).map(|(n, v)| (n.clone(), v.clone())).collect();
        }
        group_labels(&self.group_by, labels)
    }
}

#[derive(Debug)]
struct Node {
    mine: bool,
    matchers: Matchers,
    goes_on: bool,
    below: Vec<usize>,
    applied: Applied,
}

/// The routes, the first one first.
#[derive(Debug)]
pub struct Routes {
    nodes: Vec<Node>,
}

impl Routes {
    /// The routes of a configuration, for one receiver. Without any the receiver gets everything, unless it is
    /// the watchdog's.
    pub fn new(receiver: &ReceiverConfig, routing: &Routing) -> Self {
        let first = Applied {
            key: ROOT.to_owned(),
            group_by: receiver.group_by.clone(),
            group_wait: Duration::ZERO,
            group_interval: receiver.group_interval,
            repeat_interval: REPEAT,
            mute: Vec::new(),
            active: Vec::new(),
        };
        let mut routes = Routes { nodes: Vec::new() };
        match &routing.root {
            Some(root) => {
                routes.add(&receiver.name, root, &receiver.name, first);
            }
            None => routes.nodes.push(Node {
                mine: routing.watchdog_of(&receiver.name).is_none(),
                matchers: Matchers::default(),
                goes_on: false,
                below: Vec::new(),
                applied: first,
            }),
        }
        // What repairs something is asked once.
        let once = matches!(receiver.format, ReceiverFormat::Remediation(_)).then_some(Duration::ZERO);
        if let Some(repeat) = receiver.format.resend().or(once) {
            routes.nodes.iter_mut().for_each(|node| node.applied.repeat_interval = repeat);
        }
        routes
    }

    /// Adds a route and those below it; `above` is what it inherits. Times that are mute are its own.
    fn add(&mut self, receiver: &str, route: &Route, to: &str, above: Applied) -> usize {
        let to = route.receiver.as_deref().unwrap_or(to);
        let mut key = if self.nodes.is_empty() { above.key } else { format!("{}/{}", above.key, route.matchers) };
        // Two of the same matchers side by side are two routes.
        if self.nodes.iter().any(|node| node.applied.key == key) {
            key.push_str(&format!("/{}", self.nodes.len()));
        }
        let applied = Applied {
            key,
            group_by: route.group_by.clone().unwrap_or(above.group_by),
            group_wait: route.group_wait.unwrap_or(above.group_wait),
            group_interval: route.group_interval.unwrap_or(above.group_interval),
            repeat_interval: route.repeat_interval.unwrap_or(above.repeat_interval),
            mute: route.mute.clone(),
            active: route.active.clone(),
        };
        let index = self.nodes.len();
        let (matchers, goes_on) = (route.matchers.clone(), route.goes_on);
        let node = Node { mine: to == receiver, matchers, goes_on, below: Vec::new(), applied: applied.clone() };
        self.nodes.push(node);
        let below = route.routes.iter().map(|below| self.add(receiver, below, to, applied.clone())).collect();
        self.nodes[index].below = below;
        index
    }

    /// The first route that leads an alert to the receiver; `None` if none does.
    pub fn of(&self, labels: &Labels) -> Option<usize> {
        let mut taken = Vec::new();
        self.walk(0, labels, &mut taken);
        taken.into_iter().find(|route| self.nodes[*route].mine)
    }

    /// Whether a route takes the alert; those that keep it are added.
    fn walk(&self, route: usize, labels: &Labels, taken: &mut Vec<usize>) -> bool {
        let node = &self.nodes[route];
        if !node.matchers.match_all(|name| labels.get(name).map(String::as_str)) {
            return false;
        }
        let before = taken.len();
        for below in &node.below {
            if self.walk(*below, labels, taken) && !self.nodes[*below].goes_on {
                break;
            }
        }
        if taken.len() == before {
            taken.push(route);
        }
        true
    }

    /// A route as it applies; the first one for a route that there is no more.
    pub fn applied(&self, route: Option<usize>) -> &Applied {
        &self.nodes[route.unwrap_or_default()].applied
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(receiver: &str, matchers: &str, routes: Vec<Route>) -> Route {
        let matchers = if matchers.is_empty() { Matchers::default() } else { Matchers::parse(matchers).unwrap() };
        Route { receiver: Some(receiver.to_owned()), matchers, routes, ..Route::default() }
    }

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn tree() -> Routing {
        let nights = Route { goes_on: true, ..route("nights", r#"severity="page""#, Vec::new()) };
        let pay = Route {
            group_by: Some(vec!["...".to_owned()]),
            repeat_interval: Some(Duration::ZERO),
            ..route("pay", "team=pay", vec![route("pay-chat", "severity=ticket", Vec::new())])
        };
        let root = Route { group_wait: Some(Duration::from_secs(30)), ..route("chat", "", vec![nights, pay]) };
        Routing { root: Some(root), ..Routing::default() }
    }

    #[test]
    fn an_alert_goes_where_alertmanager_would_send_it() {
        let cases = [
            (labels(&[("severity", "ticket")]), vec!["chat"]),
            (labels(&[("severity", "page")]), vec!["nights"]),
            (labels(&[("severity", "page"), ("team", "pay")]), vec!["nights", "pay"]),
            (labels(&[("severity", "ticket"), ("team", "pay")]), vec!["pay-chat"]),
            (labels(&[("team", "pay")]), vec!["pay"]),
        ];
        for (alert, want) in cases {
            let to = ["chat", "nights", "pay", "pay-chat"].into_iter().filter(|receiver| {
                let receiver = ReceiverConfig::webhook(*receiver, "http://localhost");
                Routes::new(&receiver, &tree()).of(&alert).is_some()
            });
            assert_eq!(to.collect::<Vec<_>>(), want, "{alert:?}");
        }
        let anyone = Routes::new(&ReceiverConfig::webhook("x", "http://localhost"), &Routing::default());
        assert_eq!(anyone.of(&labels(&[])), Some(0));
    }

    #[test]
    fn a_route_has_what_those_above_it_have() {
        let of = |receiver: &str, alert: &[(&str, &str)]| {
            let routes = Routes::new(&ReceiverConfig::webhook(receiver, "http://localhost"), &tree());
            let route = routes.of(&labels(alert));
            routes.applied(route).clone()
        };
        let chat = of("pay-chat", &[("team", "pay"), ("severity", "ticket"), ("slo", "a")]);
        assert_eq!(chat.key, r#"{}/{team="pay"}/{severity="ticket"}"#);
        assert_eq!((chat.group_wait.as_secs(), chat.repeat_interval.as_secs()), (30, 0));
        let all = labels(&[("team", "pay"), ("severity", "ticket"), ("slo", "a")]);
        assert_eq!(chat.group(&all), labels(&[("team", "pay"), ("slo", "a")]), "all but the severity");
        let first = of("chat", &[("alertname", "x"), ("slo", "a")]);
        assert_eq!((first.key.as_str(), first.repeat_interval), ("{}", REPEAT));
        assert_eq!(first.group(&labels(&[("slo", "a"), ("team", "b")])), labels(&[("slo", "a")]));
    }
}
