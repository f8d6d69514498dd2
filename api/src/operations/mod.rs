//! Everything that can be asked, in the order of the document.

mod alerts;
mod documents;
mod erasures;
mod events;
mod filter;
mod health;
mod kpis;
mod markers;
mod past_slos;
mod silences;
mod slos;
mod stream;

use crate::operation::Operation;

/// What operations belong to, and what that is.
pub const TAGS: [(&str, &str); 6] = [
    ("SLOs", "How objectives stand and stood, and who spends their budgets."),
    ("Requests", "Raw requests, and what they add up to."),
    ("Alerts", "Alerts, what became of their notifications, and silences."),
    ("Live", "What changes, as it changes."),
    ("Installation", "How it is, and what was done to its services."),
    ("Documents", "This description, in several forms."),
];

/// Every operation.
pub fn all() -> Vec<Operation> {
    [
        slos::operations(),
        past_slos::operations(),
        events::operations(),
        kpis::operations(),
        alerts::operations(),
        silences::operations(),
        stream::operations(),
        health::operations(),
        markers::operations(),
        erasures::operations(),
        documents::operations(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
