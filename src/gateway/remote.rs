//! The connector of a LittleHorse server in plain text.

use std::time::Duration;

use http::Uri;
use tonic::transport::Endpoint;

use super::connector::{ConnectError, Connecting, Connector};
use super::fault::innermost;
use crate::domain::Place;

/// How long one attempt to connect may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Pings as the LittleHorse clients send them, so that a dead peer is found out without a call.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(45);
const KEEPALIVE_LIMIT: Duration = Duration::from_secs(5);

/// Reaches a LittleHorse server by `http://host:port`.
///
/// TLS comes later; until then an address that asks for it is refused here, so that no caller can send a task in plain
/// text to a server meant to be reached by TLS.
#[derive(Debug, Clone)]
pub struct RemoteConnector {
    address: String,
    endpoint: Endpoint,
}

impl RemoteConnector {
    /// The port of a LittleHorse server when an address names none.
    pub const DEFAULT_PORT: u16 = 2023;

    /// Checks the address: `http://host`, `http://host:port`, or `host:port` without a scheme.
    pub fn new(address: &str) -> Result<Self, ConnectError> {
        let address = normalize(address)?;
        let endpoint = Endpoint::from_shared(address.clone())
            .map_err(|_| ConnectError::Refused(format!("{address:?} is not a server address.")))?
            .connect_timeout(CONNECT_LIMIT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_LIMIT)
            .keep_alive_while_idle(true)
            .user_agent(concat!("ostler/", env!("CARGO_PKG_VERSION")))
            .map_err(|_| ConnectError::Refused(format!("{address:?} is not a server address.")))?;
        Ok(RemoteConnector { address, endpoint })
    }

    /// The checked address: always `http://host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Connector for RemoteConnector {
    fn connect(&self) -> Connecting<'_> {
        Box::pin(async move {
            // The limit of the endpoint covers the TCP connection only; this one covers the HTTP/2 handshake too.
            match tokio::time::timeout(CONNECT_LIMIT, self.endpoint.connect()).await {
                Ok(Ok(channel)) => Ok(channel),
                Ok(Err(error)) => Err(self.unreachable(&innermost(&error))),
                Err(_) => Err(self.unreachable(&format!("no answer in {} s", CONNECT_LIMIT.as_secs()))),
            }
        })
    }

    fn place(&self) -> Place {
        Place::Server(self.address.clone())
    }
}

impl RemoteConnector {
    fn unreachable(&self, reason: &str) -> ConnectError {
        ConnectError::Unreachable { place: self.address.clone(), reason: reason.to_owned() }
    }
}

/// `http://host:port` from what a person writes; everything that would not be plain HTTP/2 to one host is refused.
fn normalize(address: &str) -> Result<String, ConnectError> {
    let refused = |why: &str| Err(ConnectError::Refused(why.to_owned()));
    let trimmed = address.trim();
    let (scheme, rest) = trimmed.split_once("://").unwrap_or(("http", trimmed));
    match scheme.to_ascii_lowercase().as_str() {
        "http" => {}
        "https" | "tls" => {
            return refused(
                "The server address asks for TLS, which ostler cannot do yet; nothing was sent. \
                 Use a plain-text listener of the server, or a tunnel, and give its address as http://host:port.",
            );
        }
        _ => return refused("A server address is written http://host:port."),
    }
    // The address is shown on the screen and in logs: credentials in it would leak, and are of no use to the server.
    if rest.contains('@') {
        return refused("A server address holds no user name or password; write http://host:port.");
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let Ok(uri) = format!("http://{rest}").parse::<Uri>() else {
        return refused("A server address is written http://host:port.");
    };
    let (Some(authority), "" | "/", None) = (uri.authority(), uri.path(), uri.query()) else {
        return refused("A server address is only host and port, http://host:port, without a path.");
    };
    if authority.host().is_empty() {
        return refused("The server address names no host; write http://host:port.");
    }
    let port = match authority.port() {
        Some(port) if port.as_u16() == 0 => return refused("Port 0 of the server address cannot be connected to."),
        Some(port) => port.as_u16(),
        // `host:` and `host:99999` leave a rest behind the host that is not a port.
        None if authority.as_str() != authority.host() => return refused("The port of the server address is not one."),
        None => RemoteConnector::DEFAULT_PORT,
    };
    Ok(format!("http://{}:{port}", authority.host()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let table: &[(&str, Option<&str>)] = &[
            ("http://127.0.0.1:2023", Some("http://127.0.0.1:2023")),
            (" http://127.0.0.1:2023/ ", Some("http://127.0.0.1:2023")),
            ("HTTP://lh.example:80", Some("http://lh.example:80")),
            ("lh.example", Some("http://lh.example:2023")),
            ("lh.example:9000", Some("http://lh.example:9000")),
            ("http://[::1]:2023", Some("http://[::1]:2023")),
            ("http://[::1]", Some("http://[::1]:2023")),
            ("https://lh.example:2023", None),
            ("HTTPS://lh.example:2023", None),
            ("tls://lh.example", None),
            ("grpc://lh.example", None),
            ("http://amy:secret@lh.example", None),
            ("http://lh.example/path", None),
            ("http://lh.example?x=1", None),
            ("http://", None),
            ("", None),
            ("http://lh.example:", None),
            ("http://lh.example:0", None),
            ("http://lh.example:99999", None),
            ("two words", None),
        ];
        for (given, expected) in table {
            let got = RemoteConnector::new(given);
            assert_eq!(got.as_ref().ok().map(RemoteConnector::address), *expected, "{given:?}");
            if let Err(error) = got {
                assert!(!error.is_temporary(), "{given:?}");
                assert!(!error.to_string().contains("secret"), "{error}");
            }
        }
    }

    #[test]
    fn tls_says_what_to_do() {
        let error = RemoteConnector::new("https://lh.example:2023").unwrap_err().to_string();
        assert!(error.contains("TLS") && error.contains("nothing was sent"), "{error}");
    }

    #[tokio::test]
    async fn nobody_there_is_temporary_and_in_words() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let error = RemoteConnector::new(&address).unwrap().connect().await.unwrap_err();
        assert!(error.is_temporary());
        assert_eq!(error.to_string(), format!("{address} cannot be reached: connection refused"));
    }
}
