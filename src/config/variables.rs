//! The environment's layer.

use std::ffi::{OsStr, OsString};

use super::error::{ConfigError, hint};
use super::keys::{CONFIG_VARIABLE, NAMES, nearest};
use crate::text::shown;

const PREFIX: &str = "THREADRACE_";

/// The environment's variables, with only known ones of ours among them.
pub(super) struct Variables(Vec<(OsString, OsString)>);

impl Variables {
    pub(super) fn checked(all: Vec<(OsString, OsString)>) -> Result<Variables, ConfigError> {
        for (name, _) in &all {
            if name.as_encoded_bytes().starts_with(PREFIX.as_bytes()) && !known().any(|known| name == known) {
                let name = name.to_string_lossy();
                let hint = hint(
                    nearest(&name[PREFIX.len()..], known().map(|known| &known[PREFIX.len()..]))
                        .map(|near| format!("{PREFIX}{near}"))
                        .as_deref(),
                );
                return Err(ConfigError::UnknownVariable { name: shown(&name).into_owned(), hint });
            }
        }
        Ok(Variables(all))
    }

    /// The value of a variable, which need not be one of ours.
    pub(super) fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_os_str())
    }
}

fn known() -> impl Iterator<Item = &'static str> {
    NAMES.iter().filter_map(|name| name.variable).chain([CONFIG_VARIABLE])
}

/// Every variable and the key of the config file that it stands for, a line each.
pub fn help() -> String {
    let width = known().map(str::len).max().unwrap_or(0);
    let mut out = format!("  {CONFIG_VARIABLE:width$}  the config file's path");
    for name in NAMES {
        if let Some(variable) = name.variable {
            out.push_str(&format!("\n  {variable:width$}  {}", name.full("NAME")));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(names: &[&str]) -> String {
        let all = names.iter().map(|name| (OsString::from(name), OsString::new())).collect();
        Variables::checked(all).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn unknown_variables_are_told_with_the_nearest_known_one() {
        assert!(told(&["THREADRACE_WORKER"]).starts_with(
            "there is no variable THREADRACE_WORKER (did you mean THREADRACE_WORKERS?): unset it"
        ));
        assert!(told(&["THREADRACE_LOG"]).starts_with("there is no variable THREADRACE_LOG: unset it"));
        assert!(
            told(&["THREADRACE_\u{202e}"]).starts_with("there is no variable THREADRACE_\\u{202e}: unset")
        );
        assert!(told(&["THREADRACE_"]).starts_with("there is no variable THREADRACE_: unset"));
        assert_eq!(told(&["PATH", "THREADRACE", "THREADRACE_CONFIG", "THREADRACE_WORKERS"]), "");
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_not_utf8_is_told_too() {
        use std::os::unix::ffi::OsStringExt;
        let name = OsString::from_vec(b"THREADRACE_\xff".to_vec());
        assert!(Variables::checked(vec![(name, OsString::new())]).is_err());
    }

    #[test]
    fn the_help_names_every_variable() {
        let help = help();
        assert!(known().all(|name| help.contains(name)));
        assert!(help.lines().all(|line| line.len() < 80), "{help}");
    }
}
