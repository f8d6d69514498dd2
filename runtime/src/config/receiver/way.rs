//! How a receiver is reached: who we say we are, whom we trust, and which ways are closed.

use super::{URL, url};
use crate::config::secret::{Secret, long_secret, secret};
use crate::config::section::{Problems, Section, complain, expected, expected_unseen, plain, text};
use crate::config::tree::Node;

/// How a receiver is reached.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Way {
    /// Who we are, unless a header says it.
    pub auth: Option<Auth>,
    /// Certificates.
    pub tls: ClientTls,
    /// The proxy, which may need a password; `None`: that of the environment, if there is one.
    pub proxy: Option<Secret>,
    /// Whether a redirect to the same host is followed.
    pub follow_redirects: bool,
    /// Whether a public name may resolve to a private address.
    pub allow_private: bool,
}

/// Who we say we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// User and password.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A token that does not change.
    Bearer(Secret),
    /// A token that is fetched.
    OAuth2(OAuth2),
}

/// OAuth 2.0 by client credentials (RFC 6749, section 4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuth2 {
    /// Our name at the server of tokens.
    pub client_id: String,
    /// What proves it.
    pub client_secret: Secret,
    /// Where tokens are fetched.
    pub token_url: String,
    /// What for.
    pub scopes: Vec<String>,
    /// Further parameters, such as `audience`.
    pub endpoint_params: Vec<(String, String)>,
    /// Certificates of the connection to the server of tokens: those of the receiver are not for it.
    pub tls: ClientTls,
    /// The proxy on the way to it; `None`: that of the environment, if there is one.
    pub proxy: Option<Secret>,
}

/// Certificates of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientTls {
    /// Certificates (PEM) that the server's must lead to, instead of those of the system.
    pub ca: Option<Secret>,
    /// Our certificate and its key (PEM).
    pub identity: Option<(Secret, Secret)>,
    /// The name in the server's certificate, if it is not that of the address.
    pub server_name: Option<String>,
}

/// How a receiver is reached.
pub(super) fn way(section: &Section<'_>, problems: &Problems) -> Way {
    let bool = |key| section.value(key, "`true` or `false`", |text| text.parse().ok()).unwrap_or(false);
    Way {
        auth: auth(section, problems),
        tls: tls(section, "receivers.tls", problems),
        proxy: section.value("proxy_url", URL, url).map(Secret::new),
        follow_redirects: bool("follow_redirects"),
        allow_private: bool("allow_private"),
    }
}

fn auth(section: &Section<'_>, problems: &Problems) -> Option<Auth> {
    const KINDS: [&str; 4] = ["authorization_file", "basic_auth", "bearer_token_file", "oauth2"];
    let given: Vec<(&str, &Node)> = KINDS.into_iter().filter_map(|key| Some((key, section.get(key)?))).collect();
    if let [(first, _), (second, node), ..] = given.as_slice() {
        complain(problems, &node.place, format!("`receivers`: set `{first}` or `{second}`, not both"));
        return None;
    }
    match given.first()? {
        ("basic_auth", node) => basic(node, problems),
        ("bearer_token_file", node) => secret(node, "receivers.bearer_token_file", problems).map(Auth::Bearer),
        ("oauth2", node) => oauth2(node, problems).map(Auth::OAuth2),
        // Read with the other headers.
        _ => None,
    }
}

fn basic(node: &Node, problems: &Problems) -> Option<Auth> {
    let login = Section::of(node, "receivers.basic_auth", problems);
    let username = login.value("username", "a user name", plain);
    let password =
        login.get("password_file").and_then(|file| secret(file, "receivers.basic_auth.password_file", problems));
    let whole = login.get("username").is_some() && login.get("password_file").is_some();
    login.finish();
    if !whole {
        complain(problems, &node.place, "`receivers.basic_auth`: needs `username` and `password_file`".into());
    }
    Some(Auth::Basic { username: username?, password: password? })
}

fn oauth2(node: &Node, problems: &Problems) -> Option<OAuth2> {
    let section = Section::of(node, "receivers.oauth2", problems);
    let client_id = section.value("client_id", "a name", plain);
    let file = section.get("client_secret_file");
    let client_secret = file.and_then(|file| secret(file, "receivers.oauth2.client_secret_file", problems));
    let token_url = section.value("token_url", URL, url);
    let scope = |node: &Node| {
        let found = text(node).and_then(plain).filter(|scope| !scope.contains(' '));
        if found.is_none() {
            expected(problems, node, "receivers.oauth2.scopes", "a scope without blanks");
        }
        found
    };
    let scopes = section.list("scopes").unwrap_or_default().into_iter().filter_map(scope).collect();
    let endpoint_params = section.get("endpoint_params").map(|node| parameters(node, problems)).unwrap_or_default();
    let (tls, proxy) =
        (tls(&section, "receivers.oauth2.tls", problems), section.value("proxy_url", URL, url).map(Secret::new));
    let whole = ["client_id", "client_secret_file", "token_url"].into_iter().all(|key| section.get(key).is_some());
    section.finish();
    if !whole {
        let message = "`receivers.oauth2`: needs `client_id`, `client_secret_file` and `token_url`";
        complain(problems, &node.place, message.into());
    }
    Some(OAuth2 {
        client_id: client_id?,
        client_secret: client_secret?,
        token_url: token_url?,
        scopes,
        endpoint_params,
        tls,
        proxy,
    })
}

fn parameters(node: &Node, problems: &Problems) -> Vec<(String, String)> {
    const NAME: &str = "receivers.oauth2.endpoint_params";
    let mut found = Vec::new();
    for (key, node) in Section::of(node, NAME, problems).all() {
        match text(node).and_then(plain) {
            Some(value) => found.push((key.name.clone(), value)),
            None => expected_unseen(problems, node, NAME, "text without control characters"),
        }
    }
    found
}

fn tls(section: &Section<'_>, path: &str, problems: &Problems) -> ClientTls {
    let Some(node) = section.get("tls") else { return ClientTls::default() };
    let tls = Section::of(node, path, problems);
    let file = |key| tls.get(key).and_then(|node| long_secret(node, &format!("{path}.{key}"), problems));
    let (ca, cert, key) = (file("ca_file"), file("cert_file"), file("key_file"));
    let server_name = tls.value("server_name", "a host name", plain);
    if tls.get("cert_file").is_some() != tls.get("key_file").is_some() {
        complain(problems, &node.place, format!("`{path}`: set both `cert_file` and `key_file`, or neither"));
    }
    tls.finish();
    ClientTls { ca, identity: cert.zip(key), server_name }
}
