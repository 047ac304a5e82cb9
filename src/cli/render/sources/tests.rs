use super::*;
use time::macros::datetime;

fn template(number: u64) -> SourceObject {
    SourceObject {
        address: 0x7f3a_1c20_4a90 + 64 * number,
        type_key: "shop.Template".into(),
        type_name: "Template".into(),
        count_before: 1_236,
        count: 2_905,
        holder: Some(SourceHolder {
            name: "shop.cache.RENDERED".into(),
            type_key: "list".into(),
            package: Some("shop".into()),
        }),
        holder_share_estimate: Some(1.0),
        path: Some(format!("sys.modules['shop.cache'].RENDERED[{number}]")),
        evaluates: true,
        looks: Looks::new(Note::Whole, &format!("<Template 'p{number}'>")),
        file: None,
        referrer: Some(Looks::new(Note::Whole, "[<Template 'it\\'s'>]")),
        made_at: vec![],
    }
}

fn look(number: u64, objects: Vec<SourceObject>) -> SourcesLook {
    SourcesLook {
        pid: 4121,
        time: datetime!(2026-02-03 04:05:06.789 UTC),
        look: number,
        elapsed: (number > 1).then_some(Duration::from_secs(30)),
        pause_us: 6_214,
        n_objects: 14_299,
        size_bytes: 2_300_000,
        n_types: n_types_of(&objects),
        objects,
        overflow: vec![],
        notes: vec![],
        has_other_notes: true,
    }
}

fn view(format: SourcesFormat, rank: SourcesRank) -> SourcesView {
    SourcesView {
        format,
        rank,
        interval: Duration::from_secs(30),
        goes_on: true,
    }
}

fn text(look: &SourcesLook) -> String {
    view(SourcesFormat::Text, SourcesRank::Growth).text(look)
}

fn ha(look: &SourcesLook) -> String {
    view(SourcesFormat::Ha, SourcesRank::Gc).home_assistant(look)
}

#[test]
fn the_holder_stands_first_and_once() {
    let traced = SourceObject {
        made_at: vec!["/srv/shop.py:12".into(), "/srv/shop.py:40".into()],
        ..template(2_903)
    };
    let other = SourceObject {
        type_key: "str".into(),
        made_at: vec![],
        looks: Looks::new(Note::Shortened, "'<h1>…"),
        ..traced.clone()
    };
    assert_eq!(
        text(&look(2, vec![template(2_904), traced, other])),
        "look 2 at 04:05:06 UTC, 30 s after the last
shop.cache.RENDERED (list)
  +1,669 shop.Template, now 2,905
    <Template 'p2904'>
      path     sys.modules['shop.cache'].RENDERED[2904]
    <Template 'p2903'>
      path     sys.modules['shop.cache'].RENDERED[2903]
      made at  /srv/shop.py:12
               /srv/shop.py:40
  +1,669 str, now 2,905
    '<h1>…
      path     sys.modules['shop.cache'].RENDERED[2903]
objects 14,299  bytes 2.3 MB  pause 6.2 ms

"
    );
}

#[test]
fn the_first_look_says_that_it_is_the_baseline() {
    let first = text(&look(1, vec![]));
    assert!(
        first.contains("the baseline: growth shows from the next look on, in 30 s\n"),
        "{first}"
    );
    assert!(!first.contains("no type grew"));
    let ha = view(SourcesFormat::Ha, SourcesRank::Growth);
    assert_eq!(ha.home_assistant(&look(1, vec![])), "");
}

#[test]
fn nothing_alarming_is_said_when_nothing_grew() {
    assert_eq!(
        text(&look(2, vec![])),
        "look 2 at 04:05:06 UTC, 30 s after the last\nno type grew\n\
         objects 14,299  bytes 2.3 MB  pause 6.2 ms\n\n"
    );
}

#[test]
fn what_is_not_known_is_said() {
    let unknown = SourceObject {
        holder: None,
        holder_share_estimate: Some(0.625),
        path: None,
        looks: Looks::unknown(),
        ..template(0)
    };
    let mut unknown = look(2, vec![unknown]);
    unknown.n_types = 3;
    unknown.notes = vec!["the collector was at work".into()];
    let shown = text(&unknown);
    for line in [
        "not reached from any root\n",
        "  +1,669 shop.Template, now 2,905, about 62 % of the new ones here\n",
        "  <shop.Template@0x7f3a1c204a90>\n",
        "2 more types grew; --limit 0 shows all\n",
        "the collector was at work\n",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    let timed_out = SourceObject {
        looks: Looks::new(Note::TimedOut, ""),
        evaluates: false,
        holder: Some(SourceHolder {
            name: "frame handle(): local rows".into(),
            type_key: "list".into(),
            package: Some("shop".into()),
        }),
        ..template(0)
    };
    let shown = text(&look(2, vec![timed_out]));
    assert!(shown.contains("(its repr took too long)"), "{shown}");
    assert!(shown.contains("rows (list), package shop\n"), "{shown}");
    unknown.has_other_notes = false;
    assert!(!text(&unknown).contains("collector"));
    assert!(shown.contains("RENDERED[0]  (not to be typed)"), "{shown}");
}

#[test]
fn the_target_does_not_steer_the_terminal() {
    let evil = SourceObject {
        looks: Looks::new(Note::Whole, "\x1b[2J\n"),
        path: Some("x['\x1b']".into()),
        made_at: vec!["\x07:1".into()],
        ..template(0)
    };
    let shown = text(&look(2, vec![evil]));
    assert!(!shown.contains(['\x1b', '\x07']), "{shown}");
}

#[test]
fn ha_format_is_that_of_its_log() {
    assert_eq!(
        ha(&look(2, vec![template(7)])),
        "New object Template (1236/2905) at [\"[<Template 'it\\\\'s'>]\", \"<Template 'p7'>\"]: \
         <Template 'p7'>\n"
    );
    let function = SourceObject {
        file: Some("/srv/shop.py".into()),
        ..template(7)
    };
    let mut overflowed = look(1, vec![function]);
    overflowed.overflow = vec![("dict".into(), 12), ("it's".into(), 1)];
    assert_eq!(
        ha(&overflowed),
        "New object Template (1236/2905) at /srv/shop.py: <Template 'p7'>\n\
         New objects overflowed by {'dict': 12, \"it's\": 1}\n"
    );
    assert_eq!(ha(&look(3, vec![])), "No new object growth found\n");
}

#[test]
fn json_is_the_documented_schema() {
    let mut shown = look(2, vec![template(7)]);
    shown.overflow = vec![("Template".into(), 1_668)];
    let json = view(SourcesFormat::Json, SourcesRank::Growth).look(&shown);
    assert_eq!(
        String::from_utf8(json).unwrap(),
        concat!(
            r#"{"schema":"leakhunt.sources/1","pid":4121,"time":"2026-02-03T04:05:06.789Z","look":2,"#,
            r#""rank":"growth","is_baseline":false,"pause_ms":6.214,"objects_total":14299,"#,
            r#""bytes_total":2300000,"types_grown":1,"objects":[{"address":139887556709456,"#,
            r#""type":"shop.Template","count_before":1236,"count":2905,"holder":{"#,
            r#""name":"shop.cache.RENDERED","type":"list","package":"shop"},"#,
            r#""holder_share_estimate":1.0,"path":"sys.modules['shop.cache'].RENDERED[7]","evaluates":true,"#,
            r#""text":"<Template 'p7'>","note":"whole","file":null,"made_at":[]}],"#,
            r#""overflow":[{"name":"Template","count":1668}],"notes":[]}"#,
            "\n"
        )
    );
}
