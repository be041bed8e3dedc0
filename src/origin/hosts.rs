//! Which names a request may call the origin by. A web page can point a name of its own at this machine (DNS
//! rebinding), and then read what it likes; the `Host` header gives it away.

use std::net::SocketAddr;

use hyper::header::HOST;
use hyper::http::request::Parts;

/// The names that are answered to.
#[derive(Debug, Clone)]
pub(super) struct Hosts {
    port: u16,
    exact: Vec<String>,
    any_port: Vec<String>,
}

impl Hosts {
    /// The address that is listened on, the loopback's names, and `extra` ones as
    /// [`Options::hosts`](super::Options::hosts) has them.
    pub(super) fn new(address: SocketAddr, extra: &[String]) -> Hosts {
        let port = address.port();
        let mut exact = vec![address.to_string()];
        for name in ["localhost", "127.0.0.1", "[::1]"] {
            let name = format!("{name}:{port}");
            if !exact.contains(&name) {
                exact.push(name);
            }
        }
        let (with_port, any_port) =
            extra.iter().map(|name| name.to_ascii_lowercase()).partition(|name| name_of(name) != name);
        exact.extend::<Vec<String>>(with_port);
        Hosts { port, exact, any_port }
    }

    /// Whether a request that came in at the address `local` names a host that is answered to, once in its
    /// header and, when its target has one, there too. The address itself can't be rebound, so it is always fine.
    pub(super) fn allow(&self, request: &Parts, local: Option<SocketAddr>) -> bool {
        let mut named = request.headers.get_all(HOST).iter();
        let (Some(host), None) = (named.next(), named.next()) else { return false };
        let target = request.uri.authority().map(|authority| authority.as_str());
        host.to_str().is_ok_and(|host| self.knows(host, local))
            && target.is_none_or(|host| self.knows(host, local))
    }

    fn knows(&self, host: &str, local: Option<SocketAddr>) -> bool {
        let host = host.to_ascii_lowercase();
        let name = name_of(&host);
        // A URL leaves the port out where it is HTTP's own.
        let full = if name == host { format!("{host}:80") } else { host.clone() };
        local.is_some_and(|local| local.to_string() == full)
            || self.exact.contains(&full)
            || self.any_port.iter().any(|known| known == name)
    }

    /// A line that says what to call this server, and how to allow more.
    pub(super) fn advice(&self) -> String {
        let mut names = self.exact.clone();
        names.extend_from_slice(&self.any_port);
        format!(
            "this server answers to {}, and to the address with port {} that it was reached at; \
             allow more names with hosts under [origin]\n",
            names.join(", "),
            self.port
        )
    }
}

/// The part of `host` before the port; brackets belong to it.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !inside_brackets(host) => {
            name
        }
        _ => host,
    }
}

/// Whether the last colon is one of an IPv6 address's own.
fn inside_brackets(host: &str) -> bool {
    host.ends_with(']')
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "the requests are written out here")]
mod tests {
    use hyper::Request;

    use super::*;

    fn request(uri: &str, hosts: &[&str]) -> Parts {
        let mut request = Request::builder().uri(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn allows(hosts: &Hosts, host: &str) -> bool {
        hosts.allow(&request("/", &[host]), None)
    }

    #[test]
    fn the_loopbacks_names_are_known_with_the_port() {
        let hosts = Hosts::new("127.0.0.1:8080".parse().unwrap(), &[]);
        for host in ["127.0.0.1:8080", "localhost:8080", "LocalHost:8080", "[::1]:8080"] {
            assert!(allows(&hosts, host), "{host}");
        }
        for host in [
            "",
            "localhost",
            "localhost:8081",
            "evil.example:8080",
            "127.0.0.1:8080.evil",
            "::1:8080",
            "[::1]",
            ":8080",
        ] {
            assert!(!allows(&hosts, host), "{host}");
        }
    }

    #[test]
    fn on_port_80_the_port_may_be_left_out() {
        let hosts = Hosts::new("127.0.0.1:80".parse().unwrap(), &[]);
        for host in ["localhost", "localhost:80", "[::1]", "127.0.0.1"] {
            assert!(allows(&hosts, host), "{host}");
        }
    }

    #[test]
    fn own_names_are_added() {
        let extra = ["Show.example".to_owned(), "desk.local:9000".to_owned()];
        let hosts = Hosts::new("0.0.0.0:8080".parse().unwrap(), &extra);
        for host in
            ["show.example", "show.example:443", "SHOW.example:8080", "desk.local:9000", "localhost:8080"]
        {
            assert!(allows(&hosts, host), "{host}");
        }
        assert!(!allows(&hosts, "desk.local:8080"));
        assert!(hosts.advice().contains("desk.local:9000, show.example"), "{}", hosts.advice());
    }

    #[test]
    fn the_address_that_was_reached_is_known_but_no_other() {
        let hosts = Hosts::new("0.0.0.0:8080".parse().unwrap(), &[]);
        let local = "192.168.1.5:8080".parse().ok();
        assert!(hosts.allow(&request("/", &["192.168.1.5:8080"]), local));
        assert!(!hosts.allow(&request("/", &["192.168.1.6:8080"]), local));
    }

    #[test]
    fn exactly_one_host_is_needed_and_the_target_counts_too() {
        let hosts = Hosts::new("127.0.0.1:8080".parse().unwrap(), &[]);
        assert!(!hosts.allow(&request("/", &[]), None));
        assert!(!hosts.allow(&request("/", &["localhost:8080", "localhost:8080"]), None));
        assert!(!hosts.allow(&request("http://evil.example/", &["localhost:8080"]), None));
        assert!(hosts.allow(&request("http://localhost:8080/", &["localhost:8080"]), None));
    }
}
