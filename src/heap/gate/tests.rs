use super::*;
use crate::snapshot::{Type, TypeId};

fn row(name: &str, n_objects: i64, size_bytes: i64) -> Row {
    Row {
        name: name.to_owned(),
        n_objects,
        size_bytes,
        is_estimate: false,
    }
}

fn limits(written: &[&str]) -> Vec<Limit> {
    written.iter().map(|text| text.parse().unwrap()).collect()
}

fn exceeded(written: &[&str], before: &[Row], after: &[Row]) -> Vec<String> {
    let report = check(&limits(written), &DiffTable::of(before, after));
    assert_eq!(report.names_nothing, Vec::<String>::new());
    let exceeded = report.exceeded.into_iter();
    exceeded
        .map(|over| {
            let unit = if over.is_bytes { "B" } else { "" };
            let Exceeded {
                row,
                growth,
                allowed,
                ..
            } = over;
            format!("{}: {growth}{unit} of {allowed}{unit}", row.name)
        })
        .collect()
}

#[test]
fn only_growth_over_the_figure_fails() {
    let before = [row("shop.Row", 10, 1000)];
    let at = |n, bytes| [row("shop.Row", n, bytes)];
    assert!(exceeded(&["shop.Row:+5"], &before, &at(15, 9000)).is_empty());
    assert_eq!(
        exceeded(&["shop.Row:+5"], &before, &at(16, 1000)),
        ["shop.Row: 6 of 5"]
    );
    assert!(exceeded(&["shop.Row:+2kB"], &before, &at(16, 3000)).is_empty());
    assert_eq!(
        exceeded(&["shop.Row:+2kB"], &before, &at(10, 3001)),
        ["shop.Row: 2001B of 2000B"]
    );
    assert!(exceeded(&["shop.Row:+0"], &before, &at(1, 1)).is_empty());
}

#[test]
fn a_percentage_is_of_the_bytes_before() {
    let before = [row("a", 10, 1000), row("b", 1, 1000)];
    let after = [row("a", 10, 1100), row("b", 1, 1000)];
    assert!(exceeded(&["total:+5%"], &before, &after).is_empty());
    assert_eq!(
        exceeded(&["total:+4.9%"], &before, &after),
        ["total: 100B of 98B"]
    );
    assert_eq!(exceeded(&["a:+5%"], &before, &after), ["a: 100B of 50B"]);
    // 1.13 * 10000 / 100 is less than 113 in binary.
    let (before, after) = ([row("a", 1, 10_000)], [row("a", 1, 10_113)]);
    assert!(exceeded(&["a:+1.13%"], &before, &after).is_empty());
}

#[test]
fn any_growth_from_nothing_is_over_each_percentage() {
    let after = [row("a", 1, 1)];
    assert_eq!(exceeded(&["a:+1000%"], &[], &after), ["a: 1B of 0B"]);
    assert!(exceeded(&["total:+5%", "a:+5%"], &[row("a", 0, 0)], &[]).is_empty());
}

#[test]
fn a_type_of_one_look_only_counts_from_or_to_zero() {
    assert_eq!(
        exceeded(&["new:+2"], &[], &[row("new", 3, 30)]),
        ["new: 3 of 2"]
    );
    assert!(exceeded(&["gone:+0"], &[row("gone", 3, 30)], &[]).is_empty());
}

#[test]
fn each_type_of_a_glob_is_held_against_the_limit_by_itself() {
    let after = [
        row("shop.A", 6, 10),
        row("shop.B", 6, 20),
        row("shop.C", 5, 30),
        row("other.A", 60, 40),
    ];
    assert_eq!(
        exceeded(&["shop.*:+5"], &[], &after),
        ["shop.B: 6 of 5", "shop.A: 6 of 5"]
    );
}

#[test]
fn a_limit_that_names_nothing_is_told_and_does_not_fail() {
    let before = [row("gone", 1, 1)];
    let report = check(
        &limits(&["gone:+1", "shop.Tempalte:+1", "x*:+1", "total:+1"]),
        &DiffTable::of(&before, &[]),
    );
    assert_eq!(report.exceeded, []);
    assert_eq!(report.names_nothing, ["shop.Tempalte:+1", "x*:+1"]);
}

#[test]
fn names_may_hold_colons_blanks_and_globs() {
    let name = "dict of a:+b & {list, [x]*}";
    let after = [row(name, 2, 2)];
    assert_eq!(
        exceeded(&[&format!("{name}:+1")], &[], &after),
        [format!("{name}: 2 of 1")]
    );
}

#[test]
fn figures_have_the_units_of_bytes() {
    for (figure, bytes) in [
        ("64B", 64),
        ("1kB", 1000),
        ("1KB", 1000),
        ("1.5MB", 1_500_000),
        ("2.3kB", 2_300),
        ("4.35MB", 4_350_000),
        ("10 MB", 10_000_000),
        ("1KiB", 1024),
        ("10MiB", 10 << 20),
        ("2GB", 2_000_000_000),
        ("2GiB", 2 << 30),
        ("1TB", 1_000_000_000_000),
        ("1TiB", 1 << 40),
        ("1_000B", 1000),
    ] {
        let after = [row("a", 1, bytes + 1)];
        assert_eq!(
            exceeded(&[&format!("a:+{figure}")], &[], &after),
            [format!("a: {}B of {bytes}B", bytes + 1)],
            "{figure}"
        );
    }
}

