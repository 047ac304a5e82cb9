//! Runs a classic BPF program on a system call, as the kernel does for a seccomp filter.
//! (Linux, `Documentation/userspace-api/seccomp_filter.rst` and `net/core/filter.c`.)

/// What a filter looks at: `struct seccomp_data`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) number: i64,
    pub(crate) arguments: [u64; 6],
}

/// The machine as filters see it.
const ARCHITECTURE_X86_64: u32 = 0xc000_003e;
const DATA_SIZE: u32 = 64;
const N_SCRATCH: usize = 16;

impl Call {
    /// One word of `struct seccomp_data`: number, architecture, instruction pointer, arguments.
    fn word(&self, offset: u32) -> Option<u32> {
        if !offset.is_multiple_of(4) || offset >= DATA_SIZE {
            return None;
        }
        let half = |value: u64| {
            if offset.is_multiple_of(8) {
                value as u32
            } else {
                (value >> 32) as u32
            }
        };
        Some(match offset {
            0 => self.number as u32,
            4 => ARCHITECTURE_X86_64,
            // Libraries are anywhere; no filter can depend on where.
            8 | 12 => half(0x7f00_0000_0000),
            _ => half(*self.arguments.get((offset as usize - 16) / 8)?),
        })
    }
}

/// One instruction: `code`, `jt`, `jf`, `k` in the order of `struct sock_filter`.
#[derive(Clone, Copy, Debug)]
struct Instruction {
    code: u16,
    if_true: u8,
    if_false: u8,
    operand: u32,
}

impl Instruction {
    fn new(raw: u64) -> Self {
        let [c0, c1, if_true, if_false, k0, k1, k2, k3] = raw.to_le_bytes();
        Self {
            code: u16::from_le_bytes([c0, c1]),
            if_true,
            if_false,
            operand: u32::from_le_bytes([k0, k1, k2, k3]),
        }
    }
}

/// What the program returns for `call`: an action in the upper and its data in the lower 16 bits.
/// `None` for a program that the kernel would not take. It always ends: jumps go forward only.
pub(crate) fn run(program: &[u64], call: &Call) -> Option<u32> {
    let mut machine = Machine {
        call,
        accumulator: 0,
        index: 0,
        scratch: [0; N_SCRATCH],
    };
    let mut at = 0_usize;
    loop {
        let instruction = Instruction::new(*program.get(at)?);
        at = at.checked_add(1)?;
        match machine.step(instruction)? {
            Step::Next => {}
            Step::Skip(n) => at = at.checked_add(n as usize)?,
            Step::Return(value) => return Some(value),
        }
    }
}

enum Step {
    Next,
    Skip(u32),
    Return(u32),
}

struct Machine<'c> {
    call: &'c Call,
    accumulator: u32,
    index: u32,
    scratch: [u32; N_SCRATCH],
}

