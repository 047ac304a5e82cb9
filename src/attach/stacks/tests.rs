//! Whatever stands in the memory of a process, reading it ends, and without a panic.

use leakhunt_wire::{N_CAPI, ThreadState};

use super::layout::{Code, GilPlace, Layout, Runtime};
use super::objects::Objects;
use super::*;

/// Numbers that are the same at each run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

const N_WORDS: usize = 4096;

/// Memory with what a hostile process could put there: addresses within it, small numbers, and numbers
/// that are too large for all.
fn hostile(numbers: &mut Numbers, types: &[u64]) -> Vec<u64> {
    let mut memory = vec![0; N_WORDS];
    let first = memory.as_ptr() as u64;
    for word in &mut memory {
        let number = numbers.next();
        *word = match number % 8 {
            0..=2 => first + (number >> 8) % N_WORDS as u64 * 8,
            3 | 4 => types[(number >> 8) as usize % types.len()],
            5 => (number >> 8) % 64,
            6 => u64::MAX - (number >> 8) % 64,
            _ => number,
        };
    }
    memory
}

fn layout(minor: u32, is_free_threaded: bool) -> Layout {
    Layout {
        minor,
        is_free_threaded,
        header: if is_free_threaded { 32 } else { 16 },
        runtime: Runtime {
            interpreters: 32,
            next_interpreter: 0,
            threads: 8,
            modules: 56,
            gil: if minor <= 11 {
                GilPlace::Runtime {
                    main_interpreter: 384,
                    holder_before: 8,
                    gil_before: 224,
                }
            } else {
                GilPlace::Interpreter { pointer: 16 }
            },
        },
        thread: ThreadState::of(minor),
        code: Code::of(minor, is_free_threaded),
    }
}

#[test]
fn hostile_memory_is_read_to_an_end() {
    let own = Memory::open_to_read(std::process::id()).unwrap();
    let mut numbers = Numbers(0x1ea_4b17);
    for (minor, is_free_threaded) in (8..=15).map(|minor| (minor, false)).chain([(14, true)]) {
        for _ in 0..2 {
            // Types that are known are in that memory, too.
            let types: Vec<u64> = vec![0; N_CAPI];
            let place = types.as_ptr() as u64;
            let capi: [u64; N_CAPI] = std::array::from_fn(|index| place + index as u64 * 8);
            let memory = hostile(&mut numbers, &capi);
            let layout = layout(minor, is_free_threaded);
            let objects = Objects {
                memory: &own,
                layout: &layout,
                capi: &capi,
            };
            let first = memory.as_ptr() as u64;
            let mut codes = BTreeMap::new();
            for index in (0..N_WORDS as u64).step_by(53) {
                let address = first + index * 8;
                objects.text(address, 300);
                objects.int(address);
                objects.entries(address);
                objects.attributes(address);
                code::callable_name(&objects, address);
                let stack = frames::stack_of(&objects, address, &mut codes);
                for frame in &stack.raw {
                    locals::locals(&objects, frame);
                    Locks::new(objects).waited_for(7, frame, address);
                }
                let found = interpreters::interpreters(&objects, address);
                for interpreter in found {
                    let states = interpreters::states(&objects, interpreter);
                    gil::gil_of(&objects, address, interpreter, &states);
                    names::named_threads(&objects, interpreter);
                }
            }
        }
    }
}

#[test]
fn a_version_is_taken_by_its_minor_number() {
    assert_eq!(minor("3.12.1"), Some(12));
    assert_eq!(minor("3.9"), Some(9));
    assert_eq!(minor("3.15.0a3"), Some(15));
    assert_eq!(minor("2.7.18"), None);
    assert_eq!(minor("?"), None);
}
