//! By how much a type, or all of them, may grow.

use std::fmt;
use std::str::FromStr;

use super::{DiffRow, Exceeded};

/// The name that stands for all types.
pub(super) const TOTAL: &str = "total";

/// By how much the types of a name may grow: `shop.Template:+100`, `shop.*:+10MB`, `total:+5%`.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    name: String,
    allowed: Allowed,
    written: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Allowed {
    Objects(i64),
    Bytes(i64),
    /// Of the bytes before.
    Percent(f64),
}

/// Why a text is no limit.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// No `:+`.
    #[error(
        "`{0}` is no limit: write a type, `:+` and by how much it may grow, as in \
         `shop.Template:+100`, `shop.*:+10MB` or `total:+5%`"
    )]
    NoFigure(String),
    /// Nothing before the `:+`.
    #[error("`{0}` names no type: write `total{0}` for all types, or `*{0}` for each")]
    NoName(String),
    /// A figure below zero.
    #[error(
        "`{0}` has a figure below zero: a limit is by how much a type may grow, at least `:+0`"
    )]
    Negative(String),
    /// Not a number with one of the known units.
    #[error(
        "`{figure}` in `{limit}` is no figure: write a number of objects (`100`), bytes (`10MB`, \
         `10MiB`, `512kB`, `64B`) or a percentage (`5%`)"
    )]
    BadFigure {
        /// The limit.
        limit: String,
        /// What follows the `:+`.
        figure: String,
    },
    /// More than there can be.
    #[error("the figure of `{0}` is too large")]
    TooLarge(String),
}

impl Limit {
    /// Whether it is for the sum of all types.
    pub(super) fn is_total(&self) -> bool {
        self.name == TOTAL
    }

    /// Whether it is for a type of this name, or for each of many and one of them has this name.
    pub(super) fn matches(&self, name: &str) -> bool {
        !self.is_total() && (self.name == name || glob_matches(&self.name, name))
    }

    /// What is over the limit, if anything is.
    pub(super) fn exceeded_by(&self, row: &DiffRow) -> Option<Exceeded> {
        let (is_bytes, allowed) = match self.allowed {
            Allowed::Objects(allowed) => (false, allowed),
            Allowed::Bytes(allowed) => (true, allowed),
            Allowed::Percent(percent) => (true, share(row.bytes_before, percent)),
        };
        let growth = if is_bytes {
            row.bytes_delta()
        } else {
            row.objects_delta()
        };
        (growth > allowed).then(|| Exceeded {
            limit: self.written.clone(),
            row: row.clone(),
            is_bytes,
            growth,
            allowed,
        })
    }
}

/// Percent of so many bytes, cut to a whole number. What is a whole number in decimal is not a hair
/// less in binary.
fn share(bytes: i64, percent: f64) -> i64 {
    let share = bytes.max(0) as f64 * percent / 100.0;
    (share * (1.0 + 4.0 * f64::EPSILON)) as i64
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl FromStr for Limit {
    type Err = LimitError;

    /// The last `:+` ends the name: names of types may hold `:` and blanks.
    fn from_str(written: &str) -> Result<Self, LimitError> {
        let Some((name, figure)) = written.rsplit_once(":+") else {
            return Err(match written.rsplit_once(":-") {
                Some((_, figure)) if parse_figure(figure).is_some() => {
                    LimitError::Negative(written.to_owned())
                }
                _ => LimitError::NoFigure(written.to_owned()),
            });
        };
        if name.trim().is_empty() {
            return Err(LimitError::NoName(written.trim().to_owned()));
        }
        if figure.trim_start().starts_with('-') {
            return Err(LimitError::Negative(written.to_owned()));
        }
        let Some(allowed) = parse_figure(figure) else {
            return Err(LimitError::BadFigure {
                limit: written.to_owned(),
                figure: figure.to_owned(),
            });
        };
        let allowed = allowed.ok_or_else(|| LimitError::TooLarge(written.to_owned()))?;
        Ok(Self {
            name: name.to_owned(),
            allowed,
            written: written.to_owned(),
        })
    }
}

/// `None` for what is no figure, `Some(None)` for one that is too large.
fn parse_figure(figure: &str) -> Option<Option<Allowed>> {
    let figure = figure.trim();
    let unit_at = figure
        .find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_')
        .unwrap_or(figure.len());
    let (number, unit) = figure.split_at(unit_at);
    let number = number.replace('_', "");
    if !number.starts_with(|c: char| c.is_ascii_digit()) || number.ends_with('.') {
        return None;
    }
    let unit = unit.trim_start();
    if unit.is_empty() {
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        return Some(number.parse().ok().map(Allowed::Objects));
    }
    let value: f64 = number.parse().ok()?;
    if unit == "%" {
        return Some(value.is_finite().then_some(Allowed::Percent(value)));
    }
    let factor = match unit.to_ascii_lowercase().as_str() {
        "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    let bytes = (value * factor).round();
    Some((bytes < i64::MAX as f64).then_some(Allowed::Bytes(bytes as i64)))
}

/// `*` is any text, `?` any character, `[abc]`, `[a-z]` and `[!a]` one of a set; a `[` that nothing
/// closes is itself. Cost: at most the product of the lengths.
pub(crate) fn glob_matches(glob: &str, text: &str) -> bool {
    let (glob, text): (Vec<char>, Vec<char>) = (glob.chars().collect(), text.chars().collect());
    let (mut at_glob, mut at_text) = (0, 0);
    // Where the last `*` stands, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while at_text < text.len() {
        let step = match glob.get(at_glob) {
            Some('*') => {
                star = Some((at_glob, at_text));
                at_glob += 1;
                continue;
            }
            Some(_) => one_matches(&glob[at_glob..], text[at_text]),
            None => None,
        };
        match (step, star) {
            (Some(len), _) => {
                at_glob += len;
                at_text += 1;
            }
            (None, Some((star_at, taken))) => {
                star = Some((star_at, taken + 1));
                at_glob = star_at + 1;
                at_text = taken + 1;
            }
            (None, None) => return false,
        }
    }
    glob[at_glob..].iter().all(|&c| c == '*')
}

/// How long the start of the glob is that matches this character.
fn one_matches(glob: &[char], c: char) -> Option<usize> {
    let single = |is_match: bool| is_match.then_some(1);
    match glob.first()? {
        '?' => Some(1),
        '[' => {
            let is_negated = matches!(glob.get(1), Some('!' | '^'));
            let first = if is_negated { 2 } else { 1 };
            // A `]` right at the start is one of the set.
            let Some(len) = glob.iter().skip(first + 1).position(|&c| c == ']') else {
                return single(c == '[');
            };
            let end = first + 1 + len;
            (set_holds(&glob[first..end], c) != is_negated).then_some(end + 1)
        }
        &literal => single(literal == c),
    }
}

fn set_holds(mut set: &[char], c: char) -> bool {
    while let Some(&low) = set.first() {
        if let [_, '-', high, ..] = set {
            if (low..=*high).contains(&c) {
                return true;
            }
            set = &set[3..];
        } else {
            if low == c {
                return true;
            }
            set = &set[1..];
        }
    }
    false
}
