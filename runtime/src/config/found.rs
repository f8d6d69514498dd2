//! What was found where something else was expected, as a message may quote it. Whatever was given may be an address,
//! and an address may hold a password or a token, also where it is not one that can be read.

/// Words by which a text says that it holds a secret, as in `host=db password=...`.
const TELLTALE: [&str; 7] = ["passw", "secret", "token", "key=", "pass=", "pwd=", "auth="];

/// Quotes a value without what may be a secret: the user and the password of an address, and its parameters. Of a text
/// that says itself that it holds a secret only that is told.
///
/// ```
/// use slipstream_runtime::config::found;
///
/// assert_eq!(found("ftp://me:s3cret@host/x?t=s3cret"), "`ftp://…@host/x?…`");
/// assert_eq!(found("host=db password=s3cret"), "a text that may hold a secret");
/// assert_eq!(found("127.0.0.1:8480"), "`127.0.0.1:8480`");
/// ```
#[must_use]
pub fn found(text: &str) -> String {
    let before_parameters = text.split('?').next().unwrap_or_default().to_ascii_lowercase();
    match TELLTALE.iter().any(|word| before_parameters.contains(word)) {
        true => "a text that may hold a secret".to_owned(),
        false => format!("`{}`", without_secrets(text)),
    }
}

/// An address without user, password and parameters; `…` stands for each of them.
#[must_use]
pub fn without_secrets(address: &str) -> String {
    let (scheme, rest) = match address.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), address),
    };
    let (login, place) = match rest.rsplit_once('@') {
        // It ends the login, or it stands in the path or a parameter; what is then the password cannot be known.
        Some((login, _)) if login.contains(['/', '?', '#']) => return format!("{scheme}…"),
        Some((_, place)) => ("…@", place),
        None => ("", rest),
    };
    let (place, parameters) = match place.find(['?', '#']) {
        Some(at) => (&place[..at], format!("{}…", &place[at..=at])),
        None => (place, String::new()),
    };
    let (host, path) = place.split_at(place.find('/').unwrap_or(place.len()));
    // Behind a `:` stands a port, or a password whose `@` is missing.
    let host = match host.rsplit_once(':') {
        Some((name, port)) if !host.starts_with('[') && !may_be_port(port) => format!("{name}:…"),
        _ => host.to_owned(),
    };
    format!("{scheme}{login}{host}{path}{parameters}")
}

/// A key as messages may name it. With the blank missing in `password:s3cret`, its value is a part of it.
pub(super) fn key(name: &str) -> String {
    match name.split_once(':') {
        Some((name, value)) if !value.is_empty() => format!("{name}:…"),
        _ => name.to_owned(),
    }
}

fn may_be_port(text: &str) -> bool {
    text.len() <= 6 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_not_quoted() {
        for (given, said) in [
            ("http://u:s3cret@127.0.0.1:1/x y", "`http://…@127.0.0.1:1/x y`"),
            ("http://u:s3cret@:99999/", "`http://…@:99999/`"),
            ("ftp://u:s3cret@h", "`ftp://…@h`"),
            ("http://u:s3@cret@h", "`http://…@h`"),
            ("http://u:s3/cret@h", "`http://…`"),
            ("http://u:s3?cret@h", "`http://…`"),
            ("http://h/x?to=me@s3cret", "`http://…`"),
            ("http://h/x?t=s3cret", "`http://h/x?…`"),
            ("http://h/x#s3cret", "`http://h/x#…`"),
            ("http://u:s3cret", "`http://u:…`"),
            ("u:s3cret", "`u:…`"),
            ("u:s3cret@h", "`…@h`"),
            ("127.0.0.1:9092?password=s3cret", "`127.0.0.1:9092?…`"),
            ("host=127.0.0.1 password=s3cret", "a text that may hold a secret"),
            ("host=h PASSWORD=x@s3cret", "a text that may hold a secret"),
            ("http://h/token/s3cret", "a text that may hold a secret"),
            ("api_key=s3cret", "a text that may hold a secret"),
        ] {
            assert_eq!(found(given), said, "{given}");
            assert!(!found(given).contains("s3cret"), "{given}");
        }
    }

    #[test]
    fn what_is_no_secret_is_quoted_as_it_is() {
        for given in
            ["", "soon", "16 megs", "example.org", "postgres://", "http://[::", "http://[::1]:99999/x", "a:1", "h:/x"]
        {
            assert_eq!(found(given), format!("`{given}`"));
        }
    }
}
