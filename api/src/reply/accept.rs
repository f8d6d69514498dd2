//! Which format an answer has: `format=` decides, else Accept.

use axum::http::{HeaderMap, header};

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
        media_range(self.media())
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
    let sent: Vec<&str> = asked.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let ranges: Vec<(&str, f32)> = sent.iter().flat_map(|value| value.split(',')).filter_map(range).collect();
    if ranges.is_empty() {
        return Ok(0);
    }
    let mut best: Option<(usize, f32)> = None;
    for (i, media) in offered.iter().enumerate() {
        let quality = quality_of(media, &ranges);
        if quality > 0.0 && best.is_none_or(|(_, q)| quality > q) {
            best = Some((i, quality));
        }
    }
    best.map(|(i, _)| i).ok_or_else(|| Refusal::NotAcceptable { offered: offered.to_vec() })
}

/// That of the most specific range which has it.
fn quality_of(media: &str, ranges: &[(&str, f32)]) -> f32 {
    let kind = media.split('/').next().unwrap_or_default();
    let specific = |range: &str| match range {
        range if range.eq_ignore_ascii_case(media) => Some(2),
        "*/*" => Some(0),
        range => range.strip_suffix("/*").filter(|range| range.eq_ignore_ascii_case(kind)).map(|_| 1),
    };
    let fitting = ranges.iter().filter_map(|(range, quality)| Some((specific(range)?, *quality)));
    fitting.max_by_key(|(specific, _)| *specific).map_or(0.0, |(_, quality)| quality)
}

/// `text/csv;q=0.5`; `None` where it cannot be read.
fn range(text: &str) -> Option<(&str, f32)> {
    let range = media_range(text);
    if !range.contains('/') {
        return None;
    }
    let mut parameters = text.split(';').skip(1).map(str::trim);
    let quality = parameters.find_map(|p| p.strip_prefix("q=").or(p.strip_prefix("Q=")));
    let quality = quality.map_or(Some(1.0), |q| q.trim().parse::<f32>().ok().filter(|q| (0.0..=1.0).contains(q)))?;
    Some((range, quality))
}

fn media_range(text: &str) -> &str {
    text.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

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
            (Some("application/*"), Ok(Format::Json)),
            (Some("text/csv"), Ok(Format::Csv)),
            (Some("Text/CSV; charset=utf-8"), Ok(Format::Csv)),
            (Some("text/*"), Ok(Format::Csv)),
            (Some("application/json;q=0.4, text/csv;q=0.5"), Ok(Format::Csv)),
            (Some("text/html, */*;q=0.1"), Ok(Format::Json)),
            (Some("application/json;q=0, */*"), Ok(Format::Csv)),
            (Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), Ok(Format::Json)),
            (Some("text/html"), Err(406)),
            (Some("application/json;q=0"), Err(406)),
            (Some("nonsense"), Ok(Format::Json)),
            (Some(""), Ok(Format::Json)),
        ] {
            assert_eq!(format(accept), expected, "{accept:?}");
        }
    }
}
