//! Readers that look on while generations change: none sees two of them, and no key is open to others at any moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::*;

/// Changes generations while `look` runs again and again on another thread; returns how many generations it saw.
fn race(bench: &Bench, changes: u64, look: impl Fn() -> Option<u64> + Send + 'static) -> usize {
    let stop = Arc::new(AtomicBool::new(false));
    let seen = Arc::new(AtomicU64::new(0));
    let (stop_reader, count) = (stop.clone(), seen.clone());
    let reader = std::thread::spawn(move || {
        let mut generations = BTreeSet::new();
        while !stop_reader.load(Ordering::Relaxed) {
            if let Some(generation) = look() {
                generations.insert(generation);
                count.store(generations.len().try_into().unwrap(), Ordering::Relaxed);
            }
        }
        generations.len()
    });
    let mut generation = 0;
    // On a slow machine the reader gets more time, up to a bound, rather than the test a verdict about nothing.
    while generation < changes || (seen.load(Ordering::Relaxed) < 5 && generation < changes * 20) {
        generation += 1;
        bench.put(generation, &mut go_on).unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    reader.join().unwrap()
}

#[test]
fn who_opens_the_data_link_once_never_sees_two_generations() {
    let temporary = folder();
    let bench = Bench::new(temporary.path(), Shape::Folder, 0o600);
    let data = bench.top.join("set/..data");
    let seen = race(&bench, 200, move || {
        let folder = rustix::fs::open(&data, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).ok()?;
        let read = |part: Part| {
            let file = rustix::fs::openat(&folder, part.to_string(), OFlags::RDONLY, Mode::empty()).ok()?;
            let mut found = Vec::new();
            std::fs::File::from(file).read_to_end(&mut found).unwrap();
            Some(generation(part, &found).expect("a file is whole"))
        };
        // Two changes later the folder is emptied: nothing is seen then, and certainly no mixture.
        let found = PARTS.map(read).into_iter().collect::<Option<Vec<_>>>()?;
        assert!(found.iter().all(|one| *one == found[0]), "{found:?}");
        Some(found[0])
    });
    assert!(seen >= 5, "the reader saw {seen} generations only");
}

#[test]
fn who_asks_the_marker_before_and_after_never_sees_two_generations() {
    let temporary = folder();
    let bench = Bench::new(temporary.path(), Shape::PathsInTwoFolders, 0o640);
    let reader = bench.clone();
    let seen = race(&bench, 200, move || {
        let before = reader.marked()?;
        let found = reader.generations();
        let after = reader.marked()?;
        assert!(found.iter().all(Option::is_some), "each file is whole at any time: {found:?}");
        if before != after {
            return None;
        }
        assert!(found.iter().all(|one| *one == found[0]), "{found:?}");
        found[0]
    });
    assert!(seen >= 5, "the reader saw {seen} generations only");
}

#[test]
fn a_combined_file_is_always_of_one_generation() {
    for shape in [Shape::Folder, Shape::Paths] {
        let temporary = folder();
        let bench = Bench::new(temporary.path(), shape, 0o600);
        let path = bench.place(Part::Combined);
        let seen = race(&bench, 100, move || {
            let found = std::fs::read(&path).ok()?;
            Some(generation(Part::Combined, &found).expect("the file is whole"))
        });
        assert!(seen >= 5, "the reader saw {seen} generations only");
    }
}

#[test]
fn a_key_is_closed_to_others_at_every_step_and_to_every_onlooker() {
    benches(|shape, key_mode| {
        let temporary = folder();
        let bench = Bench::new(temporary.path(), shape, key_mode);
        for generation in 1..4 {
            bench
                .put(generation, &mut |doing| {
                    let open = open_keys(&bench.top, key_mode);
                    assert!(open.is_empty(), "{shape:?}, before {doing}: {open:?}");
                    Ok(())
                })
                .unwrap();
        }
        let top = bench.top.clone();
        race(&bench, 60, move || {
            let open = open_keys(&top, key_mode);
            assert!(open.is_empty(), "{open:?}");
            None
        });
    });
}
