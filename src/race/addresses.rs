//! The addresses of what is downloaded: URLs, and the names in them.

use std::collections::BTreeSet;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use reqwest::Url;
use tokio_util::sync::CancellationToken;

use crate::config::without_password;
use crate::text;
use crate::workload::Resolved;
use crate::workload::download::Target;

use super::RaceError;

/// How long all name look-ups together may take; what is not known by then is looked up by its task.
const LOOKUP_TIME: Duration = Duration::from_secs(5);

/// How many names are looked up at once.
const LOOKUPS_AT_ONCE: usize = 16;

/// A URL as it may be shown.
pub(super) fn shown_url(url: &Url) -> String {
    // Parsing again costs time with a long list, and only few URLs name a user.
    if url.username().is_empty() && url.password().is_none() {
        return url.as_str().to_owned();
    }
    without_password(url.as_str()).into_owned()
}

pub(super) fn parse(url: &str) -> Result<Url, RaceError> {
    Url::parse(url)
        .map_err(|error| RaceError::Url { url: text::shown(url).into_owned(), reason: error.to_string() })
}

/// Looks the hosts' names up, before any clock runs: inside a race, look-ups happen on hidden threads
/// of the runtime. The addresses have port 0, for which the connector takes the URL's own: a redirect may
/// lead to another port of the same host. A name that can't be resolved here fails in its task.
pub(super) fn look_up(targets: &[Target], cancel: &CancellationToken) -> Result<Resolved, RaceError> {
    let named = |target: &Target| match target.url.host() {
        Some(url::Host::Domain(name)) => Some(name.to_owned()),
        _ => None,
    };
    let names: BTreeSet<String> = targets.iter().filter_map(named).collect();
    let mut left = names.len();
    let queue = Arc::new(Mutex::new(names.into_iter()));
    let (answers, arriving) = mpsc::channel();
    for _ in 0..left.min(LOOKUPS_AT_ONCE) {
        let (queue, answers) = (queue.clone(), answers.clone());
        let look_up = move || {
            while let Some(name) = { queue.lock().unwrap_or_else(PoisonError::into_inner).next() } {
                let found = (name.as_str(), 0).to_socket_addrs().map(Iterator::collect).unwrap_or_default();
                if answers.send((name, found)).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().name("look-up".to_owned()).spawn(look_up).map_err(RaceError::Thread)?;
    }
    let mut resolved = Resolved::new();
    let start = std::time::Instant::now();
    while left > 0 && start.elapsed() < LOOKUP_TIME {
        if cancel.is_cancelled() {
            return Err(RaceError::Cancelled);
        }
        if let Ok((name, addresses)) = arriving.recv_timeout(Duration::from_millis(100)) {
            left -= 1;
            let addresses: Vec<SocketAddr> = addresses;
            if !addresses.is_empty() {
                resolved.insert(name, addresses);
            }
        }
    }
    Ok(resolved)
}

#[cfg(test)]
mod tests {
    use crate::workload::download::Conduct;

    use super::*;

    #[test]
    fn a_name_is_looked_up_once_and_without_a_port() -> Result<(), Box<dyn std::error::Error>> {
        let urls =
            ["http://localhost/a", "http://localhost:81/b", "https://localhost/c", "http://127.0.0.1/d"];
        let target = |url| Ok(Target { url: parse(url)?, name: String::new(), conduct: Conduct::Normal });
        let targets = urls.into_iter().map(target).collect::<Result<Vec<_>, RaceError>>()?;
        let resolved = look_up(&targets, &CancellationToken::new())?;
        assert_eq!(resolved.keys().collect::<Vec<_>>(), ["localhost"]);
        let addresses = resolved.get("localhost").ok_or("not found")?;
        assert!(!addresses.is_empty());
        assert!(addresses.iter().all(|address| address.port() == 0), "{addresses:?}");
        Ok(())
    }
}
