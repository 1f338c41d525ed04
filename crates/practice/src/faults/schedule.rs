//! A schedule: deeds at moments, written by hand or drawn from a seed. The same seed draws the same schedule.
//! Drawn troubles come one after another with a calm between, so that every invariant can be judged for one trouble at a time.
//! A schedule is data; a practice Vault follows it by its own clock.

use std::time::Duration;

use super::deed::Deed;
use super::rows::{LAST_ROW, Needs, Scene, by_row};
use crate::chance::Chance;

/// A deed at a moment.
#[derive(Debug, Clone)]
pub struct Event {
    /// Counted from the moment at which the schedule is followed.
    pub at: Duration,
    /// The row of the fault table that it belongs to, if any.
    pub row: Option<u8>,
    /// Whether it begins the trouble or heals it.
    pub heals: bool,
    /// What is done.
    pub deed: Deed,
}

/// Deeds in the order of their moments.
#[derive(Debug, Clone, Default)]
pub struct Schedule {
    events: Vec<Event>,
}

/// What may be drawn.
#[derive(Debug, Clone)]
pub struct Menu {
    /// Rows of the fault table.
    pub rows: Vec<u8>,
    /// The shortest and the longest trouble.
    pub trouble: (Duration, Duration),
    /// The shortest and the longest calm between two troubles.
    pub calm: (Duration, Duration),
}

impl Menu {
    /// All rows that heal and can be played on this, with troubles from a second to ten minutes.
    pub fn healing(on: Needs) -> Menu {
        let scene = Scene::default();
        let fits = |needs| match on {
            Needs::OneNode => needs == Needs::OneNode,
            Needs::OpenBao => matches!(needs, Needs::OneNode | Needs::OpenBao),
            Needs::Cluster => matches!(needs, Needs::OneNode | Needs::Cluster),
            Needs::OpenBaoCluster => true,
        };
        let rows = (1..=LAST_ROW)
            .filter(|number| by_row(*number, &scene).is_some_and(|row| row.heals && fits(row.needs)));
        Menu {
            rows: rows.collect(),
            trouble: (Duration::from_secs(1), Duration::from_secs(600)),
            calm: (Duration::from_secs(30), Duration::from_secs(600)),
        }
    }
}

impl Schedule {
    /// An empty schedule.
    pub fn new() -> Schedule {
        Schedule::default()
    }

    /// The same, with a deed at a moment.
    pub fn at(mut self, at: Duration, deed: Deed) -> Schedule {
        self.push(Event { at, row: None, heals: false, deed });
        self
    }

    /// The same, with a row of the fault table for a span.
    pub fn trouble(mut self, from: Duration, lasts: Duration, number: u8, scene: &Scene) -> Schedule {
        self.add_trouble(from, lasts, number, scene);
        self
    }

    /// Draws troubles until the end of the horizon; all of them have healed by then.
    pub fn seeded(seed: u64, menu: &Menu, scene: &Scene, horizon: Duration) -> Schedule {
        let mut chance = Chance::new(seed).fork("schedule");
        let mut schedule = Schedule::new();
        let mut now = between(&mut chance, menu.calm);
        loop {
            let lasts = between(&mut chance, menu.trouble);
            let index = chance.below(menu.rows.len() as u64) as usize;
            let Some(number) = menu.rows.get(index).filter(|_| now + lasts <= horizon) else {
                return schedule;
            };
            schedule.add_trouble(now, lasts, *number, scene);
            now += lasts + between(&mut chance, menu.calm);
        }
    }

    fn add_trouble(&mut self, from: Duration, lasts: Duration, number: u8, scene: &Scene) {
        let Some(row) = by_row(number, scene) else { return };
        for (at, heals, deeds) in [(from, false, row.begin), (from + lasts, true, row.heal)] {
            for deed in deeds {
                self.push(Event { at, row: Some(number), heals, deed });
            }
        }
    }

    fn push(&mut self, event: Event) {
        // Behind all events of the same moment, so that the order in which they were added stays.
        let index = self.events.partition_point(|known| known.at <= event.at);
        self.events.insert(index, event);
    }

    /// All events, in their order.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The moment of the last event.
    pub fn end(&self) -> Duration {
        self.events.last().map_or(Duration::ZERO, |event| event.at)
    }
}

fn between(chance: &mut Chance, (shortest, longest): (Duration, Duration)) -> Duration {
    let span = longest.saturating_sub(shortest).as_millis() as u64;
    shortest + Duration::from_millis(chance.below(span + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn drawn(seed: u64) -> String {
        let menu = Menu::healing(Needs::Cluster);
        format!("{:?}", Schedule::seeded(seed, &menu, &Scene::default(), DAY).events())
    }

    #[test]
    fn the_same_seed_draws_the_same_schedule() {
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
    }

    #[test]
    fn a_drawn_schedule_is_in_order_and_heals_within_its_horizon() {
        for seed in 0..50 {
            let menu = Menu::healing(Needs::OneNode);
            let schedule = Schedule::seeded(seed, &menu, &Scene::default(), DAY);
            let moments: Vec<_> = schedule.events().iter().map(|event| event.at).collect();
            assert!(moments.is_sorted() && schedule.end() <= DAY, "seed {seed}");
            assert!(moments.len() > 50, "seed {seed}");
        }
    }

    #[test]
    fn the_menu_holds_what_can_be_played() {
        assert!(!Menu::healing(Needs::OneNode).rows.contains(&5));
        assert!(Menu::healing(Needs::Cluster).rows.contains(&5));
        assert!(!Menu::healing(Needs::Cluster).rows.contains(&41));
        assert!(!Menu::healing(Needs::OpenBaoCluster).rows.contains(&9));
    }
}
