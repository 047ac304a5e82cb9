//! What functions are called, as far as the graph knows: by their code and the module whose globals
//! they have.

use std::collections::{HashMap, HashSet};

use crate::attributes::{attribute, entries, entry, field, items};
use crate::paths::is_stdlib;
use crate::snapshot::{LabelName, ObjId, ObjectState, RootKind, Snapshot};

/// The modules by their globals. `O(modules)`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Functions {
    modules: HashMap<ObjId, String>,
    by_name: HashMap<String, ObjId>,
    /// Packages that several distributions put theirs into, with none of their own.
    namespaces: HashSet<String>,
}

/// A function.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FunctionName {
    /// The module whose globals it has; empty where it is not known.
    pub module: String,
    /// `__qualname__`, or `__name__` up to Python 3.10.
    pub name: String,
}

impl FunctionName {
    /// `module.name`.
    pub fn key(&self) -> String {
        crate::look::type_key(&self.module, &self.name)
    }
}

/// Types whose objects run the code that they refer to.
const WITH_CODE: [&str; 5] = [
    "function",
    "frame",
    "generator",
    "coroutine",
    "async_generator",
];

impl Functions {
    /// Looks into `sys.modules`.
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        let (mut modules, mut by_name) = (HashMap::new(), HashMap::new());
        let mut namespaces = HashSet::new();
        let of_modules = |root: &&crate::snapshot::Root| root.kind == RootKind::Modules;
        for root in snapshot.roots.iter().filter(of_modules) {
            for (name, module) in entries(snapshot, root.object) {
                let globals = field(snapshot, module, "__dict__");
                if let (Some(name), Some(globals)) = (snapshot.key_text(name), globals) {
                    // `__main__` may be there by another name, too: the first is the one to know.
                    by_name.entry(name.to_owned()).or_insert(globals);
                    if is_namespace(snapshot, globals) {
                        namespaces.insert(name.to_owned());
                    }
                    modules.entry(globals).or_insert_with(|| name.to_owned());
                }
            }
        }
        Self {
            modules,
            by_name,
            namespaces,
        }
    }

    /// The top-level package of a module; one in a namespace package goes with the name of that.
    pub(crate) fn package_of<'m>(&self, module: &'m str) -> &'m str {
        let ends = module.match_indices('.').map(|(end, _)| end);
        let mut packages = ends.map(|end| &module[..end]);
        packages
            .find(|package| !self.namespaces.contains(*package))
            .unwrap_or(module)
    }

    /// The globals of a module.
    pub(crate) fn globals_of(&self, module: &str) -> Option<ObjId> {
        self.by_name.get(module).copied()
    }

    /// The name of a function, a bound method, a `functools.partial`, or of what a frame, a generator
    /// or a coroutine runs.
    pub(crate) fn name_of(&self, snapshot: &Snapshot, object: ObjId) -> Option<FunctionName> {
        let of_type = snapshot.type_of(object);
        match &*of_type.key() {
            "method" => self.name_of(snapshot, field(snapshot, object, "__func__")?),
            "functools.partial" => self.name_of(snapshot, attribute(snapshot, object, "func")?),
            kind if WITH_CODE.contains(&kind) => {
                let code = code_of(snapshot, object)?;
                let name = ["co_qualname", "co_name"]
                    .into_iter()
                    .find_map(|name| snapshot.key_text(field(snapshot, code, name)?))?;
                let module = self.module_of(snapshot, object).unwrap_or_default();
                Some(FunctionName {
                    module: module.to_owned(),
                    name: name.to_owned(),
                })
            }
            _ => None,
        }
    }

    /// The module whose globals a function has, or what runs one.
    pub(crate) fn module_of(&self, snapshot: &Snapshot, object: ObjId) -> Option<&str> {
        let module = self.modules.get(&globals_of(snapshot, object)?)?;
        Some(module)
    }

    /// The module that a class without objects was made in: that of its first method, without those
    /// that Python's own modules put into classes.
    pub(crate) fn module_of_class(&self, snapshot: &Snapshot, class: ObjId) -> Option<&str> {
        let attributes = entries(snapshot, field(snapshot, class, "__dict__")?);
        attributes
            .filter(|&(_, value)| snapshot.type_of(value).key() == "function")
            .filter_map(|(_, method)| self.module_of(snapshot, method))
            .find(|module| !is_stdlib(module))
    }

    /// The name of a class: of its objects' type, or as the code of its methods says (Python 3.11 on).
    pub(crate) fn name_of_class(&self, snapshot: &Snapshot, class: ObjId) -> Option<FunctionName> {
        let address = snapshot.objects.address[class.0 as usize];
        if let Some(of_type) = snapshot.types.iter().find(|one| one.address == address) {
            return Some(FunctionName {
                module: of_type.module.clone(),
                name: of_type.qualname.clone(),
            });
        }
        entries(snapshot, field(snapshot, class, "__dict__")?).find_map(|(key, value)| {
            let FunctionName { module, name } = self.name_of(snapshot, value)?;
            let suffix = format!(".{}", snapshot.key_text(key)?);
            let name = name.strip_suffix(&suffix)?.to_owned();
            Some(FunctionName { module, name })
        })
    }

    /// The name of the variable that a cell of a function's closure is of.
    pub(crate) fn free_variable<'s>(
        &self,
        snapshot: &'s Snapshot,
        function: ObjId,
        cell: ObjId,
    ) -> Option<&'s str> {
        let cells: Vec<ObjId> =
            items(snapshot, field(snapshot, function, "__closure__")?).collect();
        let place = cells.iter().position(|&one| one == cell)?;
        let code = code_of(snapshot, function)?;
        let names = names_of_variables(snapshot, code)?;
        let names: Vec<ObjId> = items(snapshot, names).collect();
        // The free variables come last.
        let first = names.len().checked_sub(cells.len())?;
        snapshot.key_text(names[first + place])
    }

    /// The name of the parameter that one of a function's defaults is of, by its place among these.
    pub(crate) fn parameter<'s>(
        &self,
        snapshot: &'s Snapshot,
        function: ObjId,
        place: u32,
    ) -> Option<&'s str> {
        let Some(ObjectState::Defaults(n_positional)) = snapshot.state_of(function) else {
            return None;
        };
        let defaults = items(snapshot, field(snapshot, function, "__defaults__")?);
        let first = (n_positional as usize).checked_sub(defaults.count())?;
        let names = names_of_locals(snapshot, code_of(snapshot, function)?)?;
        let name = items(snapshot, names).nth(first + place as usize)?;
        snapshot.key_text(name)
    }
}

