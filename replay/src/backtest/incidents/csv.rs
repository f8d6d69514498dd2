//! Incidents in CSV: columns by the names in the first line.

use slipstream_definitions::document::fields::Text;
use slipstream_definitions::document::report::{Place, Report};
use slipstream_definitions::suggest;

use super::records::{self, Field};
use super::{FIELDS, Incident, Written, has_room};

/// Reads the incidents of a text.
pub(super) fn read(report: &mut Report<'_>, text: &str) -> Vec<Incident> {
    let errors = report.errors();
    let records = records::read(report, text);
    let Some((head, rows)) = records.split_first() else {
        if report.errors() == errors {
            let message = "no header: expected a first line such as `from,to,service,what`".to_owned();
            report.error(Place::start(0), "empty-file", message, None);
        }
        return Vec::new();
    };
    // The first line that could be read is not the header if that one had an error.
    if report.errors() > errors && !head.iter().any(|field| name(field) == "from") {
        return Vec::new();
    }
    let Some(columns) = Columns::of(report, head) else { return Vec::new() };
    let mut incidents = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let Some(first) = row.first() else { continue };
        if !has_room(report, index, first.place) {
            break;
        }
        incidents.extend(columns.written(report, row, first.place).and_then(|written| written.check(report)));
    }
    incidents
}

/// The name of a column, as it is compared.
fn name(field: &Field) -> String {
    field.text.trim().to_ascii_lowercase()
}

/// Which column has which field, and how many columns there are.
struct Columns {
    of: [Option<usize>; FIELDS.len()],
    count: usize,
}

impl Columns {
    /// By the header. `None`: an error was reported.
    fn of(report: &mut Report<'_>, head: &[Field]) -> Option<Columns> {
        let errors = report.errors();
        let names: Vec<String> = head.iter().map(name).collect();
        let mut of = [None; FIELDS.len()];
        for (index, (name, field)) in names.iter().zip(head).enumerate() {
            match FIELDS.iter().position(|known| known == name) {
                Some(known) if of[known].is_some() => {
                    let message = format!("a second column is called `{name}`");
                    report.error(field.place, "duplicate-name", message, None);
                }
                Some(known) => of[known] = Some(index),
                None => unknown(report, field, &names),
            }
        }
        if of[0].is_none() {
            let separated = head.len() == 1 && names[0].contains([';', '\t']);
            let help = separated.then(|| "fields are separated by commas".to_owned());
            let message = format!("no column `from`: expected a first line with {}", FIELDS.join(", "));
            report.error(head.first().map_or(Place::start(0), |field| field.place), "missing-field", message, help);
        }
        (report.errors() == errors).then_some(Columns { of, count: head.len() })
    }

    /// A row's fields by their names. `None`: there are too many or too few, which was reported.
    fn written<'t>(&self, report: &mut Report<'_>, row: &'t [Field], place: Place) -> Option<Written<'t>> {
        if row.len() != self.count {
            let message = format!(
                "line {}: expected {} fields as in the first line, found {}",
                place.line,
                self.count,
                row.len()
            );
            let help = (row.len() > self.count).then(|| "put text that contains a comma in quotes".to_owned());
            let at = row.get(self.count).map_or(place, |surplus| surplus.place);
            report.error(at, "wrong-number-of-fields", message, help);
            return None;
        }
        let text = |known: usize| {
            let field = self.of[known].and_then(|index| row.get(index))?;
            (!field.text.trim().is_empty()).then_some(Text { value: &field.text, place: field.place })
        };
        let name = format!("line {}", place.line);
        Some(Written { name, place, from: text(0), to: text(1), service: text(2), what: text(3) })
    }
}

/// Exports have columns of their own. A near miss is an error, since what is in it would be lost.
fn unknown(report: &mut Report<'_>, field: &Field, names: &[String]) {
    let word = field.text.trim();
    let absent: Vec<&str> = FIELDS.iter().copied().filter(|known| !names.iter().any(|name| name == known)).collect();
    match suggest::nearest(word, &absent) {
        Some(near) => {
            let help = Some(format!("did you mean `{near}`?"));
            report.error(field.place, "unknown-field", format!("column `{word}` is not known"), help);
        }
        None => {
            let message = format!("column `{word}` is not known: it is ignored");
            report.warning(field.place, "unknown-field", message, None);
        }
    }
}
