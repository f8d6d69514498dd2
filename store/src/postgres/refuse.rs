//! What PostgreSQL cannot hold although the rules for events allow it: its text and its jsonb have no NUL.

use slipstream_schemas::EventView;

/// Why the database would refuse an event; `None` if it would not.
pub fn refusal(event: &EventView<'_>) -> Option<&'static str> {
    let nul = |text: &str| text.as_bytes().contains(&0);
    let texts = [&event.service, &event.environment, &event.endpoint, &event.method, &event.event_id];
    if texts.into_iter().any(|text| nul(text)) {
        return Some("event_id or a dimension has a NUL character, which PostgreSQL cannot store");
    }
    if event.user_ref.as_deref().is_some_and(nul) {
        return Some("user_ref has a NUL character, which PostgreSQL cannot store");
    }
    if event.attributes.iter().any(|(key, value)| nul(key) || nul(value)) {
        return Some("an attribute has a NUL character, which PostgreSQL cannot store");
    }
    None
}
