//! Incidents in YAML: a list of maps, bare or below `incidents`.

use std::rc::Rc;

use slipstream_definitions::document::fields::{Fields, Text, as_written};
use slipstream_definitions::document::report::{Place, Report};
use slipstream_definitions::document::yaml::{self, Node, Value};

use super::{FIELDS, Incident, Written, has_room};

/// Reads the incidents of a text.
pub(super) fn read(report: &mut Report<'_>, text: &str) -> Vec<Incident> {
    let documents = yaml::read(0, text, report);
    let [document] = documents.as_slice() else {
        if report.errors() == 0 {
            let message = format!("expected one document with a list of incidents, found {}", documents.len());
            report.error(Place::start(0), "not-one-document", message, None);
        }
        return Vec::new();
    };
    let Some(items) = items(report, document) else { return Vec::new() };
    let mut incidents = Vec::new();
    for (index, item) in items.iter().enumerate() {
        if !has_room(report, index, item.place) {
            break;
        }
        let written = written(report, item, format!("incidents[{index}]"));
        incidents.extend(written.and_then(|written| written.check(report)));
    }
    incidents
}

fn items<'n>(report: &mut Report<'_>, document: &'n Node) -> Option<&'n [Rc<Node>]> {
    match &document.value {
        Value::List(items) => return Some(items),
        Value::Null => {
            let message = "no list of incidents in this file".to_owned();
            let help = Some("if there were none, write `[]`".to_owned());
            report.error(document.place, "empty-file", message, help);
            return None;
        }
        Value::Scalar(_) | Value::Map(_) => {}
    }
    let mut fields = Fields::of(report, document, "the file of incidents")?;
    fields.path = String::new();
    fields.check_ours(report, &["incidents"]);
    fields.required(report, "incidents")?;
    fields.list(report, "incidents")
}

/// An item's fields. `None`: an error was reported.
fn written<'n>(report: &mut Report<'_>, item: &'n Node, name: String) -> Option<Written<'n>> {
    let errors = report.errors();
    let fields = Fields::of(report, item, &name)?;
    fields.check_ours(report, &FIELDS);
    let mut text = |field: &str| -> Option<Text<'n>> {
        let text = as_written(report, fields.get(field)?, &fields.path_of(field))?;
        (!text.value.trim().is_empty()).then_some(text)
    };
    let (from, to, service, what) = (text("from"), text("to"), text("service"), text("what"));
    let written = Written { name, place: item.place, from, to, service, what };
    if report.errors() > errors {
        // What else is wrong with it is said too.
        written.check(report);
        return None;
    }
    Some(written)
}
