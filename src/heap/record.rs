//! One look as one line of JSON: the schema `leakhunt.growth/1`.
//!
//! Fields that this version does not know are passed over, so that a later one can add some.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::growth::Step;
use crate::look::{Look, MAX_TYPES, TypeCount};

/// The name and version of the schema.
pub const GROWTH_SCHEMA: &str = "leakhunt.growth/1";

/// A look, and how it differs from the one before.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct GrowthRecord {
    /// [`GROWTH_SCHEMA`].
    pub schema: String,
    /// The target.
    pub pid: u32,
    /// When the look was made.
    #[serde(with = "rfc3339")]
    pub time: OffsetDateTime,
    /// 1 is the baseline of a run.
    pub look: u64,
    /// How long the target's interpreter stood still, in milliseconds.
    pub pause_ms: f64,
    /// Objects of all types.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Objects that nothing reaches; `null` where it is not known.
    pub garbage: Option<u64>,
    /// The first word of `sys.version`; empty where it is not known.
    #[serde(default)]
    pub python: String,
    /// Where the heap was walked.
    #[serde(default)]
    pub place: WalkedIn,
    /// The errno of a refused copy; absent where none was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clone_errno: Option<u32>,
    /// How many walks it took.
    #[serde(default = "one")]
    pub attempts: u32,
    /// The type whose inner references were passed over since a walk crashed at it; else absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped_type: Option<String>,
    /// All types.
    pub types: Vec<RecordType>,
}

/// Where the heap was walked.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WalkedIn {
    /// In a copy-on-write child of the target.
    #[default]
    Copy,
    /// In the target itself.
    Target,
}

/// One type of a [`GrowthRecord`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct RecordType {
    /// `module.qualname`; the builtins without a module.
    #[serde(rename = "type")]
    pub type_key: String,
    /// How many objects.
    pub count: u64,
    /// Change since the look before; 0 at the baseline.
    pub delta: i64,
    /// Bytes of the objects.
    pub bytes: u64,
    /// Change since the look before; 0 at the baseline.
    pub bytes_delta: i64,
    /// Objects that nothing reaches; `null` where it is not known.
    pub garbage: Option<u64>,
    /// Bytes of those; absent when 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub garbage_bytes: u64,
    /// Objects that `gc.freeze()` hid; absent when 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub frozen: u64,
    /// `__name__`; absent when it is what follows the last dot of `type`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Place of the first object in the order of `gc.get_objects()`.
    #[serde(default)]
    pub first_seen: u64,
    /// Whether some of the bytes are an estimate; absent when not.
    #[serde(default, skip_serializing_if = "is_false")]
    pub estimate: bool,
}

