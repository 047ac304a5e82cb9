//! What a stream tells beside the objects: types, labels, texts, roots, the order of birth.

use leakhunt_wire::{
    GraphEnd, GraphReader, LabelKind, MAX_KEY_CHARS, OrderHead, Record, RootKind as SentRoot,
    StateDef, StateKind,
};

use super::AssembleError;
use super::addresses::Addresses;
use crate::collector::CollectorState;
use crate::look::{MAX_NAME_BYTES, MAX_TYPES};
use crate::snapshot::{
    CUT, LabelName, ObjId, ObjectState, Objects, Root, RootKind, StrId, Strings, Type, TypeId,
};

/// The most labels and roots of a stream.
const MAX_LABELS: usize = 10_000_000;
/// Lists of the collector: three generations and the frozen objects.
const LISTS: usize = 4;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    pub(super) types: Vec<Type>,
    pub(super) strings: Strings,
    pub(super) end: Option<GraphEnd>,
    pub(super) collector: CollectorState,
    /// Names of the fields of each type.
    fields: Vec<Vec<StrId>>,
    labels: Vec<LabelName>,
    key_texts: Vec<(u64, StrId)>,
    states: Vec<(u64, ObjectState)>,
    roots: Vec<(RootKind, u64, u64, String)>,
    /// Of each list: objects met from its start, and those met from its end.
    places: [[Vec<u64>; 2]; LISTS],
    name_bytes: usize,
}

impl Catalogue {
    /// Takes a record that is no object.
    pub(super) fn add(
        &mut self,
        reader: &mut GraphReader<'_>,
        record: Record<'_>,
    ) -> Result<(), AssembleError> {
        match record {
            Record::Type(def) => {
                in_turn("type", def.index, self.types.len(), MAX_TYPES)?;
                self.count_name(def.module.len() + def.qualname.len() + def.name.len())?;
                self.fields.push(Vec::new());
                self.types.push(Type {
                    address: def.address,
                    module: def.module.to_owned(),
                    qualname: def.qualname.to_owned(),
                    name: def.name.to_owned(),
                    flags: def.flags,
                    basic_size: def.basic_size,
                    base: def.base,
                });
            }
            Record::Field(def) => {
                let name = self.text(def.text)?;
                self.fields
                    .get_mut(def.type_index as usize)
                    .ok_or(AssembleError::Unknown {
                        what: "type",
                        number: def.type_index.into(),
                    })?
                    .push(name);
            }
            Record::Label(def) => {
                in_turn("label", def.index, self.labels.len(), MAX_LABELS)?;
                let text = self.text(def.text)?;
                self.labels.push(match def.kind {
                    LabelKind::Attribute => LabelName::Attribute(text),
                    LabelKind::Local => LabelName::Local(text),
                    LabelKind::Internal => LabelName::Internal(text),
                });
            }
            Record::Key(key) if key.is_cut => {
                let start = key.text.chars().take(MAX_KEY_CHARS);
                self.add_key(key.address, &start.chain([CUT]).collect::<String>());
            }
            Record::Key(key) => self.add_key(key.address, key.text),
            Record::Root(root) => {
                if self.roots.len() >= MAX_LABELS {
                    return Err(AssembleError::TooMany { what: "roots" });
                }
                self.count_name(root.text.len())?;
                let kind = match root.kind {
                    SentRoot::Modules => RootKind::Modules,
                    SentRoot::Builtins => RootKind::Builtins,
                    SentRoot::Frame => RootKind::Frame,
                    SentRoot::Interpreter => RootKind::Interpreter,
                    SentRoot::Thread => RootKind::Thread,
                };
                self.roots
                    .push((kind, root.address, root.number, root.text.to_owned()));
            }
            Record::Order(head) => self.add_places(head, reader)?,
            Record::Collector(collector) => self.collector = CollectorState::from(&collector),
            Record::State(state) => self.add_state(state)?,
            Record::End(end) => self.end = Some(end),
            Record::Node(_) | Record::More(_) => {}
        }
        Ok(())
    }

    /// Keys of too much text in all are left without: their entries go by their places.
    fn add_key(&mut self, address: u64, text: &str) {
        if let Ok(text) = self.text(text) {
            self.key_texts.push((address, text));
        } else {
            self.name_bytes -= text.len();
        }
    }

    fn add_state(&mut self, def: StateDef) -> Result<(), AssembleError> {
        if self
            .states
            .last()
            .is_some_and(|&(address, _)| address == def.address)
        {
            let address = def.address;
            return Err(AssembleError::Twice { address });
        }
        let state = match def.kind {
            StateKind::Created => ObjectState::Created,
            StateKind::Suspended => ObjectState::Suspended(u32::try_from(def.number).unwrap_or(0)),
            StateKind::Running => ObjectState::Running,
            StateKind::Finished => ObjectState::Finished,
            StateKind::Pending => ObjectState::Pending,
            StateKind::Cancelled => ObjectState::Cancelled,
            StateKind::Open => ObjectState::Open,
            StateKind::Closed => ObjectState::Closed,
            StateKind::Bounded => ObjectState::Bounded(def.number),
            StateKind::Defaults => {
                ObjectState::Defaults(u32::try_from(def.number).unwrap_or(u32::MAX))
            }
        };
        self.states.push((def.address, state));
        Ok(())
    }

