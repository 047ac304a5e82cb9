//! Which lock a thread waits for, and which thread has it.
//!
//! The kernel tells the address that a thread waits at. A lock of `_thread` has a semaphore, which is at
//! that address; those of later 3.13 and from 3.14 on have a byte that notes whether there are waiters,
//! who sleep elsewhere. The lock object is among the variables and values of the frame that waits. An `RLock`
//! knows who has it; of a plain lock the `__exit__` of a `with` stands on the stack of who is in it.

use std::collections::BTreeMap;

use super::frames::{RawFrame, Values, values};
use super::objects::Objects;

/// The most frames that are searched for who has a lock.
const MOST_SEARCHED: usize = 20_000;

/// A lock that a thread waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LockWait {
    /// Address of the object.
    pub address: u64,
    /// What it is.
    pub kind: LockKind,
    /// The `threading.get_ident()` of the thread that has it: of an `RLock` what that says, of a plain
    /// lock whose frame is in a `with` of it, as far as its stack tells. `None` where that is not known.
    pub holder: Option<u64>,
}

/// What a lock is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LockKind {
    /// `threading.Lock`, which also conditions, events and queues are made of.
    Lock,
    /// `threading.RLock`.
    RLock,
}

/// Finds locks among the values of frames.
pub(super) struct Locks<'a> {
    objects: Objects<'a>,
    types: BTreeMap<u64, TypeKind>,
}

#[derive(Clone, Copy, PartialEq)]
enum TypeKind {
    Lock(LockKind),
    BoundBuiltin,
    Other,
}

/// A thread whose frames may be in a `with`.
pub(super) struct Searched<'a> {
    pub(super) ident: u64,
    pub(super) frames: &'a [RawFrame],
}

impl<'a> Locks<'a> {
    pub(super) fn new(objects: Objects<'a>) -> Self {
        Self {
            objects,
            types: BTreeMap::new(),
        }
    }

    /// The lock that thread `ident` with this newest frame waits for, at an address.
    pub(super) fn waited_for(
        &mut self,
        ident: u64,
        newest: &RawFrame,
        at: u64,
    ) -> Option<LockWait> {
        let Values { locals, stack } = values(&self.objects, newest)?;
        // The call that waits is what the stack ends with.
        let places = stack.into_iter().rev().chain(locals);
        places.into_iter().find_map(|place| {
            let (address, kind) = self.lock_of(place)?;
            let holder = match kind {
                LockKind::Lock => None,
                // The owner stands behind what the lock is made of.
                LockKind::RLock => self.objects.word(address + self.objects.layout.header + 8),
            };
            // Nobody waits for an `RLock` of his own.
            let can_be = self.is_waited_for(address, at) && holder != Some(ident);
            can_be.then_some(LockWait {
                address,
                kind,
                holder: holder.filter(|&ident| ident != 0),
            })
        })
    }

    /// The lock that a place of a frame refers to, by itself or as what a method is bound to.
    fn lock_of(&mut self, place: u64) -> Option<(u64, LockKind)> {
        let object = super::locals::reference(&self.objects, place)?;
        match self.kind_of(object)? {
            TypeKind::Lock(kind) => Some((object, kind)),
            TypeKind::BoundBuiltin => {
                let bound = self.objects.word(object + self.objects.layout.header + 8)?;
                match self.kind_of(bound)? {
                    TypeKind::Lock(kind) => Some((bound, kind)),
                    _ => None,
                }
            }
            TypeKind::Other => None,
        }
    }

    fn kind_of(&mut self, object: u64) -> Option<TypeKind> {
        let type_object = self.objects.type_of(object)?;
        if let Some(kind) = self.types.get(&type_object) {
            return Some(*kind);
        }
        let kind = match self.objects.type_name(type_object)?.as_str() {
            "_thread.lock" => TypeKind::Lock(LockKind::Lock),
            "_thread.RLock" => TypeKind::Lock(LockKind::RLock),
            "builtin_function_or_method" => TypeKind::BoundBuiltin,
            _ => TypeKind::Other,
        };
        self.types.insert(type_object, kind);
        Some(kind)
    }

    fn is_waited_for(&self, lock: u64, at: u64) -> bool {
        /// Bits of a `PyMutex`. No semaphore is at an address that ends so.
        const LOCKED_WITH_WAITERS: u8 = 3;
        let inner = lock + self.objects.layout.header;
        self.objects.word(inner) == Some(at)
            || self.objects.layout.minor >= 13
                && self.objects.byte(inner) == Some(LOCKED_WITH_WAITERS)
    }

    /// Sets who has the plain locks that are waited for.
    pub(super) fn find_holders(
        &mut self,
        waits: &mut BTreeMap<u64, LockWait>,
        threads: &[Searched<'_>],
    ) {
        if waits.values().all(|wait| wait.holder.is_some()) {
            return;
        }
        let all = threads
            .iter()
            .flat_map(|thread| thread.frames.iter().map(|frame| (thread.ident, frame)));
        for (ident, frame) in all.take(MOST_SEARCHED) {
            let is_newest = threads
                .iter()
                .any(|thread| thread.ident == ident && thread.frames.first() == Some(frame));
            let Some(Values { stack, .. }) = values(&self.objects, frame) else {
                continue;
            };
            for place in stack {
                let Some((address, _)) = self.lock_of(place) else {
                    continue;
                };
                // Who waits for it in a `with` has its `__exit__` on the stack as well.
                let waits_itself = is_newest
                    && waits
                        .get(&ident)
                        .is_some_and(|wait| wait.address == address);
                if waits_itself {
                    continue;
                }
                for wait in waits.values_mut() {
                    if wait.address == address && wait.holder.is_none() {
                        wait.holder = Some(ident);
                    }
                }
            }
        }
    }
}

/// The threads that wait for each other in a ring, by their idents: none of them can go on.
pub(super) fn deadlocked(waits: &BTreeMap<u64, LockWait>) -> Vec<u64> {
    let next = |ident: u64| waits.get(&ident)?.holder;
    let is_in_ring = |&start: &u64| {
        let mut ident = start;
        for _ in 0..waits.len() {
            match next(ident) {
                Some(holder) if holder == start => return true,
                Some(holder) => ident = holder,
                None => return false,
            }
        }
        false
    };
    waits.keys().copied().filter(is_in_ring).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(pairs: &[(u64, Option<u64>)]) -> BTreeMap<u64, LockWait> {
        let wait = |holder| LockWait {
            address: 8,
            kind: LockKind::Lock,
            holder,
        };
        pairs
            .iter()
            .map(|&(ident, holder)| (ident, wait(holder)))
            .collect()
    }

    #[test]
    fn a_ring_is_a_deadlock_and_who_waits_for_it_is_not_in_it() {
        let ring = waits(&[(1, Some(2)), (2, Some(3)), (3, Some(1)), (4, Some(1))]);
        assert_eq!(deadlocked(&ring), [1, 2, 3]);
        // A thread that takes a plain lock twice waits for itself.
        assert_eq!(deadlocked(&waits(&[(5, Some(5))])), [5]);
        assert_eq!(deadlocked(&waits(&[(1, Some(2)), (2, None)])), []);
        assert_eq!(deadlocked(&waits(&[(1, Some(2)), (2, Some(9))])), []);
    }
}
