//! Whether a server can be reached at all: its name, and a connection. Nothing is sent.
//! Proxies are not asked: where one is needed, these lines are only a hint.

use std::time::Duration;

use http::Uri;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::finding::Line;

const PATIENCE: Duration = Duration::from_secs(5);

/// The lines about name and connection.
pub(super) async fn lines(server: &str) -> Vec<Line> {
    let Some((host, port)) = address(server) else {
        return vec![Line::error("server", format!("{server} is not an address"), None)];
    };
    let found = timeout(PATIENCE, lookup_host((host.as_str(), port))).await;
    let addresses: Vec<_> = match found {
        Ok(Ok(found)) => found.collect(),
        Ok(Err(error)) => return vec![Line::warning("name", format!("{host}: {error}"), dns(&host))],
        Err(_) => {
            return vec![Line::warning(
                "name",
                format!("{host}: no answer within {} s", PATIENCE.as_secs()),
                dns(&host),
            )];
        }
    };
    let Some(first) = addresses.first() else {
        return vec![Line::warning("name", format!("{host} has no address"), dns(&host))];
    };
    let listed: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    let mut lines = vec![Line::ok("name", format!("{host} is {}", listed.join(", ")))];
    lines.push(match timeout(PATIENCE, TcpStream::connect(addresses.as_slice())).await {
        Ok(Ok(stream)) => {
            let peer = stream.peer_addr().map_or_else(|_| first.to_string(), |peer| peer.to_string());
            Line::ok("connection", format!("{peer} takes connections"))
        }
        Ok(Err(error)) => Line::warning("connection", format!("{first}: {error}"), listens(server)),
        Err(_) => Line::warning(
            "connection",
            format!("{first}: no answer within {} s", PATIENCE.as_secs()),
            listens(server),
        ),
    });
    lines
}

fn address(server: &str) -> Option<(String, u16)> {
    let uri: Uri = server.parse().ok()?;
    let usual = if uri.scheme_str() == Some("http") { 80 } else { 443 };
    let host = uri.host()?.trim_matches(['[', ']']).to_owned();
    Some((host, uri.port_u16().unwrap_or(usual)))
}

fn dns(host: &str) -> Option<String> {
    Some(format!("nslookup {host}   (here and in the cluster)"))
}

fn listens(server: &str) -> Option<String> {
    Some(format!(
        "curl -sS {}/v1/sys/health   (is it up, is a firewall between?)",
        server.trim_end_matches('/')
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_from_urls() {
        let rows = [
            ("https://vault.example:8200", Some(("vault.example", 8200))),
            ("https://vault.example/prefix", Some(("vault.example", 443))),
            ("http://10.0.0.1", Some(("10.0.0.1", 80))),
            ("https://[::1]:8200", Some(("::1", 8200))),
            ("no address", None),
        ];
        for (server, wanted) in rows {
            assert_eq!(address(server), wanted.map(|(host, port)| (host.to_owned(), port)), "{server}");
        }
    }
}
