//! What objects are classified by, as a person writes it.

use std::fmt;
use std::str::FromStr;

/// What objects are classified by. As text: `clodo`, `type`, `rcs`, `module`, `size`, `unity`, or some
/// of these joined by `&`; or `id`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum By {
    /// All of these, at least one: objects are of one kind when they are the same in each.
    All(Vec<Relation>),
    /// Each object by itself.
    Id,
}

/// What makes two objects the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Relation {
    /// Their type; of a `dict`, the type of the object whose `__dict__` it is.
    Clodo,
    /// Their type.
    Type,
    /// The set of the [`Relation::Clodo`] kinds of their direct referrers.
    Rcs,
    /// Each module is by itself; all else is the same.
    Module,
    /// Their size.
    Size,
    /// All are.
    Unity,
}

/// Why a text is not what objects can be classified by.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ByError {
    /// Not a known word.
    #[error(
        "objects cannot be classified by `{0}`; write one of clodo, type, rcs, module, size, unity, \
         or some of them joined by `&`, or id"
    )]
    Unknown(String),
    /// Something that guppy knows and a snapshot does not tell.
    #[error(
        "objects cannot be classified by `{0}` from outside of their process; write rcs for what \
         refers to them"
    )]
    NotInSnapshot(String),
    /// `id` with something else.
    #[error("`id` cannot be joined with others; each object is a kind of its own with it")]
    IdWithOthers,
}

impl FromStr for By {
    type Err = ByError;

    fn from_str(text: &str) -> Result<Self, ByError> {
        let words: Vec<String> = text
            .split('&')
            .map(|word| word.trim().to_ascii_lowercase())
            .collect();
        if words.iter().any(|word| word == "id") {
            return match words.len() {
                1 => Ok(Self::Id),
                _ => Err(ByError::IdWithOthers),
            };
        }
        let relations: Result<_, _> = words.iter().map(|word| relation(word)).collect();
        Ok(Self::All(relations?))
    }
}

fn relation(word: &str) -> Result<Relation, ByError> {
    match word {
        "clodo" => Ok(Relation::Clodo),
        "type" => Ok(Relation::Type),
        "rcs" => Ok(Relation::Rcs),
        "module" => Ok(Relation::Module),
        "size" => Ok(Relation::Size),
        "unity" => Ok(Relation::Unity),
        "via" | "idset" | "prod" => Err(ByError::NotInSnapshot(word.to_owned())),
        other => Err(ByError::Unknown(other.to_owned())),
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::All(relations) = self else {
            return f.write_str("id");
        };
        for (index, relation) in relations.iter().enumerate() {
            let word = match relation {
                Relation::Clodo => "clodo",
                Relation::Type => "type",
                Relation::Rcs => "rcs",
                Relation::Module => "module",
                Relation::Size => "size",
                Relation::Unity => "unity",
            };
            write!(f, "{}{word}", if index > 0 { "&" } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_classify_by_is_read_and_written() {
        for text in ["clodo", "rcs", "id", "type&size", "clodo&rcs&module&unity"] {
            let by: By = text.parse().unwrap();
            assert_eq!(by.to_string(), text);
        }
        assert_eq!(" Type & Size ".parse::<By>(), "type&size".parse());
        let error = |text: &str| text.parse::<By>().unwrap_err();
        for text in ["", "clodo&", "referrers", "&"] {
            assert!(matches!(error(text), ByError::Unknown(_)), "{text}");
        }
        assert_eq!(error("via"), ByError::NotInSnapshot("via".into()));
        assert_eq!(error("id&type"), ByError::IdWithOthers);
        assert!(
            error("x")
                .to_string()
                .contains("write one of clodo, type, rcs")
        );
    }
}
