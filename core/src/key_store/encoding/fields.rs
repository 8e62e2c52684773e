//! Numbers, texts, ids and lists as bytes.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::{
    AuditAction, ChangeId, Day, DeveloperId, DeveloperRef, EntityId, EntityRef, EnvironmentName, FeedPosition, KeyId,
    Metadata, PepperId, Revision, ScopeGrant, ScopeSet, ScopeToken, SealedBytes, SigningKeyId, TokenId, UnixTime,
};
use ipnet::IpNet;

use super::{Coded, Damage, Input, coded_struct};

macro_rules! coded_numbers {
    ($($name:ident),+) => {$(
        impl Coded for $name {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }

            fn read(input: &mut Input<'_>) -> Result<Self, Damage> {
                input.array().map(Self::from_be_bytes)
            }
        }
    )+};
}

coded_numbers!(u8, u32, u64, i64);

/// Codes an id as its text, and checks it again when it is read.
macro_rules! coded_texts {
    ($($name:ident),+) => {$(
        impl Coded for $name {
            fn write(&self, out: &mut Vec<u8>) {
                write_text(self.as_str(), out);
            }

            fn read(input: &mut Input<'_>) -> Result<Self, Damage> {
                Self::parse(input.text()?).map_err(|_| Damage::Value)
            }
        }
    )+};
}

coded_texts!(DeveloperId, EntityId, EnvironmentName, KeyId, SigningKeyId, TokenId);

coded_struct! {
    DeveloperRef { environment, id }
    EntityRef { developer, id }
}

/// Codes a wrapper as what it wraps.
macro_rules! coded_wrappers {
    ($($name:ident: $inner:ty, $into:expr, $from:expr;)+) => {$(
        impl Coded for $name {
            fn write(&self, out: &mut Vec<u8>) {
                let inner: fn(&Self) -> $inner = $into;
                inner(self).write(out);
            }

            fn read(input: &mut Input<'_>) -> Result<Self, Damage> {
                let from: fn($inner) -> Option<Self> = $from;
                from(Coded::read(input)?).ok_or(Damage::Value)
            }
        }
    )+};
}

coded_wrappers! {
    ChangeId: [u8; 16], |id| *id.as_bytes(), |bytes| Some(Self::from_bytes(bytes));
    PepperId: [u8; 16], |id| *id.as_bytes(), |bytes| Some(Self::from_bytes(bytes));
    Revision: ChangeId, |revision| revision.0, |id| Some(Self(id));
    FeedPosition: u64, |position| position.0, |number| Some(Self(number));
    UnixTime: u64, |at| at.seconds(), Self::checked;
    Day: u32, |day| day.0, |number| Some(Self(number));
    AuditAction: String, |action| action.name().to_owned(), |name| Self::parse(&name);
    Metadata: Vec<(String, String)>,
        |metadata| metadata.pairs().iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        |pairs| Self::parse(BTreeMap::from_iter(pairs)).ok();
    ScopeGrant: Vec<String>,
        |grant| grant.tokens().iter().map(str::to_owned).collect(),
        |tokens| {
            let tokens: Option<ScopeSet> = tokens.iter().map(|token| ScopeToken::parse(token).ok()).collect();
            tokens.map(Self::new)
        };
}

impl Coded for String {
    fn write(&self, out: &mut Vec<u8>) {
        write_text(self, out);
    }

    fn read(input: &mut Input<'_>) -> Result<Self, Damage> {
        input.text().map(str::to_owned)
    }
}

impl Coded for SealedBytes {
    fn write(&self, out: &mut Vec<u8>) {
        write_length(self.0.len(), out);
        out.extend_from_slice(&self.0);
    }

    fn read(input: &mut Input<'_>) -> Result<Self, Damage> {
        let length = input.length()?;
        Ok(Self(input.take(length)?.to_vec()))
    }
}

impl<const N: usize> Coded for [u8; N] {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn read(input: &mut Input<'_>) -> Result<Self, Damage> {
        input.array()
    }
}

impl<T: Coded> Coded for Option<T> {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.is_some()));
        if let Some(value) = self {
            value.write(out);
        }
    }

    fn read(input: &mut Input<'_>) -> Result<Self, Damage> {
        match u8::read(input)? {
            0 => Ok(None),
            1 => T::read(input).map(Some),
            _ => Err(Damage::Tag),
        }
    }
}

impl<T: Coded> Coded for Vec<T> {
    fn write(&self, out: &mut Vec<u8>) {
        write_length(self.len(), out);
        self.iter().for_each(|value| value.write(out));
    }

    fn read(input: &mut Input<'_>) -> Result<Self, Damage> {
        // Each value takes a byte at least, so the length is checked before anything is reserved for it.
        let length = input.length()?;
        (0..length).map(|_| T::read(input)).collect()
    }
}

impl<A: Coded, B: Coded> Coded for (A, B) {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
        self.1.write(out);
    }

    fn read(input: &mut Input<'_>) -> Result<Self, Damage> {
        Ok((A::read(input)?, B::read(input)?))
    }
}

impl<A: Coded, B: Coded, C: Coded> Coded for (A, B, C) {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
        self.1.write(out);
        self.2.write(out);
    }

    fn read(input: &mut Input<'_>) -> Result<Self, Damage> {
        Ok((A::read(input)?, B::read(input)?, C::read(input)?))
    }
}

impl Coded for IpAddr {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::V4(address) => {
                out.push(4);
                address.octets().write(out);
            }
            Self::V6(address) => {
                out.push(6);
                address.octets().write(out);
            }
        }
    }

    fn read(input: &mut Input<'_>) -> Result<Self, Damage> {
        match u8::read(input)? {
            4 => input.array::<4>().map(|octets| Ipv4Addr::from(octets).into()),
            6 => input.array::<16>().map(|octets| Ipv6Addr::from(octets).into()),
            _ => Err(Damage::Tag),
        }
    }
}

impl Coded for IpNet {
    fn write(&self, out: &mut Vec<u8>) {
        self.addr().write(out);
        out.push(self.prefix_len());
    }

    fn read(input: &mut Input<'_>) -> Result<Self, Damage> {
        let address = IpAddr::read(input)?;
        Self::new(address, u8::read(input)?).map_err(|_| Damage::Value)
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    write_length(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

fn write_length(length: usize, out: &mut Vec<u8>) {
    // Nothing that is stored comes near 4 GiB; a length that did would not be read back.
    u32::try_from(length).unwrap_or(u32::MAX).write(out);
}
