//! All chance of the practice Vault: one stream of numbers from one seed (SplitMix64).
//! The same seed and the same calls in the same order give the same ids, tokens, serial numbers and fault rolls.
//! It must never be fed from the clock or the system, and it is no source for keys that guard anything real.

/// A seeded stream of numbers.
#[derive(Debug, Clone)]
pub struct Chance {
    state: u64,
}

/// The step of SplitMix64 (Steele, Lea, Flood 2014): an odd constant near 2^64 / golden ratio.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

impl Chance {
    /// A stream that starts at this seed.
    pub fn new(seed: u64) -> Chance {
        Chance { state: seed }
    }

    /// A stream of its own for a named purpose, so that a draw more here doesn't shift the draws there.
    pub fn fork(&self, purpose: &str) -> Chance {
        let salt = purpose.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut fork = Chance::new(self.state ^ salt);
        fork.number();
        fork
    }

    /// The next 64 bits.
    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `0..limit`; 0 when the limit is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        // The slight bias of the remainder is of no matter to a fault schedule.
        self.number().checked_rem(limit).unwrap_or(0)
    }

    /// A number in `0.0..1.0`.
    pub fn fraction(&mut self) -> f64 {
        // 53 bits are what an f64 holds exactly.
        (self.number() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// So many bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for chunk in bytes.chunks_mut(8) {
            let number = self.number().to_le_bytes();
            for (to, from) in chunk.iter_mut().zip(number) {
                *to = from;
            }
        }
        bytes
    }

    /// A word of so many letters and digits, as in tokens and accessors.
    pub fn word(&mut self, length: usize) -> String {
        (0..length)
            .map(|_| {
                let index = self.below(BASE62.len() as u64) as usize;
                BASE62.get(index).map_or('0', |&byte| char::from(byte))
            })
            .collect()
    }

    /// A UUID as Vault prints them.
    pub fn uuid(&mut self) -> String {
        let hex: String = self.bytes::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
        let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default();
        format!("{}-{}-{}-{}-{}", part(0..8), part(8..12), part(12..16), part(16..20), part(20..32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_stream() {
        let (mut one, mut two) = (Chance::new(7), Chance::new(7));
        assert_eq!((one.uuid(), one.word(24), one.number()), (two.uuid(), two.word(24), two.number()));
        assert_ne!(Chance::new(7).number(), Chance::new(8).number());
    }

    #[test]
    fn forks_do_not_shift_their_parent() {
        let parent = Chance::new(3);
        let mut fork = parent.fork("faults");
        fork.number();
        assert_eq!(parent.clone().number(), Chance::new(3).number());
        assert_ne!(parent.fork("faults").number(), parent.fork("ids").number());
    }

    #[test]
    fn a_fraction_stays_inside_its_bounds() {
        let mut chance = Chance::new(1);
        assert!((0..1000).map(|_| chance.fraction()).all(|f| (0.0..1.0).contains(&f)));
    }
}