impl Machine<'_> {
    fn step(&mut self, i: Instruction) -> Option<Step> {
        const USE_INDEX: u16 = 0x08;
        let k = i.operand;
        let operand = if i.code & USE_INDEX == 0 {
            k
        } else {
            self.index
        };
        match i.code {
            // Load into the accumulator or the index: a number, the data's length, scratch, data.
            0x00 => self.accumulator = k,
            0x01 => self.index = k,
            0x80 => self.accumulator = DATA_SIZE,
            0x81 => self.index = DATA_SIZE,
            0x60 => self.accumulator = *self.scratch.get(k as usize)?,
            0x61 => self.index = *self.scratch.get(k as usize)?,
            0x20 => self.accumulator = self.call.word(k)?,
            // Store to scratch.
            0x02 => *self.scratch.get_mut(k as usize)? = self.accumulator,
            0x03 => *self.scratch.get_mut(k as usize)? = self.index,
            // Move between the two.
            0x07 => self.index = self.accumulator,
            0x87 => self.accumulator = self.index,
            // Return a number or the accumulator.
            0x06 => return Some(Step::Return(k)),
            0x16 => return Some(Step::Return(self.accumulator)),
            // Jump always.
            0x05 => return Some(Step::Skip(k)),
            code if code & 7 == 5 => {
                let a = self.accumulator;
                let is_true = match code & 0xf0 {
                    0x10 => a == operand,
                    0x20 => a > operand,
                    0x30 => a >= operand,
                    0x40 => a & operand != 0,
                    _ => return None,
                };
                let skip = if is_true { i.if_true } else { i.if_false };
                return Some(Step::Skip(skip.into()));
            }
            code if code & 7 == 4 => self.accumulator = self.arithmetic(code & 0xf0, operand)?,
            _ => return None,
        }
        Some(Step::Next)
    }

    fn arithmetic(&self, operation: u16, operand: u32) -> Option<u32> {
        let a = self.accumulator;
        Some(match operation {
            0x00 => a.wrapping_add(operand),
            0x10 => a.wrapping_sub(operand),
            0x20 => a.wrapping_mul(operand),
            0x30 => a.checked_div(operand)?,
            0x40 => a | operand,
            0x50 => a & operand,
            0x60 => a.checked_shl(operand).unwrap_or(0),
            0x70 => a.checked_shr(operand).unwrap_or(0),
            0x80 => a.wrapping_neg(),
            0x90 => a.checked_rem(operand)?,
            0xa0 => a ^ operand,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(code: u16, if_true: u8, if_false: u8, operand: u32) -> u64 {
        u64::from(code)
            | u64::from(if_true) << 16
            | u64::from(if_false) << 24
            | u64::from(operand) << 32
    }

    fn call(number: i64, first: u64) -> Call {
        Call {
            number,
            arguments: [first, 0, 0, 0, 0, 0],
        }
    }

    #[test]
    fn a_program_tells_calls_apart_by_number_and_argument() {
        // socket(AF_INET, ...) is killed, all else allowed.
        let program = [
            raw(0x20, 0, 0, 0),
            raw(0x15, 0, 3, 41),
            raw(0x20, 0, 0, 16),
            raw(0x15, 0, 1, 2),
            raw(0x06, 0, 0, 0),
            raw(0x06, 0, 0, 0x7fff_0000),
        ];
        assert_eq!(run(&program, &call(41, 2)), Some(0));
        assert_eq!(run(&program, &call(41, 1)), Some(0x7fff_0000));
        assert_eq!(run(&program, &call(42, 2)), Some(0x7fff_0000));
    }

    #[test]
    fn the_upper_half_of_an_argument_is_a_word_of_its_own() {
        let program = [raw(0x20, 0, 0, 20), raw(0x16, 0, 0, 0)];
        assert_eq!(run(&program, &call(0, 7 << 32 | 1)), Some(7));
    }

    #[test]
    fn arithmetic_and_scratch_work() {
        // (5 << 2 | 3) ^ 1, kept in scratch word 15, and 64 added by the index.
        let program = [
            raw(0x00, 0, 0, 5),
            raw(0x64, 0, 0, 2),
            raw(0x44, 0, 0, 3),
            raw(0xa4, 0, 0, 1),
            raw(0x02, 0, 0, 15),
            raw(0x81, 0, 0, 0),
            raw(0x60, 0, 0, 15),
            raw(0x0c, 0, 0, 0),
            raw(0x16, 0, 0, 0),
        ];
        assert_eq!(run(&program, &call(0, 0)), Some(22 + 64));
    }

    #[test]
    fn a_damaged_program_has_no_result() {
        let load_outside = [raw(0x20, 0, 0, 64), raw(0x06, 0, 0, 1)];
        let load_crooked = [raw(0x20, 0, 0, 2), raw(0x06, 0, 0, 1)];
        let no_return = [raw(0x00, 0, 0, 1)];
        let jump_outside = [raw(0x05, 0, 0, u32::MAX)];
        let divide_by_zero = [raw(0x34, 0, 0, 0), raw(0x06, 0, 0, 1)];
        let scratch_outside = [raw(0x02, 0, 0, 16), raw(0x06, 0, 0, 1)];
        let unknown = [raw(0xffff, 0, 0, 0)];
        let programs: [&[u64]; 8] = [
            &[],
            &load_outside,
            &load_crooked,
            &no_return,
            &jump_outside,
            &divide_by_zero,
            &scratch_outside,
            &unknown,
        ];
        for program in programs {
            assert_eq!(run(program, &call(0, 0)), None, "{program:x?}");
        }
    }
}
