//! Which of the media types that are offered a client likes best (RFC 9110, 12.5.1).

use axum::http::{HeaderMap, header};

/// The index of the offered media type that Accept likes best, the first one of equals; `None` if it takes none of them. Who
/// sends no Accept, or one that cannot be read, takes any.
pub fn best(headers: &HeaderMap, offered: &[&str]) -> Option<usize> {
    let sent: Vec<&str> = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let ranges: Vec<(&str, f32)> = sent.iter().flat_map(|value| value.split(',')).filter_map(range).collect();
    if ranges.is_empty() {
        return Some(0);
    }
    let mut best: Option<(usize, f32)> = None;
    for (i, media) in offered.iter().enumerate() {
        let quality = quality_of(media, &ranges);
        if quality > 0.0 && best.is_none_or(|(_, q)| quality > q) {
            best = Some((i, quality));
        }
    }
    best.map(|(i, _)| i)
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
    let range = without_parameters(text);
    if !range.contains('/') {
        return None;
    }
    let mut parameters = text.split(';').skip(1).map(str::trim);
    let quality = parameters.find_map(|p| p.strip_prefix("q=").or(p.strip_prefix("Q=")));
    let quality = quality.map_or(Some(1.0), |q| q.trim().parse::<f32>().ok().filter(|q| (0.0..=1.0).contains(q)))?;
    Some((range, quality))
}

/// A media type without its parameters.
pub fn without_parameters(media: &str) -> &str {
    media.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_the_one_with_the_highest_quality() {
        const OFFERED: [&str; 2] = ["application/json", "text/csv"];
        for (accept, expected) in [
            (None, Some(0)),
            (Some("*/*"), Some(0)),
            (Some("application/*"), Some(0)),
            (Some("text/csv"), Some(1)),
            (Some("Text/CSV; charset=utf-8"), Some(1)),
            (Some("text/*"), Some(1)),
            (Some("application/json;q=0.4, text/csv;q=0.5"), Some(1)),
            (Some("text/html, */*;q=0.1"), Some(0)),
            (Some("application/json;q=0, */*"), Some(1)),
            (Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), Some(0)),
            (Some("text/html"), None),
            (Some("application/json;q=0"), None),
            (Some("nonsense"), Some(0)),
            (Some(""), Some(0)),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, accept.parse().unwrap());
            }
            assert_eq!(best(&headers, &OFFERED), expected, "{accept:?}");
        }
    }
}
