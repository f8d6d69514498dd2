//! The place of a part of a text in its file.

use super::fields::Text;
use super::report::{Place, Report};

/// Columns beyond which a filter's errors are not looked for one by one.
const FAR_OUT: usize = 10_000;

/// Line and column, from 1, of what follows `before` in its text.
pub(super) fn behind(before: &str) -> (usize, usize) {
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
}

/// The place of a part of a filter in the file: the filter's line is searched from the scalar on, so that quotes and
/// blocks do not matter. If it cannot be found (escapes, folding, far out in a long line), the scalar itself.
pub fn place_in(report: &Report<'_>, text: Text<'_>, start: usize, width: usize) -> Place {
    let before: String = text.value.chars().take(start).collect();
    let line = before.matches('\n').count();
    let column = before.chars().rev().take_while(|c| *c != '\n').count();
    let Some(wanted) = text.value.lines().nth(line).filter(|wanted| !wanted.trim().is_empty()) else {
        return text.place;
    };
    if text.place.column > FAR_OUT {
        return text.place;
    }
    for offset in 0..text.value.lines().count() + 2 {
        let place = Place { line: text.place.line + offset, ..text.place };
        let skip = if offset == 0 { text.place.column - 1 } else { 0 };
        let source = report.line(place).chars().skip(skip).take(FAR_OUT).collect::<String>();
        if let Some(found) = source.find(wanted) {
            let begin = skip + source[..found].chars().count();
            return Place { column: begin + column + 1, width, ..place };
        }
    }
    text.place
}
