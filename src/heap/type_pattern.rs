//! Types by the name that a person types.

use crate::gate::glob_matches;
use crate::snapshot::Type;

/// A short name (`Template`), a dotted one (`shop.cache.Template`, `builtins.dict`), or a pattern
/// (`shop.*`, `*Cache`): `*` is any text, `?` any character, `[abc]` one of a set. A pattern without a
/// dot is of short names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TypePattern {
    text: String,
}

impl TypePattern {
    /// What was typed.
    pub fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
        }
    }

    /// What was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it means a type.
    pub fn matches(&self, of_type: &Type) -> bool {
        let key = of_type.key();
        let is_builtin = of_type.module.is_empty();
        let text = match self.text.strip_prefix("builtins.") {
            Some(name) if is_builtin => name,
            _ => &self.text,
        };
        if [&key, &of_type.name, &of_type.qualname].contains(&&text.to_owned()) {
            return true;
        }
        let is_pattern = text.contains(['*', '?', '[']);
        let name = match self.text.contains('.') {
            true => &key,
            false => &of_type.name,
        };
        is_pattern && glob_matches(text, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(module: &str, qualname: &str) -> Type {
        Type {
            module: module.to_owned(),
            qualname: qualname.to_owned(),
            name: qualname.rsplit('.').next().unwrap_or_default().to_owned(),
            ..Type::default()
        }
    }

    #[test]
    fn short_dotted_and_patterned_names_are_understood() {
        let entry = of("shop.cache", "Outer.Entry");
        for text in [
            "Entry",
            "Outer.Entry",
            "shop.cache.Outer.Entry",
            "shop.*",
            "*.Entry",
            "En*",
            "[EF]ntr?",
        ] {
            assert!(TypePattern::new(text).matches(&entry), "{text}");
        }
        for text in [
            "entry",
            "cache.Outer.Entry",
            "shop",
            "Outer*",
            "builtins.Entry",
            "",
        ] {
            assert!(!TypePattern::new(text).matches(&entry), "{text}");
        }
        let dict = of("", "dict");
        for text in ["dict", "builtins.dict", "d?ct", "builtins.*"] {
            assert!(TypePattern::new(text).matches(&dict), "{text}");
        }
        assert!(!TypePattern::new("shop.dict").matches(&dict));
    }
}
