//! Which format an answer has: `format=` decides, else Accept.

use axum::http::HeaderMap;
use slipstream_runtime::http::accept;

use crate::question::Choice;
use crate::refusal::Refusal;

/// A format of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    Json,
    /// A table with a head.
    Csv,
}

impl Format {
    /// What rows are answered in.
    pub const BOTH: &'static [Format] = &[Format::Json, Format::Csv];

    /// The media type.
    pub fn media(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::Csv => "text/csv; charset=utf-8",
        }
    }

    /// The media type without parameters.
    pub fn name_of_media(self) -> &'static str {
        accept::without_parameters(self.media())
    }
}

impl Choice for Format {
    const ALL: &'static [Self] = &[Format::Json, Format::Csv];

    fn name(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Csv => "csv",
        }
    }
}

/// The first of the offered formats that Accept likes best. Who sends none, or one that cannot be read, takes any.
///
/// # Errors
/// When it takes none of them.
pub fn negotiate(asked: &HeaderMap, given: Option<Format>, offered: &[Format]) -> Result<Format, Refusal> {
    let names: Vec<&'static str> = offered.iter().map(|format| format.name_of_media()).collect();
    if let Some(given) = given {
        return Ok(given);
    }
    let liked = best(asked, &names)?;
    Ok(offered[liked])
}

/// The index of the offered media type that Accept likes best.
///
/// # Errors
/// When it takes none of them.
pub fn best(asked: &HeaderMap, offered: &[&'static str]) -> Result<usize, Refusal> {
    accept::best(asked, offered).ok_or_else(|| Refusal::NotAcceptable { offered: offered.to_vec() })
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, header};

    use super::*;

    fn format(accept: Option<&'static str>) -> Result<Format, u16> {
        let mut headers = HeaderMap::new();
        if let Some(accept) = accept {
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        }
        negotiate(&headers, None, &[Format::Json, Format::Csv]).map_err(|refusal| refusal.status().as_u16())
    }

    #[test]
    fn the_format_is_the_one_that_is_liked_best() {
        for (accept, expected) in [
            (None, Ok(Format::Json)),
            (Some("*/*"), Ok(Format::Json)),
            (Some("text/csv"), Ok(Format::Csv)),
            (Some("application/json;q=0.4, text/csv;q=0.5"), Ok(Format::Csv)),
            (Some("text/html"), Err(406)),
        ] {
            assert_eq!(format(accept), expected, "{accept:?}");
        }
    }
}
