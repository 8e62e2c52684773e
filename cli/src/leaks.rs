//! Secrets among the arguments: refused, and not shown again, since every user of the machine can see arguments.

use std::ffi::OsString;

use latchbook::StoreUrl;
use latchbook::check::parse_key_text;

use crate::failure::Failure;

/// Refuses arguments that hold an API key or a password.
pub(crate) fn check(given: &[OsString]) -> Result<(), Failure> {
    for argument in given.iter().skip(1) {
        let argument = argument.to_string_lossy();
        // An option's value may stand behind its name.
        let value = argument.split_once('=').filter(|(name, _)| name.starts_with("--")).map(|(_, value)| value);
        for text in [Some(argument.as_ref()), value].into_iter().flatten() {
            if parse_key_text(text.trim()).is_ok() {
                return Err(Failure::usage(
                    "an API key stands in the arguments, where every user of this machine can see it; \
                     give it on standard input or with --file, and revoke it if others use this machine",
                ));
            }
            if StoreUrl::parse(text).is_ok_and(|url| url.holds_password()) {
                return Err(Failure::usage(
                    "the store's password stands in the arguments, where every user of this machine can see it; \
                     put it in PGPASSWORD, or the whole URL in LATCHBOOK_STORE",
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_or_a_password_in_the_arguments_is_refused_and_not_shown() {
        let key = "lb_live_0123456789abcdEF_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA0V6vms";
        let (file, url) = (format!("--file={key}"), "postgres://me:hunter2@host/db");
        let store = format!("--store={url}");
        for bad in [key, &file, url, &store] {
            let error = check(&["latchbook".into(), "key".into(), bad.into()]).expect_err(bad);
            let shown = format!("{error:?}");
            assert!(!shown.contains("hunter2") && !shown.contains("0V6vms"), "{shown}");
        }
        for good in ["lb_live_0123456789abcdEF", "postgres://me@host/db", "--store=redb:a=b", "acme"] {
            assert!(check(&["latchbook".into(), good.into()]).is_ok(), "{good}");
        }
    }
}