#[test]
fn what_is_no_limit_is_refused_with_what_to_write() {
    let error = |text: &str| text.parse::<Limit>().unwrap_err();
    for text in ["", "a", "a:5", "a+5", "a:", "a:-x"] {
        assert_eq!(error(text), LimitError::NoFigure(text.into()), "{text}");
    }
    assert_eq!(
        error(":+5").to_string(),
        "`:+5` names no type: write `total:+5` for all types, or `*:+5` for each"
    );
    for text in ["a:-5", "a:+-5", "a:-5%", "a:+-10MB"] {
        assert_eq!(error(text), LimitError::Negative(text.into()));
    }
    for figure in [
        "",
        "x",
        "MB",
        "5x",
        "5.",
        ".5MB",
        "5.5",
        "1.2.3MB",
        "5%%",
        "nan%",
        "inf",
        "5 objects",
        "0x10",
        "1e9",
        "+5",
    ] {
        let text = format!("a:+{figure}");
        // The last `:+` splits.
        let figure = figure.to_owned();
        assert_eq!(
            error(&text),
            LimitError::BadFigure {
                limit: text.clone(),
                figure
            }
        );
    }
    for figure in ["99999999999999999999", "99999999999TB"] {
        let text = format!("a:+{figure}");
        assert_eq!(error(&text), LimitError::TooLarge(text.clone()));
    }
}

#[test]
fn globs_match_as_in_a_shell() {
    let after = |name: &str| [row(name, 1, 1)];
    for (glob, name, matches) in [
        ("*", "", true),
        ("*", "a.b", true),
        ("a*c", "abc", true),
        ("a*c", "abcd", false),
        ("a*b*c", "a-b-b-c", true),
        ("*.Template", "shop.Template", true),
        ("*.Template", "shop.Templates", false),
        ("?", "ü", true),
        ("?", "", false),
        ("[a-c]x", "bx", true),
        ("[a-c]x", "dx", false),
        ("[!a-c]x", "dx", true),
        ("[]]", "]", true),
        ("[a-]", "-", true),
        ("[a", "[a", true),
        ("[a", "a", false),
        ("a[*]b", "a*b", true),
        ("a**b", "ab", true),
        ("Total", "total", false),
    ] {
        let limit: Limit = format!("{glob}:+0").parse().unwrap();
        let report = check(&[limit], &DiffTable::of(&[], &after(name)));
        assert_eq!(report.names_nothing.is_empty(), matches, "{glob} {name}");
    }
}

#[test]
fn a_bad_glob_does_not_take_for_ever() {
    let limit: Limit = format!("{}b:+0", "a*".repeat(200)).parse().unwrap();
    let report = check(
        &[limit],
        &DiffTable::of(&[], &[row(&"a".repeat(2000), 1, 1)]),
    );
    assert_eq!(report.exceeded, []);
}

#[test]
fn the_largest_changes_come_first_and_then_names() {
    let before = [row("b", 1, 10), row("same", 1, 10), row("gone", 3, 30)];
    let after = [
        row("c", 1, 20),
        row("a", 1, 20),
        row("same", 1, 10),
        row("b", 1, 5),
        Row {
            is_estimate: true,
            ..row("b", 1, 5)
        },
    ];
    let diff = DiffTable::of(&before, &after);
    let names: Vec<_> = diff.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["gone", "a", "c", "b", "same"]);
    assert_eq!(
        diff.rows[3],
        DiffRow {
            name: "b".into(),
            n_before: 1,
            n_after: 2,
            bytes_before: 10,
            bytes_after: 10,
            is_estimate: true
        }
    );
    assert_eq!((diff.total.n_before, diff.total.n_after), (5, 5));
    assert_eq!(diff.total.bytes_delta(), 10);
}

#[test]
fn sums_and_changes_do_not_overflow() {
    let huge = [row("a", i64::MAX, i64::MAX), row("a", i64::MAX, i64::MAX)];
    let low = [row("a", i64::MIN, i64::MIN)];
    let diff = DiffTable::of(&low, &huge);
    assert_eq!(diff.rows[0].bytes_delta(), i64::MAX);
    check(&limits(&["a:+5%", "total:+5"]), &diff);
}

#[test]
fn rows_are_made_of_kinds_looks_and_snapshots() {
    let kind = KindRow {
        kind: "dict of a.B".into(),
        n_objects: -1,
        size_bytes: -20,
    };
    assert_eq!(Row::from(&kind), row("dict of a.B", -1, -20));
    let of_type = TypeCount {
        type_key: "a.B".into(),
        n_objects: u64::MAX,
        size_bytes: 5,
        is_estimate: true,
        ..TypeCount::default()
    };
    let expected = Row {
        is_estimate: true,
        ..row("a.B", i64::MAX, 5)
    };
    assert_eq!(Row::from(&of_type), expected);
    let mut snapshot = Snapshot::default();
    for (name, flags) in [
        ("A.B", leakhunt_wire::TypeFlags::ESTIMATE),
        ("C", 0),
        ("D", 0),
    ] {
        snapshot.types.push(Type {
            module: "shop".into(),
            qualname: name.into(),
            flags,
            ..Type::default()
        });
    }
    snapshot.types[1].flags = leakhunt_wire::TypeFlags::FRAME;
    for (address, type_id) in [(16, 0), (32, 1), (48, 0), (64, 0)] {
        snapshot.objects.address.push(address);
        snapshot.objects.type_id.push(TypeId(type_id));
        snapshot.objects.size_bytes.push(10 * address);
    }
    let rows = types_of(&snapshot, &|object| object.0 != 2);
    let expected = Row {
        is_estimate: true,
        ..row("shop.A.B", 2, 800)
    };
    assert_eq!(rows, [expected]);
}
