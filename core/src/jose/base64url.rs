//! Prints base64url without padding (RFC 4648 §5, RFC 7515 §2), the part of a token's making that takes longest after its
//! signature.
//!
//! Reading stays with the `base64` crate; a test holds this to it.

/// How many characters `bytes` bytes are.
pub(crate) const fn printed_length(bytes: usize) -> usize {
    bytes.saturating_mul(4).div_ceil(3)
}

/// Adds `bytes` to `text`, all of which stays ASCII.
pub(crate) fn print_onto(text: &mut Vec<u8>, bytes: &[u8]) {
    text.reserve(printed_length(bytes.len()));
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    for block in blocks {
        text.extend_from_slice(&print_block(block));
    }
    if rest.is_empty() {
        return;
    }
    let mut last = [0; BLOCK];
    last.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
    // The zeros behind the rest fill up its last character, and what they alone print is left out.
    text.extend(print_block(&last).iter().take(printed_length(rest.len())));
}

const BLOCK: usize = 48;

/// 48 bytes as 64 characters, without a table: many characters at once.
fn print_block(bytes: &[u8; BLOCK]) -> [u8; 64] {
    let mut sextets = [0; 64];
    let places = sextets.as_chunks_mut::<8>().0;
    for (place, [a, b, c, d, e, f]) in places.iter_mut().zip(bytes.as_chunks::<6>().0) {
        *place = spread(u64::from_be_bytes([0, 0, *a, *b, *c, *d, *e, *f])).to_be_bytes();
    }
    sextets.map(letter)
}

/// Moves the eight sextets of 48 bits to a byte each.
const fn spread(bits: u64) -> u64 {
    let halves = (bits & 0xffff_ff00_0000) << 8 | bits & 0xff_ffff;
    let quarters = (halves & 0x00ff_f000_00ff_f000) << 4 | halves & 0x0000_0fff_0000_0fff;
    (quarters & 0x0fc0_0fc0_0fc0_0fc0) << 2 | quarters & 0x003f_003f_003f_003f
}

/// The character of a sextet: `A`–`Z`, `a`–`z`, `0`–`9`, `-`, `_`, by steps from one run to the next.
const fn letter(sextet: u8) -> u8 {
    let mut letter = sextet.wrapping_add(b'A');
    letter = letter.wrapping_add(if sextet >= 26 { b'a' - b'Z' - 1 } else { 0 });
    letter = letter.wrapping_sub(if sextet >= 52 { b'z' - b'0' + 1 } else { 0 });
    letter = letter.wrapping_sub(if sextet >= 62 { b'9' - b'-' + 1 } else { 0 });
    letter.wrapping_add(if sextet >= 63 { b'_' - b'-' - 1 } else { 0 })
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    #[test]
    fn every_length_and_every_byte_print_as_the_other_implementation_prints_them() {
        let bytes: Vec<u8> =
            (0..=255).cycle().zip(0..600_u16).map(|(byte, _): (u8, _)| byte.wrapping_mul(167)).collect();
        for length in 0..300 {
            for start in [0, 1, 85, 256] {
                let bytes = &bytes[start..start + length];
                let mut text = b"kept".to_vec();
                print_onto(&mut text, bytes);
                assert_eq!(text, format!("kept{}", URL_SAFE_NO_PAD.encode(bytes)).into_bytes());
                assert_eq!(text.len() - 4, printed_length(length));
            }
        }
    }
}
