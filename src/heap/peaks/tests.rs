use super::*;
use crate::look::TypeCount;

fn of_type(key: &str, n_objects: u64, first_seen: u64) -> TypeCount {
    TypeCount {
        type_key: key.into(),
        name: key.rsplit('.').next().unwrap().into(),
        n_objects,
        first_seen,
        ..TypeCount::default()
    }
}

fn look(types: Vec<TypeCount>) -> Look {
    Look::from_types(types, false)
}

#[test]
fn only_what_is_over_the_peak_shows() {
    let mut peaks = Peaks::default();
    let mut n_objects = 0_u64;
    let deltas: Vec<Option<u64>> = [100, 10, -10, 9, 3]
        .into_iter()
        .map(|step: i64| {
            n_objects = n_objects.checked_add_signed(step).unwrap();
            let grown = peaks.observe(&look(vec![of_type("app.Row", n_objects, 0)]), |_| true);
            grown.first().map(|growth| growth.delta)
        })
        .collect();
    assert_eq!(deltas, [Some(100), Some(10), None, None, Some(2)]);
}

#[test]
fn short_names_are_summed_and_frozen_objects_do_not_count() {
    let mut frozen = of_type("lib.Row", 50, 1);
    frozen.n_frozen = 20;
    let mut hidden = of_type("lib.Gone", 5, 0);
    hidden.n_frozen = 5;
    let grown = Peaks::default().observe(
        &look(vec![of_type("app.Row", 10, 2), frozen, hidden]),
        |_| true,
    );
    assert_eq!(
        grown,
        [PeakGrowth {
            name: "Row".into(),
            n_objects: 40,
            delta: 40
        }]
    );
}

#[test]
fn equals_stand_in_the_order_of_first_sight() {
    let grown = Peaks::default().observe(
        &look(vec![
            of_type("a", 5, 9),
            of_type("b", 5, 3),
            of_type("c", 7, 12),
            of_type("d", 5, 4),
        ]),
        |_| true,
    );
    let names: Vec<_> = grown.iter().map(|growth| growth.name.as_str()).collect();
    assert_eq!(names, ["c", "b", "d", "a"]);
}

#[test]
fn what_the_filter_refuses_has_no_peak() {
    let mut peaks = Peaks::default();
    let rows = look(vec![of_type("app.Row", 10, 0), of_type("dict", 9, 1)]);
    assert_eq!(peaks.observe(&rows, |key| key != "dict").len(), 1);
    assert_eq!(peaks.observe(&rows, |_| true)[0].name, "dict");
}

/// objgraph's own code, word for word in effect, over a list of type names in gc order.
fn oracle(objects: &[&'static str], peaks: &mut Vec<(&'static str, u64)>) -> Vec<PeakGrowth> {
    let mut stats: Vec<(&str, u64)> = Vec::new();
    for name in objects {
        match stats.iter_mut().find(|(known, _)| known == name) {
            Some((_, count)) => *count += 1,
            None => stats.push((name, 1)),
        }
    }
    let mut grown = Vec::new();
    for (name, count) in stats {
        let peak = peaks
            .iter()
            .find(|(known, _)| *known == name)
            .map_or(0, |p| p.1);
        if count > peak {
            peaks.retain(|(known, _)| *known != name);
            let name_in_peaks = objects.iter().find(|known| **known == name).unwrap();
            peaks.push((name_in_peaks, count));
            grown.push(PeakGrowth {
                name: name.into(),
                n_objects: count,
                delta: count - peak,
            });
        }
    }
    grown.sort_by_key(|growth| std::cmp::Reverse(growth.delta));
    grown
}

#[test]
fn peaks_agree_with_objgraph_on_random_heaps() {
    const NAMES: [&str; 6] = ["Row", "dict", "list", "Entry", "tuple", "set"];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..200 {
        let mut own = Peaks::default();
        let mut theirs = Vec::new();
        for _ in 0..12 {
            // Each object is of one of two modules; types with one short name are summed.
            let objects: Vec<(&'static str, bool)> = (0..next() % 60)
                .map(|_| (NAMES[(next() % 6) as usize], next() % 2 == 0))
                .collect();
            let mut types: Vec<TypeCount> = Vec::new();
            for (place, (name, module)) in objects.iter().enumerate() {
                let key = if *module {
                    format!("m.{name}")
                } else {
                    (*name).to_owned()
                };
                match types.iter_mut().find(|known| known.type_key == key) {
                    Some(known) => known.n_objects += 1,
                    None => types.push(of_type(&key, 1, place as u64)),
                }
            }
            let names: Vec<&'static str> = objects.iter().map(|(name, _)| *name).collect();
            assert_eq!(
                own.observe(&look(types), |_| true),
                oracle(&names, &mut theirs)
            );
        }
    }
}