    /// How many objects the collector's lists have.
    pub(super) fn n_places(&self) -> u64 {
        let lists = self.places.as_flattened();
        lists.iter().map(|places| places.len() as u64).sum()
    }

    fn add_places(
        &mut self,
        head: OrderHead,
        reader: &mut GraphReader<'_>,
    ) -> Result<(), AssembleError> {
        let list = self
            .places
            .get_mut(head.list as usize)
            .ok_or(AssembleError::Unknown {
                what: "list",
                number: head.list.into(),
            })?;
        let places = &mut list[usize::from(head.from_end)];
        while let Some(address) = reader.place()? {
            places.push(address);
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<StrId, AssembleError> {
        self.count_name(text.len())?;
        Ok(self.strings.add(text))
    }

    fn count_name(&mut self, n_bytes: usize) -> Result<(), AssembleError> {
        self.name_bytes += n_bytes;
        if self.name_bytes > MAX_NAME_BYTES {
            return Err(AssembleError::TooMany { what: "names" });
        }
        Ok(())
    }

    pub(super) fn type_id(&self, index: u32) -> Result<TypeId, AssembleError> {
        if (index as usize) < self.types.len() {
            Ok(TypeId(index))
        } else {
            Err(AssembleError::Unknown {
                what: "type",
                number: index.into(),
            })
        }
    }

    pub(super) fn label(&self, index: u32) -> Result<LabelName, AssembleError> {
        self.labels
            .get(index as usize)
            .copied()
            .ok_or(AssembleError::Unknown {
                what: "label",
                number: index.into(),
            })
    }

    pub(super) fn field(&self, type_index: usize, place: usize) -> Option<StrId> {
        self.fields.get(type_index)?.get(place).copied()
    }

    /// The place of each object in the order of birth, where the old, the middle and the young
    /// generation start in it, and how many of the lists' objects are none.
    pub(super) fn birth_places(&mut self, addresses: &Addresses) -> (Vec<u32>, [u32; 3], u64) {
        let mut birth_place = vec![Objects::UNTRACKED; addresses.len()];
        let mut starts = [0; LISTS];
        let (mut place, mut n_unknown) = (0, 0);
        for list in (0..LISTS).rev() {
            starts[LISTS - 1 - list] = place;
            let [from_start, from_end] = std::mem::take(&mut self.places[list]);
            for address in from_start.into_iter().chain(from_end.into_iter().rev()) {
                match addresses.find(address) {
                    Some(index) if birth_place[index] == Objects::UNTRACKED => {
                        birth_place[index] = place;
                        place += 1;
                    }
                    _ => n_unknown += 1,
                }
            }
        }
        let [_, old, middle, young] = starts;
        (birth_place, [old, middle, young], n_unknown)
    }

    pub(super) fn roots(&mut self, addresses: &Addresses) -> Vec<Root> {
        std::mem::take(&mut self.roots)
            .into_iter()
            .filter_map(|(kind, address, thread, text)| {
                let object = object_at(addresses, address)?;
                Some(Root {
                    kind,
                    object,
                    thread,
                    text,
                })
            })
            .collect()
    }

    pub(super) fn key_texts(&mut self, addresses: &Addresses) -> Vec<(ObjId, StrId)> {
        sorted_by_object(&mut self.key_texts, addresses)
    }

    pub(super) fn states(&mut self, addresses: &Addresses) -> Vec<(ObjId, ObjectState)> {
        sorted_by_object(&mut self.states, addresses)
    }
}

fn sorted_by_object<T: Copy + Ord>(
    told: &mut Vec<(u64, T)>,
    addresses: &Addresses,
) -> Vec<(ObjId, T)> {
    let mut rows: Vec<_> = std::mem::take(told)
        .into_iter()
        .filter_map(|(address, value)| Some((object_at(addresses, address)?, value)))
        .collect();
    rows.sort_unstable();
    rows.dedup_by_key(|&mut (object, _)| object);
    rows
}

fn object_at(addresses: &Addresses, address: u64) -> Option<ObjId> {
    Some(ObjId(u32::try_from(addresses.find(address)?).ok()?))
}

/// Definitions are numbered in the order of appearance.
fn in_turn(
    what: &'static str,
    index: u32,
    n_known: usize,
    most: usize,
) -> Result<(), AssembleError> {
    if n_known >= most {
        return Err(AssembleError::TooMany { what });
    }
    if index as usize != n_known {
        return Err(AssembleError::Unknown {
            what,
            number: n_known as u64,
        });
    }
    Ok(())
}
