//! Instants and spans in whole seconds (NumericDate, RFC 7519 §2); arithmetic saturates and never panics.

use std::fmt;

/// Whole seconds since 1970-01-01T00:00:00Z, from 0 up to [`UnixTime::MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(u64);

impl UnixTime {
    /// 1970-01-01T00:00:00Z: what a clock set before the epoch reads as.
    pub const EPOCH: Self = Self(0);
    /// 9999-12-31T23:59:59Z, the last instant that a claim may name.
    pub const MAX: Self = Self(253_402_300_799);

    /// The instant `seconds` after the epoch, or [`UnixTime::MAX`] where that lies beyond it.
    #[must_use]
    pub const fn from_seconds(seconds: u64) -> Self {
        if seconds > Self::MAX.0 { Self::MAX } else { Self(seconds) }
    }

    /// The instant `seconds` after the epoch, if it is one that a claim may name.
    #[must_use]
    pub const fn checked(seconds: u64) -> Option<Self> {
        if seconds > Self::MAX.0 { None } else { Some(Self(seconds)) }
    }

    /// Seconds since the epoch.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0
    }

    /// This instant `seconds` later, at most [`UnixTime::MAX`].
    #[must_use]
    pub const fn plus(self, seconds: u64) -> Self {
        Self::from_seconds(self.0.saturating_add(seconds))
    }

    /// This instant `seconds` earlier, at least [`UnixTime::EPOCH`].
    #[must_use]
    pub const fn minus(self, seconds: u64) -> Self {
        Self(self.0.saturating_sub(seconds))
    }

    /// Whole seconds from `earlier` to this instant; 0 where `earlier` is the later one.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The UTC day that this instant lies in.
    #[must_use]
    pub const fn day(self) -> Day {
        // INVARIANT: MAX / 86,400 fits 32 bits; the constructors keep every instant at or below MAX.
        #[expect(clippy::cast_possible_truncation, reason = "MAX / 86,400 is below 2^22")]
        Day((self.0 / 86_400) as u32)
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whole days since 1970-01-01, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub u32);

/// How long something lives, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lifetime(u64);

impl Lifetime {
    /// A lifetime of `seconds`.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Its length in seconds.
    #[must_use]
    pub const fn as_seconds(self) -> u64 {
        self.0
    }
}

/// How far another machine's clock may run ahead of ours, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leeway(u64);

impl Leeway {
    /// No leeway.
    pub const NONE: Self = Self(0);
    /// The default of 5 s.
    pub const DEFAULT: Self = Self(5);

    /// A leeway of `seconds`.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Its length in seconds.
    #[must_use]
    pub const fn as_seconds(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_stops_at_both_ends() {
        assert_eq!(UnixTime::MAX.plus(u64::MAX), UnixTime::MAX);
        assert_eq!(UnixTime::EPOCH.minus(1), UnixTime::EPOCH);
        assert_eq!(UnixTime::checked(253_402_300_800), None);
        assert_eq!(UnixTime::from_seconds(5).since(UnixTime::from_seconds(9)), 0);
        assert_eq!(UnixTime::MAX.day(), Day(2_932_896));
    }
}
