//! The proxies that a client may use, by name: a proxy may be private although its name looks public, since whoever runs this machine
//! has configured it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use reqwest::Url;
use slipstream_runtime::config::Secret;

use super::guard::{Access, Names};

/// Variables that name a proxy, in both spellings.
const VARIABLES: [&str; 6] = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// The names of the proxy that is configured, or of those of the environment.
pub(super) fn names(configured: Option<&Secret>) -> Names {
    let of_environment = || VARIABLES.iter().filter_map(|name| std::env::var(name).ok()).collect();
    let all = configured.map_or_else(of_environment, |url| vec![url.reveal().to_owned()]);
    all.iter()
        .filter_map(|proxy| host(proxy))
        .fold(Names::default(), |names, host| names.with(&host, &host, Access::Everything))
}

/// The host of a proxy.
fn host(proxy: &str) -> Option<String> {
    url(proxy)?.host_str().map(str::to_owned)
}

/// The password by which a proxy knows us, in all ways in which it may be repeated: as written, as meant, and as it is sent.
pub(super) fn passwords(proxy: &str) -> Vec<String> {
    let Some(url) = url(proxy) else { return Vec::new() };
    let Some(written) = url.password() else { return Vec::new() };
    let meant = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let password = meant(written);
    let sent = STANDARD.encode(format!("{}:{password}", meant(url.username())));
    vec![written.to_owned(), password, sent]
}

/// It may be written without a scheme.
fn url(proxy: &str) -> Option<Url> {
    let url = if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") };
    Url::parse(&url).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_known_by_its_host() {
        for (written, want) in [
            ("http://me:secret@Proxy.example.org:3128/", Some("proxy.example.org")),
            ("proxy.example.org:3128", Some("proxy.example.org")),
            ("socks5h://10.0.0.1:1080", Some("10.0.0.1")),
            ("", None),
        ] {
            assert_eq!(host(written).as_deref(), want, "{written}");
        }
    }

    #[test]
    fn a_password_is_known_however_it_is_repeated() {
        let cases = [
            ("http://me:sec%40ret@proxy.example.org:3128", vec!["sec%40ret", "sec@ret", "bWU6c2VjQHJldA=="]),
            ("me:secret@proxy.example.org:3128", vec!["secret", "secret", "bWU6c2VjcmV0"]),
            ("http://me@proxy.example.org", vec![]),
            ("socks5://proxy.example.org:1080", vec![]),
            ("http://[", vec![]),
        ];
        for (proxy, want) in cases {
            assert_eq!(passwords(proxy), want, "{proxy}");
        }
    }
}
