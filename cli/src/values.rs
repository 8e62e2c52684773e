//! What arguments mean: scopes, instants, days and address ranges, each read once.

use ipnet::IpNet;
use latchbook::http::{instant, objects};
use latchbook::model::{AuditAction, Day, DeclaredScope, ScopeSet, UnixTime};

/// Scope tokens separated by spaces or commas.
pub(crate) fn scopes(text: &str) -> Result<ScopeSet, String> {
    let tokens: Vec<_> = text.split([' ', ',']).filter(|token| !token.is_empty()).collect();
    ScopeSet::parse(&tokens.join(" ")).map_err(|error| error.to_string())
}

/// The scopes that the host declares, as the authority takes them.
pub(crate) fn declared(host: &ScopeSet) -> Vec<DeclaredScope> {
    // The authority takes declarations that live as long as the program, and this is done once in it.
    let declare = |token: &str| DeclaredScope { token: String::from(token).leak(), management: false };
    host.iter().map(declare).collect()
}

/// An instant in RFC 3339.
pub(crate) fn instant(text: &str) -> Result<UnixTime, &'static str> {
    instant::parse(text).ok_or("write it as an instant such as 2026-12-01T00:00:00Z")
}

/// A day, UTC.
pub(crate) fn day(text: &str) -> Result<Day, &'static str> {
    instant::parse_day(text).ok_or("write it as a date such as 2026-12-01")
}

/// An address, or a range of them.
pub(crate) fn range(text: &str) -> Result<IpNet, &'static str> {
    objects::parse_range(text).ok_or("write it as an address or a range, such as 192.0.2.1 or 2001:db8::/32")
}

/// An action of the audit chains, by its name.
pub(crate) fn action(text: &str) -> Result<AuditAction, String> {
    AuditAction::parse(text).ok_or_else(|| {
        let names: Vec<_> = AuditAction::ALL.iter().map(|action| action.name()).collect();
        format!("the actions are {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_stand_between_spaces_or_commas() {
        for text in ["b a", "a,b", " a, b ", "a  b"] {
            assert_eq!(scopes(text).map(|set| set.to_string()), Ok("a b".to_owned()), "{text:?}");
        }
        assert!(scopes("a\"").is_err());
        let declared = declared(&scopes("ledger:read").unwrap());
        assert_eq!(declared, [DeclaredScope { token: "ledger:read", management: false }]);
    }
}