/// Whether a module is a package without a file, whose parts may be anywhere on `sys.path`.
fn is_namespace(snapshot: &Snapshot, globals: ObjId) -> bool {
    entry(snapshot, globals, "__path__")
        .is_some_and(|path| snapshot.type_of(path).name == *"_NamespacePath")
}

/// The code of a function, or of what runs one; up to 3.10 a suspended one has it in its frame, too.
fn code_of(snapshot: &Snapshot, object: ObjId) -> Option<ObjId> {
    snapshot
        .references_of(object)
        .map(|(_, target)| target)
        .find(|&target| snapshot.type_of(target).key() == "code")
}

/// The globals of a function, or of what runs one: of its frame, and from 3.11 on of the function there.
fn globals_of(snapshot: &Snapshot, object: ObjId) -> Option<ObjId> {
    let own = |object| {
        ["__globals__", "f_globals"]
            .into_iter()
            .find_map(|name| field(snapshot, object, name))
    };
    own(object).or_else(|| {
        ["function", "frame"]
            .into_iter()
            .find_map(|name| own(internal(snapshot, object, name)?))
    })
}

/// What an object refers to in a way that no code can name.
fn internal(snapshot: &Snapshot, object: ObjId, name: &str) -> Option<ObjId> {
    let name = snapshot.strings.find(name)?;
    snapshot
        .references_of(object)
        .find(|(label, _)| label.name() == LabelName::Internal(name))
        .map(|(_, target)| target)
}

/// The tuple that ends with the names of the free variables.
fn names_of_variables(snapshot: &Snapshot, code: ObjId) -> Option<ObjId> {
    field(snapshot, code, "co_freevars").or_else(|| internal(snapshot, code, "co_localsplusnames"))
}

/// The tuple that begins with the names of the parameters.
fn names_of_locals(snapshot: &Snapshot, code: ObjId) -> Option<ObjId> {
    internal(snapshot, code, "co_localsplusnames").or_else(|| field(snapshot, code, "co_varnames"))
}
