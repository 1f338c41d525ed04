//! The bearer token of the API: random, kept in the folder, the same over restarts so that clients go on.
//! Removing its file makes a new one at the next start. It is never logged.

use anyhow::Context as _;
use everleaf_host::private;
use everleaf_issuers::Chance;
use zeroize::Zeroizing;

use super::home::Home;

/// Bytes of chance: 256 bits.
const BYTES: usize = 32;
const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The token of this folder.
pub(crate) fn open(home: &Home) -> anyhow::Result<Zeroizing<String>> {
    let length = u64::try_from(2 * BYTES + 1)?;
    if let Ok(kept) = private::read_within(&home.token(), length) {
        let text = std::str::from_utf8(&kept).map(str::trim).unwrap_or_default();
        if text.len() == 2 * BYTES && text.bytes().all(|byte| DIGITS.contains(&byte)) {
            return Ok(Zeroizing::new(text.to_owned()));
        }
    }
    let mut bytes = Zeroizing::new([0; BYTES]);
    Chance::system().fill(bytes.as_mut_slice())?;
    let mut text = Zeroizing::new(String::with_capacity(2 * BYTES));
    for byte in bytes.iter() {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(DIGITS.get(usize::from(digit)).copied().unwrap_or(b'0')));
        }
    }
    private::write(&home.token(), text.as_bytes()).context("can't keep the token")?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_token_is_kept_and_a_damaged_one_replaced() {
        let temporary = tempfile::tempdir().unwrap();
        let home = Home::open(&temporary.path().join("d")).unwrap();
        let first = open(&home).unwrap();
        assert_eq!(first.len(), 64);
        assert_eq!(open(&home).unwrap(), first);
        std::fs::write(home.token(), "short").unwrap();
        assert_ne!(open(&home).unwrap(), first);
    }
}
