//! Draws from the seeded stream: durations, choices, weights. All chance of a simulation comes from the stream handed in.

use std::time::Duration;

use everleaf_practice::Chance;

/// A duration between two, each as likely as the other, to the millisecond.
pub fn between(chance: &mut Chance, least: Duration, most: Duration) -> Duration {
    let span = u64::try_from(most.saturating_sub(least).as_millis()).unwrap_or(u64::MAX);
    least + Duration::from_millis(chance.below(span.saturating_add(1)))
}

/// A duration between two, spread over their orders of magnitude: as many of seconds as of hours.
pub fn spread(chance: &mut Chance, least: Duration, most: Duration) -> Duration {
    let (least, most) = (least.as_secs_f64().max(0.001), most.as_secs_f64().max(0.001));
    let drawn = (least.ln() + chance.fraction() * (most.ln() - least.ln())).exp();
    Duration::from_millis((drawn * 1_000.0) as u64)
}

/// True with this likelihood.
pub fn happens(chance: &mut Chance, likelihood: f64) -> bool {
    chance.fraction() < likelihood
}

/// A number in `least..=most`.
pub fn number(chance: &mut Chance, least: u64, most: u64) -> u64 {
    least + chance.below(most.saturating_sub(least).saturating_add(1))
}

/// An index below a count.
pub fn index(chance: &mut Chance, count: usize) -> usize {
    usize::try_from(chance.below(count as u64)).unwrap_or_default()
}

/// One of several; the first if there is none to choose from makes no sense, so nothing then.
pub fn one_of<'a, T>(chance: &mut Chance, choices: &'a [T]) -> Option<&'a T> {
    choices.get(index(chance, choices.len()))
}

/// One of several by weight.
pub fn weighted<T: Copy>(chance: &mut Chance, choices: &[(u64, T)]) -> Option<T> {
    let sum: u64 = choices.iter().map(|(weight, _)| weight).sum();
    let mut drawn = chance.below(sum);
    for (weight, choice) in choices {
        if drawn < *weight {
            return Some(*choice);
        }
        drawn -= weight;
    }
    None
}
