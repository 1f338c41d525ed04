//! Keys from passwords: the way of PKCS#12 itself (RFC 7292 appendix B), which the legacy profiles and the older MACs use.
//! It never keeps what it derives. PBKDF2 is the library's.

use std::num::NonZeroU32;

use aws_lc_rs::{digest, pbkdf2};
use zeroize::Zeroizing;

use crate::der;

/// What a key is derived for (RFC 7292 appendix B.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Key = 1,
    Iv = 2,
    Mac = 3,
}

/// The block size of SHA-1 and SHA-256.
const BLOCK: usize = 64;

/// Fills `out` by the way of PKCS#12.
pub(crate) fn pkcs12(
    hash: &'static digest::Algorithm,
    password: &str,
    salt: &[u8],
    purpose: Purpose,
    iterations: u32,
    out: &mut [u8],
) {
    let mut text = der::utf16(password);
    text.extend_from_slice(&[0, 0]);
    let mut input = Zeroizing::new([repeated(salt), repeated(&text)].concat());
    let diversifier = [purpose as u8; BLOCK];
    let length = hash.output_len();
    for piece in out.chunks_mut(length) {
        let mut round = digest::Context::new(hash);
        round.update(&diversifier);
        round.update(&input);
        let mut result = round.finish();
        for _ in 1..iterations {
            result = digest::digest(hash, result.as_ref());
        }
        let size = piece.len();
        piece.copy_from_slice(result.as_ref().get(..size).unwrap_or_default());
        let step: Vec<u8> = result.as_ref().iter().copied().cycle().take(BLOCK).collect();
        input.chunks_mut(BLOCK).for_each(|block| add_and_one(block, &step));
    }
}

/// The bytes again and again, up to whole blocks.
fn repeated(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().cycle().take(bytes.len().div_ceil(BLOCK) * BLOCK).collect()
}

/// block = block + step + 1, as big endian numbers; what runs over is dropped.
fn add_and_one(block: &mut [u8], step: &[u8]) {
    let mut carry = 1_u16;
    for (to, add) in block.iter_mut().zip(step).rev() {
        let sum = u16::from(*to) + u16::from(*add) + carry;
        *to = (sum & 0xff) as u8;
        carry = sum >> 8;
    }
}

/// Fills `out` by PBKDF2 with HMAC-SHA-256 over the password's UTF-8 (RFC 8018, RFC 9579).
pub(crate) fn pbkdf2(password: &str, salt: &[u8], iterations: NonZeroU32, out: &mut [u8]) {
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, password.as_bytes(), out);
}
