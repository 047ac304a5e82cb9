use super::*;

/// A small agent: a read-only and executable page, and a writable one with a relocation.
fn elf() -> Vec<u8> {
    let mut elf = vec![0; 0x2000];
    let mut put = |at: usize, bytes: &[u8]| elf[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"\x7fELF\x02\x01\x01");
    put(16, &3_u16.to_le_bytes());
    put(18, &62_u16.to_le_bytes());
    put(32, &64_u64.to_le_bytes());
    put(54, &56_u16.to_le_bytes());
    put(56, &3_u16.to_le_bytes());
    // kind, flags, offset, address, address, file size, memory size, alignment
    let segments: [[u64; 6]; 3] = [
        [5 << 32 | 1, 0, 0, 0x1000, 0x1000, 0x1000],
        [6 << 32 | 1, 0x1000, 0x1000, 0x100, 0x2000, 0x1000],
        [6 << 32 | 2, 0x400, 0x400, 0x100, 0x100, 8],
    ];
    for (i, [kind, offset, address, file_size, memory_size, align]) in
        segments.into_iter().enumerate()
    {
        let words = [
            kind,
            offset,
            address,
            address,
            file_size,
            memory_size,
            align,
        ];
        for (j, word) in words.into_iter().enumerate() {
            put(64 + i * 56 + j * 8, &word.to_le_bytes());
        }
    }
    let dynamic: [[u64; 2]; 6] = [
        [4, 0x600],
        [5, 0x700],
        [6, 0x500],
        [7, 0x800],
        [8, 48],
        [0, 0],
    ];
    for (i, word) in dynamic.as_flattened().iter().enumerate() {
        put(0x400 + i * 8, &word.to_le_bytes());
    }
    // Symbol 1: name 1, defined in section 1, value 0x900.
    put(0x500 + 24, &1_u32.to_le_bytes());
    put(0x500 + 28, &[0x12, 0, 1, 0]);
    put(0x500 + 32, &0x900_u64.to_le_bytes());
    // DT_HASH: one bucket, two chains.
    for (i, word) in [1_u32, 2, 1, 0, 0].into_iter().enumerate() {
        put(0x600 + i * 4, &word.to_le_bytes());
    }
    put(0x701, b"leakhunt_agent\0");
    // R_X86_64_RELATIVE 0x1008 -> 0x950, R_X86_64_64 0x1010 -> symbol 1 + 4.
    for (i, word) in [0x1008, 8, 0x950, 0x1010, 1 << 32 | 1, 4_u64]
        .into_iter()
        .enumerate()
    {
        put(0x800 + i * 8, &word.to_le_bytes());
    }
    elf
}

fn with(at: usize, bytes: &[u8]) -> Result<AgentImage, ImageError> {
    let mut elf = elf();
    elf[at..at + bytes.len()].copy_from_slice(bytes);
    AgentImage::parse(&elf)
}

#[test]
fn an_image_is_laid_out_and_relocated() {
    let image = AgentImage::parse(&elf()).expect("it is sound");
    assert_eq!(
        (image.len(), image.writable_from(), image.entry()),
        (0x3000, 0x1000, 0x900)
    );
    let contents = image.relocated(0x7000_0000);
    assert_eq!(contents.len(), 0x1100);
    assert_eq!(u64_at(&contents, 0x1008), Some(0x7000_0950));
    assert_eq!(u64_at(&contents, 0x1010), Some(0x7000_0904));
}

#[test]
fn a_file_for_something_else_is_refused() {
    assert!(matches!(AgentImage::parse(b""), Err(ImageError::NotElf)));
    assert!(matches!(with(0, b"MZ"), Err(ImageError::NotElf)));
    assert!(matches!(with(18, &[183, 0]), Err(ImageError::NotElf)));
    assert!(matches!(with(16, &[2, 0]), Err(ImageError::NotElf)));
}

#[test]
fn what_needs_a_loader_is_refused() {
    let needed = with(0x400, &1_u64.to_le_bytes());
    assert!(matches!(
        needed,
        Err(ImageError::NeedsLoader { what: "DT_NEEDED" })
    ));
    let tls = with(64 + 2 * 56, &7_u32.to_le_bytes());
    assert!(matches!(
        tls,
        Err(ImageError::NeedsLoader { what: "PT_TLS" })
    ));
    let initialiser = with(0x400 + 5 * 16, &[12, 0, 0, 0, 0, 0, 0, 0]);
    assert!(matches!(initialiser, Err(ImageError::NeedsLoader { .. })));
}

#[test]
fn unknown_relocations_and_undefined_symbols_are_refused() {
    let unknown = with(0x808, &[37]);
    assert!(matches!(
        unknown,
        Err(ImageError::UnknownRelocation { kind: 37 })
    ));
    let undefined = with(0x824, &[0, 0, 0, 0]);
    assert!(matches!(
        undefined,
        Err(ImageError::UndefinedSymbol { index: 0 })
    ));
    assert!(matches!(with(0x701, b"x"), Err(ImageError::NoEntry)));
}

#[test]
fn segments_out_of_bounds_or_order_are_refused() {
    let writable_code = with(64 + 4, &[7]);
    assert!(matches!(writable_code, Err(ImageError::WritableCode)));
    let huge = with(64 + 56 + 40, &u64::MAX.to_le_bytes());
    assert!(matches!(huge, Err(ImageError::Damaged { .. })));
    let mixed = with(64 + 4, &[6]);
    assert!(mixed.is_err());
    let overlapping = with(64 + 56 + 16, &0x800_u64.to_le_bytes());
    assert!(matches!(overlapping, Err(ImageError::Mixed)));
    let outside = with(0x800, &u64::MAX.to_le_bytes());
    assert!(matches!(outside, Err(ImageError::Damaged { .. })));
}

#[test]
fn no_damage_makes_it_panic() {
    let sound = elf();
    for len in 0..sound.len() {
        let _ = AgentImage::parse(&sound[..len]);
    }
    for at in 0..0x900 {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            if let Ok(image) = with(at, &[value]) {
                let _ = image.relocated(u64::MAX - 5);
            }
        }
    }
}