/// Why a line is no record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Not JSON at all; what a crash leaves at the end of a log.
    #[error("not a line of JSON")]
    NotJson(#[source] serde_json::Error),
    /// JSON that says it is something else, or does not say.
    #[error("not a {GROWTH_SCHEMA} record, but {found}")]
    Foreign {
        /// What it says it is.
        found: String,
    },
    /// The right schema, but fields are missing or of the wrong kind.
    #[error("a damaged {GROWTH_SCHEMA} record")]
    BadField(#[source] serde_json::Error),
    /// Numbers that cannot be.
    #[error("a damaged {GROWTH_SCHEMA} record: {0}")]
    Impossible(&'static str),
}

impl GrowthRecord {
    /// A record of `step` without the circumstances of the look, which the caller fills in.
    pub fn new(pid: u32, time: OffsetDateTime, step: &Step) -> Self {
        Self {
            schema: GROWTH_SCHEMA.to_owned(),
            pid,
            time,
            look: step.look,
            pause_ms: 0.0,
            objects: step.n_objects,
            bytes: step.size_bytes,
            garbage: step.n_garbage,
            python: String::new(),
            place: WalkedIn::Copy,
            clone_errno: None,
            attempts: 1,
            skipped_type: None,
            types: step
                .rows
                .iter()
                .map(|row| RecordType {
                    type_key: row.type_key.clone(),
                    count: row.n_objects,
                    delta: row.delta,
                    bytes: row.size_bytes,
                    bytes_delta: row.bytes_delta,
                    garbage: row.n_garbage,
                    garbage_bytes: row.garbage_bytes,
                    frozen: row.n_frozen,
                    name: (row.n_objects > 0 && row.name != last_part(&row.type_key))
                        .then(|| row.name.clone()),
                    first_seen: row.first_seen,
                    estimate: row.is_estimate,
                })
                .collect(),
        }
    }

    /// Reads one line of a log.
    ///
    /// # Errors
    /// When the line is damaged or something else.
    pub fn parse(line: &[u8]) -> Result<Self, RecordError> {
        #[derive(Deserialize)]
        struct Envelope {
            schema: Option<String>,
        }
        let record = match serde_json::from_slice::<Self>(line) {
            Ok(record) => record,
            Err(error) if error.is_data() => {
                return Err(match serde_json::from_slice::<Envelope>(line) {
                    Ok(Envelope { schema: Some(own) }) if own == GROWTH_SCHEMA => {
                        RecordError::BadField(error)
                    }
                    Ok(Envelope { schema }) => foreign(schema),
                    Err(_) => foreign(None),
                });
            }
            Err(error) => return Err(RecordError::NotJson(error)),
        };
        if record.schema != GROWTH_SCHEMA {
            return Err(foreign(Some(record.schema)));
        }
        record.check()?;
        Ok(record)
    }

    fn check(&self) -> Result<(), RecordError> {
        if self.look == 0 {
            return Err(RecordError::Impossible("look 0"));
        }
        if self.types.len() > 2 * MAX_TYPES {
            return Err(RecordError::Impossible("too many types"));
        }
        if self
            .types
            .iter()
            .any(|of_type| of_type.frozen > of_type.count)
        {
            return Err(RecordError::Impossible("more frozen objects than objects"));
        }
        if self
            .types
            .iter()
            .any(|of_type| of_type.garbage > Some(of_type.count))
        {
            return Err(RecordError::Impossible("more garbage than objects"));
        }
        Ok(())
    }

    /// The look that the record was made of.
    pub fn to_look(&self) -> Look {
        let types = self.types.iter().filter(|of_type| of_type.count > 0);
        let types = types.map(|of_type| TypeCount {
            type_key: of_type.type_key.clone(),
            name: match &of_type.name {
                Some(name) => name.clone(),
                None => last_part(&of_type.type_key).to_owned(),
            },
            n_objects: of_type.count,
            size_bytes: of_type.bytes,
            n_frozen: of_type.frozen,
            n_garbage: of_type.garbage,
            garbage_bytes: of_type.garbage_bytes,
            is_estimate: of_type.estimate,
            first_seen: of_type.first_seen,
        });
        Look::from_types(types.collect(), self.garbage.is_some())
    }

    /// Microseconds since 1970.
    pub fn time_us(&self) -> i64 {
        i64::try_from(self.time.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX)
    }
}

fn foreign(schema: Option<String>) -> RecordError {
    RecordError::Foreign {
        found: match schema {
            Some(schema) => format!("`{}`", schema.escape_debug()),
            None => "something without a schema".to_owned(),
        },
    }
}

fn last_part(type_key: &str) -> &str {
    type_key.rsplit('.').next().unwrap_or(type_key)
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn one() -> u32 {
    1
}

/// Times as RFC 3339.
pub(crate) mod rfc3339 {
    use serde::{Deserialize, Deserializer, Serializer};
    use time::OffsetDateTime;
    use time::format_description::well_known::Rfc3339;

    pub(crate) fn serialize<S: Serializer>(
        time: &OffsetDateTime,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let text = time.format(&Rfc3339).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&text)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<OffsetDateTime, D::Error> {
        let text = String::deserialize(deserializer)?;
        OffsetDateTime::parse(&text, &Rfc3339).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::growth::Growth;
    use time::macros::datetime;

    fn look() -> Look {
        Look::from_types(
            vec![
                TypeCount {
                    type_key: "app.Outer.Row".into(),
                    name: "Row".into(),
                    n_objects: 12,
                    size_bytes: 576,
                    n_frozen: 2,
                    is_estimate: true,
                    first_seen: 4,
                    ..TypeCount::default()
                },
                TypeCount {
                    type_key: "dict".into(),
                    name: "renamed".into(),
                    n_objects: 5,
                    size_bytes: 320,
                    n_garbage: Some(1),
                    garbage_bytes: 64,
                    first_seen: 1,
                    ..TypeCount::default()
                },
            ],
            true,
        )
    }

    fn record() -> GrowthRecord {
        let mut growth = Growth::default();
        growth.observe(&Look::default(), 0);
        let step = growth.observe(&look(), 1);
        let time = datetime!(2026-02-03 04:05:06.789 UTC);
        GrowthRecord {
            pause_ms: 6.214,
            python: "3.12.1".into(),
            ..GrowthRecord::new(4121, time, &step)
        }
    }

    const LINE: &str = r#"{"schema":"leakhunt.growth/1","pid":4121,"time":"2026-02-03T04:05:06.789Z","look":2,"pause_ms":6.214,"objects":17,"bytes":896,"garbage":1,"python":"3.12.1","place":"copy","attempts":1,"types":[{"type":"app.Outer.Row","count":12,"delta":12,"bytes":576,"bytes_delta":576,"garbage":0,"frozen":2,"first_seen":4,"estimate":true},{"type":"dict","count":5,"delta":5,"bytes":320,"bytes_delta":320,"garbage":1,"garbage_bytes":64,"name":"renamed","first_seen":1}]}"#;

    #[test]
    fn a_record_is_one_line_of_the_documented_schema() {
        assert_eq!(serde_json::to_string(&record()).unwrap(), LINE);
    }

    #[test]
    fn a_record_gives_its_look_back() {
        let read = GrowthRecord::parse(LINE.as_bytes()).unwrap();
        assert_eq!(read, record());
        assert_eq!(read.to_look(), look());
        assert_eq!(read.time_us(), 1_770_091_506_789_000);
    }

    #[test]
    fn the_bare_schema_of_the_first_version_is_enough() {
        let line = br#"{"schema":"leakhunt.growth/1","pid":1,"time":"2026-02-03T04:05:06+01:00","look":1,"pause_ms":6,"objects":1,"bytes":9,"later":[],"types":[{"type":"a.b","count":1,"delta":0,"bytes":9,"bytes_delta":0,"garbage":null}]}"#;
        let read = GrowthRecord::parse(line).unwrap();
        assert_eq!(read.to_look().types[0].name, "b");
        assert_eq!(read.to_look().n_garbage, None);
    }

    #[test]
    fn each_cut_of_a_line_is_known_as_torn() {
        for len in 0..LINE.len() {
            let error = GrowthRecord::parse(&LINE.as_bytes()[..len]).unwrap_err();
            assert!(matches!(error, RecordError::NotJson(_)), "{len}: {error}");
        }
    }

    #[test]
    fn foreign_and_damaged_lines_are_told_apart() {
        let parse = |line: &str| GrowthRecord::parse(line.as_bytes()).unwrap_err();
        assert!(matches!(parse("hello"), RecordError::NotJson(_)));
        assert!(matches!(parse("{}"), RecordError::Foreign { .. }));
        assert!(matches!(parse("[1]"), RecordError::Foreign { .. }));
        assert_eq!(
            parse(&LINE.replace("growth/1", "growth/2")).to_string(),
            "not a leakhunt.growth/1 record, but `leakhunt.growth/2`"
        );
        assert!(matches!(
            parse(&LINE.replace("\"count\":12", "\"count\":-12")),
            RecordError::BadField(_)
        ));
        assert!(matches!(
            parse(&LINE.replace("\"frozen\":2", "\"frozen\":13")),
            RecordError::Impossible(_)
        ));
        assert!(matches!(
            parse(&LINE.replace("\"garbage\":0", "\"garbage\":13")),
            RecordError::Impossible(_)
        ));
    }
}
