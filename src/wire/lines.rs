//! The line that an instruction is of, by the line table of its code.

/// The line of an instruction; `None` for one that has none, such as those that the compiler made up.
///
/// `instruction` is its place in bytes, -1 before the first; `table` is `co_lnotab` of 3.8 and 3.9
/// (`Objects/lnotab_notes.txt`), `co_linetable` of 3.10 (the same file), or that of 3.11 on
/// (`Objects/locations.md`, `InternalDocs/code_objects.md`).
pub fn line_of(minor: u32, table: &[u8], first_line: i32, instruction: i64) -> Option<i32> {
    if instruction < 0 {
        return Some(first_line);
    }
    match minor {
        ..=9 => Some(by_steps(table, first_line, instruction)),
        10 => by_ranges(table, first_line, instruction),
        _ => by_locations(table, first_line, instruction),
    }
}

/// Pairs of how far on the next line begins, and by how much its number is higher.
fn by_steps(table: &[u8], first_line: i32, instruction: i64) -> i32 {
    let (pairs, _) = table.as_chunks::<2>();
    let (mut line, mut address) = (first_line, 0);
    for &[step, rise] in pairs {
        address += i64::from(step);
        if address > instruction {
            break;
        }
        line = line.wrapping_add(rise.cast_signed().into());
    }
    line
}

/// Pairs of how long a range is, and by how much its line is higher than that of the range before.
fn by_ranges(table: &[u8], first_line: i32, instruction: i64) -> Option<i32> {
    const NO_LINE: i8 = -128;
    let (pairs, _) = table.as_chunks::<2>();
    let (mut line, mut end) = (first_line, 0);
    for &[len, rise] in pairs {
        end += i64::from(len);
        let rise = rise.cast_signed();
        if rise != NO_LINE {
            line = line.wrapping_add(rise.into());
        }
        if end > instruction {
            return (rise != NO_LINE).then_some(line);
        }
    }
    None
}

/// Entries of a head, which has the length of the range and the kind, and what the kind asks for.
fn by_locations(table: &[u8], first_line: i32, instruction: i64) -> Option<i32> {
    const HEAD: u8 = 0x80;
    let (mut line, mut end) = (first_line, 0);
    let mut rest = table;
    while let [head, after @ ..] = rest {
        let len = after.iter().take_while(|&&byte| byte & HEAD == 0).count();
        let (fields, next) = after.split_at(len);
        let rise = match head >> 3 & 15 {
            15 => None,
            13 | 14 => Some(signed(fields)),
            kind @ 10..=12 => Some(i32::from(kind) - 10),
            _ => Some(0),
        };
        line = line.wrapping_add(rise.unwrap_or(0));
        end += (i64::from(head & 7) + 1) * 2;
        if end > instruction {
            return rise.map(|_| line);
        }
        rest = next;
    }
    None
}

/// A number in groups of six bits, lowest first; the lowest bit of all is its sign.
fn signed(fields: &[u8]) -> i32 {
    const GOES_ON: u8 = 0x40;
    let mut number: u32 = 0;
    for (index, &byte) in fields.iter().take(6).enumerate() {
        number |= u32::from(byte & 0x3f) << (6 * index);
        if byte & GOES_ON == 0 {
            break;
        }
    }
    let half = (number >> 1).cast_signed();
    if number & 1 == 1 { -half } else { half }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_3_9_may_go_back() {
        // Lines 10 to 12, then back to 11.
        let table = [4, 1, 6, 1, 2, 0xff];
        let line = |at| line_of(9, &table, 10, at);
        assert_eq!(line(-1), Some(10));
        assert_eq!((line(0), line(3)), (Some(10), Some(10)));
        assert_eq!((line(4), line(9)), (Some(11), Some(11)));
        assert_eq!(
            (line(10), line(12), line(999)),
            (Some(12), Some(11), Some(11))
        );
    }

    #[test]
    fn ranges_of_3_10_may_have_no_line() {
        let table = [4, 0, 2, 0x80, 6, 3];
        let line = |at| line_of(10, &table, 10, at);
        assert_eq!((line(0), line(2)), (Some(10), Some(10)));
        assert_eq!(line(4), None);
        assert_eq!((line(6), line(11), line(12)), (Some(13), Some(13), None));
    }

    #[test]
    fn locations_of_3_11_are_of_several_kinds() {
        let head = |kind: u8, n_units: u8| 0x80 | kind << 3 | (n_units - 1);
        let table = [
            head(0, 1),
            0x11, // short: same line
            head(11, 2),
            1,
            2,           // one line on
            head(15, 1), // none
            head(14, 3),
            0x40 | 0x3f,
            0x03, // long: a rise of -127
            0,
            1,
            2,
            head(13, 8),
            0x02, // no columns: a rise of 1
        ];
        let line = |at| line_of(12, &table, 200, at);
        assert_eq!(
            (line(0), line(2), line(5)),
            (Some(200), Some(201), Some(201))
        );
        assert_eq!(line(6), None);
        assert_eq!((line(8), line(13)), (Some(74), Some(74)));
        assert_eq!((line(14), line(29), line(30)), (Some(75), Some(75), None));
    }

    #[test]
    fn damaged_tables_have_no_lines_and_do_no_harm() {
        for minor in 8..=15 {
            for table in [&[][..], &[0x80], &[0xff, 0xff, 0xff, 0x7f], &[0; 7]] {
                line_of(minor, table, i32::MAX, 1 << 40);
            }
        }
    }
}
