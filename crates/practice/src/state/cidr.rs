//! CIDR lists: which source addresses may use a token or a secret-id.
//! An empty list allows everybody.
//! A block that can't be read matches nobody, so that a typing error is seen.

use std::net::IpAddr;

/// One block of addresses, such as `192.0.2.0/24`, or a single address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cidr {
    text: String,
}

impl Cidr {
    pub(crate) fn new(text: &str) -> Cidr {
        Cidr { text: text.trim().to_owned() }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    fn holds(&self, address: IpAddr) -> bool {
        let (network, bits) = match self.text.split_once('/') {
            Some((network, bits)) => (network, bits.parse::<u32>().ok()),
            None => (self.text.as_str(), Some(128)),
        };
        let (Ok(network), Some(bits)) = (network.parse::<IpAddr>(), bits) else { return false };
        match (network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let drop = 32_u32.saturating_sub(bits);
                shift(u32::from(network), drop) == shift(u32::from(address), drop)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let drop = 128_u32.saturating_sub(bits);
                u128::from(network).checked_shr(drop) == u128::from(address).checked_shr(drop)
            }
            _ => false,
        }
    }
}

fn shift(value: u32, by: u32) -> u32 {
    value.checked_shr(by).unwrap_or(0)
}

/// Whether this list lets the address pass.
pub(crate) fn allows(list: &[Cidr], address: IpAddr) -> bool {
    list.is_empty() || list.iter().any(|block| block.holds(address))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn blocks_hold_what_they_say() {
        let rows = [
            ("127.0.0.0/8", "127.0.0.1", true),
            ("192.0.2.0/24", "127.0.0.1", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("127.0.0.1", "127.0.0.1", true),
            ("::1/128", "::1", true),
            ("2001:db8::/32", "::1", false),
            ("nonsense", "127.0.0.1", false),
        ];
        for (block, address, expected) in rows {
            assert_eq!(allows(&[Cidr::new(block)], address.parse().unwrap()), expected, "{block} {address}");
        }
        assert!(allows(&[], "127.0.0.1".parse().unwrap()));
    }
}
