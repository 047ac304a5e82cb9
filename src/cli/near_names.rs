//! Names near one that nothing has.

use crate::render::text::escape_controls;

/// How many names are suggested.
const MAX_NAMES: usize = 5;
/// How near a name has to be, 1 being equal.
const NEAR: f64 = 0.8;

/// The nearest of the names told of. Memory: as many names as are suggested.
#[derive(Debug)]
pub(crate) struct NearNames {
    wanted: String,
    /// The nearest first.
    names: Vec<(f64, String)>,
}

impl NearNames {
    /// For a name that was typed, short or dotted.
    pub(crate) fn new(wanted: &str) -> Self {
        Self {
            wanted: wanted.to_owned(),
            names: Vec::new(),
        }
    }

    /// Forgets the names so far.
    pub(crate) fn forget(&mut self) {
        self.names.clear();
    }

    /// There is such a type.
    pub(crate) fn add(&mut self, module: &str, qualname: &str, name: &str) {
        let full = match module {
            "" => qualname.to_owned(),
            module => format!("{module}.{qualname}"),
        };
        let wanted_last = self.wanted.rsplit('.').next().unwrap_or(&self.wanted);
        let near = nearness(&self.wanted, &full)
            .max(nearness(&self.wanted, name))
            .max(nearness(wanted_last, name));
        if near < NEAR || self.names.iter().any(|(_, known)| *known == full) {
            return;
        }
        let place = self.names.partition_point(|(other, _)| *other >= near);
        self.names.insert(place, (near, full));
        self.names.truncate(MAX_NAMES);
    }

    /// The nearest names, where there are any.
    pub(crate) fn nearest(&self) -> Option<String> {
        let names: Vec<_> = self
            .names
            .iter()
            .map(|(_, name)| escape_controls(name))
            .collect();
        (!names.is_empty()).then(|| format!("there are: {}", names.join(", ")))
    }
}

fn nearness(wanted: &str, name: &str) -> f64 {
    // Comparing takes time by the product of the lengths, and a target may have any names.
    if wanted.len().max(name.len()) > 200 {
        return 0.0;
    }
    if wanted.eq_ignore_ascii_case(name) {
        return 1.0;
    }
    strsim::jaro_winkler(&wanted.to_lowercase(), &name.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested_the_nearest_first() {
        let mut names = NearNames::new("Templte");
        for (module, name) in [("", "dict"), ("jinja2", "Templates"), ("shop", "Template")] {
            names.add(module, name, name);
            names.add(module, name, name);
        }
        let nearest = names.nearest();
        assert_eq!(
            nearest.as_deref(),
            Some("there are: shop.Template, jinja2.Templates")
        );
    }

    #[test]
    fn another_case_or_another_module_is_near() {
        for wanted in ["template", "wrong.module.Template"] {
            let mut names = NearNames::new(wanted);
            names.add("shop", "Template", "Template");
            assert_eq!(
                names.nearest().as_deref(),
                Some("there are: shop.Template"),
                "{wanted}"
            );
        }
    }

    #[test]
    fn a_target_of_many_names_does_not_fill_the_memory() {
        let mut names = NearNames::new("Template");
        for n in 0..100_000 {
            names.add("shop", &format!("Template{n}"), "Template");
        }
        names.add("", &"x".repeat(1_000_000), "y");
        assert_eq!(names.names.len(), MAX_NAMES);
    }
}
