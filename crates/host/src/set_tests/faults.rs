//! Faults and crashes at every step, and a disk that is really full: what was there stays, and the next try heals.

use proptest::prelude::*;

use super::*;

#[test]
fn a_fault_at_any_step_leaves_what_was_there() {
    benches(|shape, key_mode| {
        for first in [None, Some(1)] {
            for at in 0.. {
                let temporary = folder();
                let bench = Bench::new(temporary.path(), shape, key_mode);
                if let Some(first) = first {
                    bench.put(first, &mut go_on).unwrap();
                }
                let names = bench.names();
                let mut steps = 0;
                let mut last = "";
                let put = bench.put(2, &mut |doing| {
                    last = doing;
                    steps += 1;
                    if steps > at { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(()) }
                });
                if let Ok(put) = put {
                    assert_eq!((put, at > 5), (Put::Changed, true), "there are steps to fail at");
                    break;
                }
                let told = format!(
                    "{shape:?} from {first:?}, fault at step {at} ({last}): {:?}",
                    bench.generations()
                );
                let is_switched = shape == Shape::Folder && bench.generations().contains(&Some(2));
                // Once the new generation is in place it stays: the links are mended by the next try.
                let wanted = if is_switched { Some(2) } else { first };
                assert!(
                    bench
                        .generations()
                        .iter()
                        .all(|found| *found == wanted || (is_switched && first.is_none() && found.is_none())),
                    "{told}"
                );
                if shape != Shape::Folder {
                    let marked = bench.marked();
                    assert_eq!(bench.names(), names, "{told}");
                    assert_eq!(marked, first.map(|first| bench.set(first).generation), "{told}");
                }
                assert_eq!(bench.put(2, &mut go_on).unwrap(), Put::Changed, "{told}");
                assert_eq!(bench.generations(), vec![Some(2); PARTS.len()], "{told}");
            }
        }
    });
}

#[test]
fn a_crash_at_any_step_leaves_no_mixture_behind_and_is_healed() {
    benches(|shape, key_mode| {
        let temporary = folder();
        std::fs::create_dir(temporary.path().join("live")).unwrap();
        let bench = Bench::new(&temporary.path().join("live"), shape, key_mode);
        bench.put(1, &mut go_on).unwrap();
        let mut crashed = Vec::new();
        bench
            .put(2, &mut |doing| {
                let to = temporary.path().canonicalize().unwrap().join(format!("crash-{}", crashed.len()));
                crashed.push((doing, bench.copy(&to)));
                Ok(())
            })
            .unwrap();
        assert!(crashed.len() > 5);
        let clean = bench.names();
        for (at, (doing, crashed)) in crashed.iter().enumerate() {
            let told = format!("{shape:?}, crash before step {at} ({doing}): {:?}", crashed.generations());
            let found = crashed.generations();
            assert!(found.iter().all(|found| matches!(found, Some(1 | 2))), "{told}");
            match shape {
                Shape::Folder => assert!(found.iter().all(|one| *one == found[0]), "{told}"),
                _ => {
                    let told_by_marker =
                        [1, 2].into_iter().find(|n| crashed.marked() == Some(crashed_set(crashed, *n)));
                    if let Some(marked) = told_by_marker {
                        assert_eq!(found, vec![Some(marked); PARTS.len()], "{told}");
                    }
                }
            }
            assert_eq!(open_keys(&crashed.top, key_mode), Vec::<String>::new(), "{told}");
            crashed.put(2, &mut go_on).unwrap();
            assert_eq!(crashed.generations(), vec![Some(2); PARTS.len()], "{told}");
            assert_eq!(crashed.put(2, &mut go_on).unwrap(), Put::Unchanged, "{told}");
            assert_eq!(crashed.names(), clean, "{told}");
        }
    });
}

/// The marker names places, so a copy has another generation: that of the place it was copied from.
fn crashed_set(crashed: &Bench, generation: u64) -> String {
    let live = crashed.top.parent().unwrap().join("live");
    Bench { top: live, ..crashed.clone() }.set(generation).generation
}

#[test]
fn a_real_full_disk_leaves_what_was_there() {
    let temporary = folder();
    let bench = Bench::new(temporary.path(), Shape::Paths, 0o600);
    if !rustix::process::geteuid().is_root() {
        return;
    }
    // A file system of its own, if this machine lets us have one.
    let small = bench.top.join("small");
    std::fs::create_dir(&small).unwrap();
    let mount = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "none"])
        .arg(&small)
        .output();
    if !mount.is_ok_and(|done| done.status.success()) {
        return;
    }
    let full = Bench::new(&small, Shape::Paths, 0o600);
    let result = std::panic::catch_unwind(|| {
        full.put(1, &mut go_on).unwrap();
        let mut filler = std::fs::File::create(small.join("filler")).unwrap();
        while std::io::Write::write_all(&mut filler, &[0; 512]).is_ok() {}
        drop(filler);
        let names = full.names();
        let told = full.put(2, &mut go_on).unwrap_err().to_string();
        assert!(told.contains("No space left on device"), "{told}");
        assert_eq!(full.generations(), vec![Some(1); PARTS.len()]);
        assert_eq!(full.names(), names);
        std::fs::remove_file(small.join("filler")).unwrap();
        full.put(2, &mut go_on).unwrap();
        assert_eq!(full.generations(), vec![Some(2); PARTS.len()]);
    });
    let _ = std::process::Command::new("umount").arg(&small).status();
    result.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever is put, in whatever order, with faults wherever: the set in place is one generation, and the last one that succeeded,
    /// or (a folder only) the one that failed after its switch.
    #[test]
    fn any_history_ends_in_one_generation(
        shape in prop_oneof![Just(Shape::Folder), Just(Shape::Paths), Just(Shape::PathsInTwoFolders)],
        history in prop::collection::vec((1u64..6, prop::option::of(0usize..16)), 1..10),
    ) {
        let temporary = folder();
        let bench = Bench::new(temporary.path(), shape, 0o600);
        bench.put(1, &mut go_on).unwrap();
        let mut in_place = 1;
        for (wish, fault_at) in history {
            let mut steps = 0;
            let put = bench.put(wish, &mut |_| {
                steps += 1;
                if Some(steps - 1) == fault_at { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(()) }
            });
            let found = bench.generations();
            if put.is_ok() || (shape == Shape::Folder && found[0] == Some(wish)) {
                in_place = wish;
            }
            prop_assert_eq!(found, vec![Some(in_place); PARTS.len()]);
            prop_assert!(open_keys(&bench.top, 0o600).is_empty());
        }
    }
}
