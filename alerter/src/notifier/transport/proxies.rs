//! The proxies that a client may use, by name: a proxy may be private although its name looks public, since whoever runs this machine
//! has configured it.

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

/// The host of a proxy, which may be written without a scheme.
fn host(proxy: &str) -> Option<String> {
    let url = if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") };
    Url::parse(&url).ok()?.host_str().map(str::to_owned)
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
}
